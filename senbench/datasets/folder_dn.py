"""A user's own Sentinel-2 tiles: GeoTIFFs of digital numbers, one folder per class, bands by name.

Nothing about the values is assumed: which bands they are, whether they carry the offset of newer products and of
which processing level they are is read from the files, or asked for.
"""

from __future__ import annotations

import hashlib
import re
import warnings
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets import products
from senbench.datasets import radiometry as radiometries
from senbench.datasets.archive import Folder, stamp
from senbench.datasets.bands import RGB
from senbench.datasets.base import TileError, Tiles
from senbench.datasets.decode import OR_SKIP
from senbench.datasets.radiometry import UNDECIDED
from senbench.datasets.registry import BANDS
from senbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.datasets.products import Told
    from senbench.spec import DatasetInfo, Level

    Loader = Callable[[int], tuple[NDArray[np.int32], NDArray[np.bool_]]]

SIDECAR = "bands.txt"
"""Names the bands in file order, where the TIFFs do not."""
SAMPLE = 64
"""Tiles looked at for the share of values without data."""
BLOCK = 5000.0
"""Side of a spatial cluster in metres, as for EuroSAT."""
RENDERING: dict[Level | None, str] = {"L1C": "eurosat-jpeg", "L2A": "dn2000", None: UNDECIDED}
"""Level -> default rendering, that of the data set of this level: EuroSAT, BigEarthNet."""
LEAVE_OUT = "-"


class Header(NamedTuple):
    """What a tile tells before its pixels are read."""

    dtype: str
    """Type of its values, as NumPy names it."""
    size: tuple[int, int]
    """Height and width in pixels."""
    descriptions: tuple[str | None, ...]
    """Name of each band as it is in the file."""
    nodata: float | None
    """Value that stands for no data, besides 0."""
    told: Told
    """Offset and level."""
    place: str | None
    """Spatial cluster, None without a position in metres."""


class Look(NamedTuple):
    """What the headers of a folder's tiles tell."""

    headers: tuple[Header | str, ...]
    """One per tile; a text says why it cannot be read."""
    order: tuple[str, ...]
    """Band names in file order, `-` for what is left out; empty for 8-bit tiles."""
    level: Level | None
    """Level that all tiles tell; None where some do not."""

    @property
    def bands(self) -> tuple[str, ...]:
        """Bands that the tiles have."""
        return tuple(band for band in self.order if band != LEAVE_OUT)


def look(root: Path, names: Sequence[str], title: str) -> Look | None:
    """Headers of TIFFs, read once while the files stay as they are.

    Args:
        root: The folder.
        names: The tiles, `<class>/<file>`.
        title: The folder for messages.

    Returns:
        What they tell; None for 8-bit images, or where nothing can be read.

    Raises:
        UsageError: Values that are no digital numbers, or bands without names, or tiles that disagree.
    """
    sidecar = root / SIDECAR
    named = sidecar.read_text(encoding="utf-8", errors="replace") if sidecar.is_file() else None
    found = _look(root, tuple(names), title, named, stamp(f"{root}/{name}" for name in names))
    return found if found.order else None


@lru_cache(maxsize=4)
def _look(root: Path, names: tuple[str, ...], title: str, named: str | None, state: str) -> Look:
    headers = tuple(_header(root, name) for name in names)
    read = [(name, header) for name, header in zip(names, headers, strict=True) if isinstance(header, Header)]
    if not read:
        return Look(headers, (), None)
    first, one = read[0]
    for name, header in read:
        if header.dtype.startswith("float"):
            raise UsageError(
                f"{title}: {name} has {header.dtype} values: give digital numbers (reflectance x 10,000 as uint16), or "
                "8-bit RGB"
            )
        if header.dtype not in ("uint8", "uint16", "int16"):
            raise UsageError(f"{title}: {name} has {header.dtype} values: give uint16 digital numbers, or 8-bit RGB")
        if (header.dtype == "uint8") != (one.dtype == "uint8"):
            raise UsageError(
                f"{title}: {name} has {header.dtype} values, {first} has {one.dtype}: 8-bit images and digital numbers "
                "do not mix, give folders of their own"
            )
    if one.dtype == "uint8":
        return Look(headers, (), None)
    order = _order(title, first, one, named)
    for name, header in read:
        if len(header.descriptions) != len(order) or _normal(header.descriptions) not in (None, order):
            its = _normal(header.descriptions) or (f"{len(header.descriptions)} bands",)
            raise UsageError(
                f"{title}: {name} has {', '.join(its)}, expected {', '.join(order)} as in "
                f"{first if named is None else SIDECAR}: all tiles must have the same bands in the same order"
            )
        if named is None and _normal(header.descriptions) is None:
            raise UsageError(f"{title}: the bands of {name} have no names, those of {first} have: name them")
    levels = {header.told.level: name for name, header in read}
    if {"L1C", "L2A"} <= levels.keys():
        raise UsageError(
            f"{title}: {levels['L1C']} is L1C, {levels['L2A']} is L2A: levels do not mix, give folders of their own"
        )
    return Look(headers, order, levels.popitem()[0] if len(levels) == 1 else None)


def _header(root: Path, name: str) -> Header | str:
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    try:
        # what lies beside the file is no part of it: neither its content key nor its pixels would tell of a change
        with (
            rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR"),
            rasterio.open(root / name, driver="GTiff") as file,
        ):
            tags = {**file.tags(1), **file.tags()}
            names = (Path(name).stem, *Path(name).parent.parts[::-1], root.resolve().name)
            place = None
            if file.crs is not None and file.crs.is_projected:
                x, y = sum(file.bounds[::2]) / 2, sum(file.bounds[1::2]) / 2  # left, bottom, right, top
                place = f"{file.crs.to_string()[:40]}/{int(x // BLOCK)}_{int(y // BLOCK)}"
            kinds = sorted(set(file.dtypes))
            return Header(
                dtype=kinds[0] if len(kinds) == 1 else " and ".join(kinds),
                size=(file.height, file.width),
                descriptions=file.descriptions,
                nodata=file.nodata,
                told=products.told(tags, names, zip(file.scales, file.offsets, strict=True)),
                place=place,
            )
    except (RasterioError, OSError) as error:
        return " ".join(str(error).replace(f"{root}/", "").split())[:120]


def _order(title: str, name: str, header: Header, named: str | None) -> tuple[str, ...]:
    """Bands in file order, from the sidecar or the first tile."""
    own = _normal(header.descriptions)
    example = f"write their names in file order into {SIDECAR} in that folder, such as B02, B03, B04, B08"
    if named is None:
        if own is None:
            has = ", ".join(str(text) if text else "no name" for text in header.descriptions)
            raise UsageError(f"{title}: bands of {name} cannot be told from their names ({has}): {example}")
        return own
    words = [word for line in named.splitlines() for word in re.split(r"[,;\s]+", line.split("#")[0]) if word]
    bands = tuple(LEAVE_OUT if word == LEAVE_OUT else _band(word) for word in words)
    if unknown := [word for word, band in zip(words, bands, strict=True) if band is None]:
        raise UsageError(f"{title}: {SIDECAR} names {unknown[0]!r}: use {', '.join(BANDS)}, or - to leave a band out")
    order = tuple(band for band in bands if band is not None)
    real = [band for band in order if band != LEAVE_OUT]
    if not real or len(set(real)) < len(real):
        raise UsageError(f"{title}: {SIDECAR} must name every band once")
    return order


def _normal(descriptions: Sequence[str | None]) -> tuple[str, ...] | None:
    """Band names of a file; None where one is missing, no band of Sentinel-2, or there twice."""
    bands = [_band(text or "") for text in descriptions]
    if None in bands or len(set(bands)) < len(bands):
        return None
    return tuple(band for band in bands if band is not None)


def _band(text: str) -> str | None:
    """`B02`, `B2`, `B02 blue`, `B4, central wavelength 665 nm` by the name that senbench has; `Band 2` is none."""
    match = re.match(r"\s*B0?(\d{1,2})(A?)(?![0-9A-Z])", text, re.IGNORECASE)
    band = f"B{match[1]}A" if match and match[2] else f"B{int(match[1]):02d}" if match else ""
    return band if band in BANDS else None


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
        reason = " ".join(str(error).split())[:120]
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
