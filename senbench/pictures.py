"""Pictures of tiles that a result speaks of, drawn from the data themselves: a run keeps those of a few per class."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from senbench import protocols
from senbench.errors import UnavailableError, UsageError
from senbench.opening import open_data
from senbench.progress import Silent
from senbench.results.thumbnails import encode
from senbench.spec import RunSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.record import RunResult


def drawn(result: RunResult, ids: Sequence[str], *, data_dir: str | None = None) -> dict[str, bytes]:
    """Tiles of a result's dataset as people see them; nothing is fetched.

    Args:
        result: The result.
        ids: Ids of tiles that it evaluated.
        data_dir: Folder of the data; None: as the result names it.

    Returns:
        Tile id -> WebP bytes, without tiles that cannot be decoded.

    Raises:
        UsageError: Other tiles are there, or the result's tiles were passed from Python.
        UnavailableError: No such data are here.
    """
    if result.dataset["source"] == "memory":
        raise UsageError(f"the tiles of {result.run_id} were passed from Python: no folder has them")
    how = result.resolved
    name, place = how["dataset"], data_dir or result.spec.get("data_dir")
    if name.startswith("folder:"):  # its path is in its name; it may have moved
        name, place = name if data_dir is None else f"folder:{data_dir}", None
    spec = RunSpec.model_validate({**result.spec, "data_dir": place, "offline": True, "tune": None, "anchors": None})
    tiles = open_data(spec, name, protocols.find(how["protocol"]), (), Silent(), located=False).tiles
    at = {name: i for i, name in enumerate(tiles.tile_ids)}
    if absent := [name for name in ids if name not in at]:
        raise UsageError(
            f"{tiles.source} lacks {len(absent):,} of {len(ids):,} tiles, {absent[0]} the first; give the data of "
            f"{result.run_id} with --data-dir"
        )
    found = {}
    for name in ids:
        with contextlib.suppress(UnavailableError):  # a broken tile has no picture
            found[name] = encode(tiles.picture(at[name]))
    return found
