"""A user's own Sentinel-2 tiles: GeoTIFFs of digital numbers, one folder per class, bands by name.

Nothing about the values is assumed: which bands they are, whether they carry the offset of newer products and of
which processing level they are is read from the files, or asked for.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.bands import RGB
from senbench.datasets.folder.headers import Header, Look
from senbench.datasets.radiometry import UNDECIDED
from senbench.datasets.readers.image import OR_SKIP
from senbench.datasets.readers.sources import Folder
from senbench.datasets.tiles import TileError, Tiles
from senbench.errors import UsageError, brief

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.schema.dataset import DatasetInfo
    from senbench.schema.terms import Level

    Loader = Callable[[int], tuple[NDArray[np.int32], NDArray[np.bool_]]]

SAMPLE = 64
"""Tiles looked at for the share of values without data."""
RENDERING: dict[Level | None, str] = {"L1C": "eurosat-jpeg", "L2A": "dn2000", None: UNDECIDED}
"""Level -> default rendering, that of the data set of this level: EuroSAT, BigEarthNet."""


def describe(info: DatasetInfo, seen: Look) -> DatasetInfo:
    """Facts of a folder of digital numbers.

    Args:
        info: What it has in common with a folder of 8-bit images.
        seen: Its headers.
    """
    sizes = {header.size for header in seen.headers if isinstance(header, Header)}
    height, width = sizes.pop()
    return info.model_copy(
        update={
            "bands": seen.bands,
            "unit": "dn",
            "level": seen.level,
            "tile_size": height if not sizes and height == width else None,
            "radiometry": RENDERING[seen.level],
        }
    )


def open_tiles(
    info: DatasetInfo,
    root: Path,
    ids: tuple[str, ...],
    labels: NDArray[np.int64],
    seen: Look,
    *,
    radiometry: str | None,
    dn_offset: str = "auto",
) -> Tiles:
    """Open a folder of digital numbers.

    Args:
        info: What `describe` found.
        root: The folder.
        ids: The tiles, `<class>/<file>`.
        labels: Class index per tile, int64 (N,).
        seen: Headers of the tiles.
        radiometry: Key of `radiometry.POLICIES`; None: that of the level.
        dn_offset: `0` or `1000`: what is subtracted; `auto`: what the metadata of each tile tell.

    Returns:
        Tiles with digital numbers of the bands by name, without the offset, uint16, no data 0; rendered where they
        have red, green and blue.

    Raises:
        UsageError: The offset is neither told nor given, or an unknown radiometry.
    """
    policy = info.radiometry if radiometry is None else radiometries.check(radiometry)
    if info.radiometry == UNDECIDED:
        info = info.model_copy(update={"radiometry": policy})
    source = Folder(root)
    offsets = _offsets(seen, ids, dn_offset, source.title)
    forms = [f"{offset} {','.join(seen.order)}".encode() for offset in offsets]

    def load(i: int, bands: tuple[str, ...]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        return _load(source, ids[i], seen.headers[i], [seen.order.index(band) + 1 for band in bands])

    def read_bands(i: int, bands: tuple[str, ...]) -> NDArray[np.uint16]:
        values, missing = load(i, bands)
        if missing.all():
            raise TileError(f"tile {ids[i]} in {source.title}: it holds nothing but no data; {OR_SKIP}")
        dn = np.clip(values - offsets[i], 0, 65535).astype(np.uint16)
        dn[missing] = 0
        return np.ascontiguousarray(dn.transpose(1, 2, 0))

    def read(i: int) -> NDArray[np.uint8]:
        if policy == UNDECIDED or not set(RGB) <= set(info.bands):
            raise TileError(f"tile {ids[i]} in {source.title}: no rendering to 8-bit RGB is known for it")
        return radiometries.render(read_bands(i, RGB), policy)

    # another offset or another order of the bands makes other tiles of the same bytes
    def key(i: int) -> bytes:
        return hashlib.blake2b(source.key(ids[i]) + forms[i], digest_size=16).digest()

    def state(indices: Sequence[int], bands: tuple[str, ...]) -> str:
        told = [source.stamp(ids[i] for i in indices).encode(), *(forms[i] for i in indices)]
        return hashlib.sha256(b"\n".join(told)).hexdigest()

    places = [header.place if isinstance(header, Header) else None for header in seen.headers]

    def locate(indices: Sequence[int]) -> list[str]:
        return [places[i] or f"unlocated/{ids[i]}" for i in indices]

    return Tiles(
        info=info,
        split="all",
        source=source.title,
        ids=ids,
        labels=labels,
        reader=read,
        keys=key,
        n_expected=len(ids),
        radiometry=policy,
        locate=locate if any(places) else None,
        bands_reader=read_bands,
        stamp=state,
        facts_of_source=_facts(seen, offsets, dn_offset, lambda i: load(i, info.bands)),
    )


def _offsets(seen: Look, ids: Sequence[str], dn_offset: str, title: str) -> list[int]:
    """DN to be subtracted from each tile."""
    if dn_offset != "auto":
        return [int(dn_offset)] * len(ids)
    found = []
    for name, header in zip(ids, seen.headers, strict=True):
        offset = header.told.offset if isinstance(header, Header) else 0  # refused when it is read
        if isinstance(header, Header) and offset is None:
            raise UsageError(
                f"{title}: {name} does not tell whether its values carry the +1000 DN of processing baseline 04.00 and "
                f"later ({header.told.source}): pass --dn-offset 1000 if they do, --dn-offset 0 if not"
            )
        found.append(offset or 0)
    return found


def _load(
    source: Folder, name: str, header: Header | str, indexes: list[int]
) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Values as they are in the file and where there are none, both (B, H, W)."""
    from rasterio.io import MemoryFile

    what = f"tile {name} in {source.title}"
    if isinstance(header, str):
        raise TileError(f"{what}: cannot be decoded: {header}; {OR_SKIP}")
    data = source.read(name)
    if not data:  # MemoryFile would take it for a file to be written
        raise TileError(f"{what}: the file is empty; {OR_SKIP}")
    try:
        with MemoryFile(data) as memory, memory.open(driver="GTiff") as file:
            values = file.read(indexes).astype(np.int32)
    except Exception as error:  # rasterio and GDAL raise many kinds on damage
        reason = brief(error)
        raise TileError(f"{what}: cannot be decoded: {reason}; {OR_SKIP}") from error
    missing = values == 0
    if header.nodata is not None:
        missing |= values == header.nodata
    return values, missing


def _facts(seen: Look, offsets: Sequence[int], dn_offset: str, load: Loader) -> Mapping[str, Any]:
    """What a result tells of the tiles' values: offset and how it was found, shares over evenly spaced tiles."""
    pairs = zip(seen.headers, offsets, strict=True)
    told = [(header.told, offset) for header, offset in pairs if isinstance(header, Header)]
    used = Counter(offset for _, offset in told)
    if dn_offset == "auto":
        how = "; ".join(sorted({what.source for what, _ in told})[:4])
    else:
        others = sorted({what.source for what, offset in told if what.offset not in (None, offset)})
        how = f"--dn-offset {dn_offset}" + (f", against {others[0]}" if others else "")
    looked, size, without, below = 0, 0, 0, 0
    for i in np.unique(np.linspace(0, len(offsets) - 1, min(SAMPLE, len(offsets))).astype(int)).tolist():
        try:
            values, missing = load(i)
        except TileError:
            continue
        looked += 1
        size += values.size
        without += int(missing.sum())
        below += int(((values < offsets[i]) & ~missing).sum())
    return {
        "dn_offset": next(iter(used)) if len(used) == 1 else {str(offset): n for offset, n in sorted(used.items())},
        "dn_offset_from": how,
        "nodata_share": round(without / size, 5) if size else 0.0,
        "below_offset_share": round(below / size, 5) if size else 0.0,
        "values_seen_of": looked,
    }
