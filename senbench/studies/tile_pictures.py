"""Pictures of tiles that a result speaks of, drawn from the data themselves: a run keeps those of a few per class."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

from senbench.datasets.open import open_dataset
from senbench.datasets.radiometry import POLICIES
from senbench.embedding.cache_key import row_key
from senbench.errors import SenbenchError, UnavailableError, UsageError
from senbench.results import places, predictions, store
from senbench.results.thumbnails import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from senbench.schema.result import RunResult


def gathered(
    folders: Sequence[Path],
    wanted: Callable[[Mapping[str, bytes]], list[str]],
    *,
    data_dir: str | None,
    say: Callable[[str], None],
) -> dict[str, bytes]:
    """The pictures that results kept, and further ones where the data of the first are here.

    Args:
        folders: Result folders.
        wanted: Gives the tiles that lack a picture, from the pictures that are there.
        data_dir: Folder of the data as the user gave it; None: as the result names it.
        say: Shows a line: why only kept pictures are there, where no folder was given.

    Returns:
        Tile id -> WebP bytes.

    Raises:
        SenbenchError: The given folder does not hold the evaluated tiles.
    """
    pictures = {name: data for folder in folders for name, (_, data) in store.read_thumbnails(folder).items()}
    if missing := wanted(pictures):
        try:
            result = store.load(folders[0])
            pictures |= drawn(result, missing, predictions.read(folders[0], result).ids, data_dir=data_dir)
        except SenbenchError as error:
            if data_dir is not None:
                raise
            say(f"- only pictures that the runs kept are shown; give the data of the others with --data-dir ({error})")
    return pictures


def drawn(
    result: RunResult, ids: Sequence[str], evaluated: Sequence[str], *, data_dir: str | None = None
) -> dict[str, bytes]:
    """Tiles of a result's dataset as people see them; nothing is fetched.

    Args:
        result: The result.
        ids: Ids of the tiles to draw.
        evaluated: Ids of all tiles that it evaluated, in its order; the pixels there must be those that it saw.
        data_dir: Folder of the data; None: as the result names it.

    Returns:
        Tile id -> WebP bytes, without tiles that cannot be decoded.

    Raises:
        UsageError: Other tiles are there, or other pixels, or the result's tiles were passed from Python.
        UnavailableError: No such data are here.
    """
    if result.dataset.source == "memory":
        raise UsageError(f"the tiles of {result.run_id} were passed from Python: no folder has them")
    data, spec, name = result.dataset, places.spec_here(result), places.dataset_here(result)
    place = data_dir or spec.data_dir
    if name.startswith("folder:"):  # its path is in its name; it may have moved
        name, place = name if data_dir is None else f"folder:{data_dir}", None
    split = result.resolved.split
    tiles = open_dataset(
        name,
        split=spec.split if split.startswith("file:") else split,
        data_dir=place,
        radiometry=data.radiometry if data.radiometry in POLICIES else None,
        dn_offset=spec.dn_offset,
        offline=True,
    )
    at = {name: i for i, name in enumerate(tiles.tile_ids)}
    other = f"give the data of {result.run_id} with --data-dir"
    if absent := [name for name in evaluated if name not in at]:
        raise UsageError(
            f"{tiles.source} lacks {len(absent):,} of {len(evaluated):,} evaluated tiles, {absent[0]} the first; "
            f"{other}"
        )
    seen = tiles.index[[at[name] for name in evaluated]].tolist()
    content = hashlib.sha256(b"".join(row_key(tiles.keys(position)) for position in seen)).hexdigest()
    if content != data.content_hash and result.recorded is None:  # outputs recorded elsewhere tell names alone
        raise UsageError(f"{tiles.source} holds other pixels under the names of the evaluated tiles; {other}")
    found = {}
    for name in ids:
        with contextlib.suppress(UnavailableError):  # a broken tile has no picture
            found[name] = encode(tiles.picture(at[name]))
    return found
