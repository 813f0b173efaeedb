"""Pictures of a result's tiles, made from the data, since a run stores only those of a few tiles per class."""

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
    """Return the pictures stored in results, and further ones if the data of the first are available.

    Args:
        folders: Result folders.
        wanted: Returns the tiles without a picture, given the existing pictures.
        data_dir: Folder of the data as passed; None for the one named in the result.
        say: Called with a line that explains why only stored pictures are shown, if no folder was passed.

    Returns:
        Tile id -> WebP bytes.

    Raises:
        SenbenchError: The folder does not contain the evaluated tiles.
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
    """Make pictures of tiles of a result's dataset; nothing is downloaded.

    Args:
        result: The result.
        ids: Ids of the tiles to draw.
        evaluated: Ids of all tiles that it evaluated, in its order; their pixels must be unchanged.
        data_dir: Folder of the data; None for the one named in the result.

    Returns:
        Tile id -> WebP bytes, without tiles that cannot be decoded.

    Raises:
        UsageError: The folder has other tiles or other pixels, or the result's tiles were passed from Python.
        UnavailableError: The data are missing.
    """
    if result.dataset.source == "memory":
        raise UsageError(f"the tiles of {result.run_id} were passed from Python: no folder has them")
    data, spec, name = result.dataset, places.spec_here(result), places.dataset_here(result)
    place = data_dir or spec.data_dir
    if name.startswith("folder:"):  # the dataset's name contains its path; it may have moved
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
    positions = tiles.index[[at[name] for name in evaluated]].tolist()
    content = hashlib.sha256(b"".join(row_key(tiles.keys(position)) for position in positions)).hexdigest()
    if content != data.content_hash and result.recorded is None:  # recorded outputs contain names only
        raise UsageError(f"{tiles.source} holds other pixels under the names of the evaluated tiles; {other}")
    encoded = {}
    for name in ids:
        with contextlib.suppress(UnavailableError):  # a damaged tile has no picture
            encoded[name] = encode(tiles.picture(at[name]))
    return encoded
