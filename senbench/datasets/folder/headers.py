"""Headers of a user's own GeoTIFFs of digital numbers: bands by name, offset and level; nothing is assumed."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from senbench.datasets.distances import block_at
from senbench.datasets.folder import product_metadata
from senbench.datasets.readers.sources import stamp
from senbench.errors import UsageError, brief
from senbench.schema.terms import BANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.datasets.folder.product_metadata import ProductFacts
    from senbench.schema.terms import Level

SIDECAR = "bands.txt"
"""Names the bands in file order, where the TIFFs do not."""
LEAVE_OUT = "-"
"""Stands in it for a band that is not used."""


class TiffHeader(NamedTuple):
    """What a tile tells before its pixels are read."""

    dtype: str
    """Type of its values, as NumPy names it."""
    size: tuple[int, int]
    """Height and width in pixels."""
    descriptions: tuple[str | None, ...]
    """Name of each band as it is in the file."""
    nodata: float | None
    """Value that stands for no data, besides 0."""
    told: ProductFacts
    """Offset and level."""
    place: str | None
    """Spatial cluster, None without a position in metres."""


class Look(NamedTuple):
    """What the headers of a folder's tiles tell."""

    headers: tuple[TiffHeader | str, ...]
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
    read = [(name, header) for name, header in zip(names, headers, strict=True) if isinstance(header, TiffHeader)]
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
        if not _agree(header.descriptions, order):
            its = [text for text in header.descriptions if text] or [f"{len(header.descriptions)} bands"]
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


def _header(root: Path, name: str) -> TiffHeader | str:
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
                place = block_at(file.crs.to_string()[:40], x, y)
            kinds = sorted(set(file.dtypes))
            return TiffHeader(
                dtype=kinds[0] if len(kinds) == 1 else " and ".join(kinds),
                size=(file.height, file.width),
                descriptions=file.descriptions,
                nodata=file.nodata,
                told=product_metadata.told(tags, names, zip(file.scales, file.offsets, strict=True)),
                place=place,
            )
    except (RasterioError, OSError) as error:
        return brief(error).replace(f"{root}/", "")


def _order(title: str, name: str, header: TiffHeader, named: str | None) -> tuple[str, ...]:
    """Bands in file order, from the sidecar or the first tile."""
    if named is None:
        if (own := _normal(header.descriptions)) is None:
            has = ", ".join(text or "no name" for text in header.descriptions)
            raise UsageError(
                f"{title}: bands of {name} cannot be told from their names ({has}): write their names in file order "
                f"into {SIDECAR} in that folder, such as B02, B03, B04, B08"
            )
        return own
    words = [word for line in named.splitlines() for word in re.split(r"[,;\s]+", line.split("#")[0]) if word]
    order = tuple(LEAVE_OUT if word == LEAVE_OUT else _band(word) for word in words)
    if unknown := [word for word, band in zip(words, order, strict=True) if not band]:
        raise UsageError(f"{title}: {SIDECAR} names {unknown[0]!r}: use {', '.join(BANDS)}, or - to leave a band out")
    real = [band for band in order if band != LEAVE_OUT]
    if not real or len(set(real)) < len(real):
        raise UsageError(f"{title}: {SIDECAR} must name every band once")
    return order


def _agree(descriptions: Sequence[str | None], order: tuple[str, ...]) -> bool:
    """Whether a file has as many bands, and no name in it says otherwise."""
    own = [_band(text or "") for text in descriptions]
    return len(own) == len(order) and all(
        band in ("", wanted) or wanted == LEAVE_OUT for band, wanted in zip(own, order, strict=True)
    )


def _normal(descriptions: Sequence[str | None]) -> tuple[str, ...] | None:
    """Band names of a file; None where one is missing, no band of Sentinel-2, or there twice."""
    bands = tuple(_band(text or "") for text in descriptions)
    return bands if all(bands) and len(set(bands)) == len(bands) else None


def _band(text: str) -> str:
    """`B02`, `B2`, `B02 blue`, `B4, central wavelength 665 nm` by the name that senbench has; `Band 2` is none: ""."""
    match = re.match(r"\s*B0?(\d{1,2})(A?)(?![0-9A-Z])", text, re.IGNORECASE)
    band = f"B{match[1]}A" if match and match[2] else f"B{int(match[1]):02d}" if match else ""
    return band if band in BANDS else ""
