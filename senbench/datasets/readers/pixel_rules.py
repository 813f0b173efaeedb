"""Rules for interpreting the values of raster files by their header: bit depth, bands, no data, impossible values.

All readers use these rules: for 8-bit images, digital numbers, EuroSAT and BigEarthNet. The functions are pure; if a
header does not state something, they raise a `ValueError` that says what to do, to which the reader adds the file.
Scale and offset are in `product_metadata`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.schema.terms import BANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

VERSION = 2
"""Version of the rules; increase it if a rule changes pixels, so that cached rows and packed tiles are made again."""
LOOKED_AT = 64
"""Number of tiles sampled for a result's facts about pixels."""
SIDECAR = "bands.txt"
"""File in a folder of tiles that names their bands in file order if the tiles do not."""
LEAVE_OUT = "-"
"""Marks an unused band in this file."""
DIGITAL_TYPES = ("uint16", "int16", "uint32", "int32", "float32", "float64")
"""Dtypes of digital numbers or reflectance; uint8 is a picture."""
HIGHEST = 32_767
"""Digital numbers above this (reflectance 3.3) are negative values that were stored without their sign."""
SATURATED = 65_535
"""The only larger value that products contain: a saturated pixel."""
MOST_IMPOSSIBLE = 0.01
"""Share of such values above which a tile is rejected."""

RED_GREEN_BLUE = ("B04", "B03", "B02")
_COLOURS = dict(zip(("red", "green", "blue"), RED_GREEN_BLUE, strict=True))
_COMMON = {
    **_COLOURS,
    "coastal": "B01",
    "coastalaerosol": "B01",
    "aerosol": "B01",
    "rededge1": "B05",
    "rededge2": "B06",
    "rededge3": "B07",
    "rededge071": "B05",
    "rededge075": "B06",
    "rededge078": "B07",
    "nir": "B08",
    "nir08": "B8A",
    "nir09": "B09",
    "watervapour": "B09",
    "watervapor": "B09",
    "cirrus": "B10",
    "swir1": "B11",
    "swir16": "B11",
    "swir2": "B12",
    "swir22": "B12",
}
"""Common names of bands, as in STAC, in lower case without punctuation."""
DIGITAL_RULES = {
    "bit depth": "uint16, or what a tile's own tags bring to it: digital numbers",
    "bands": "names of the bands, else EuroSAT's order",
    "scale": "tags of each tile, else 10,000 is reflectance 1",
    "offset": "tags of each tile, else 0 DN",
    "sign": "values below 0 become 0; over 1 % above 32,767 DN, a tile is not read",
    "no data": "0, and what each tile masks or names",
}
"""Decisions about published digital numbers, made tile by tile on reading."""
_AV1 = re.compile(rb"av1C..(.)", re.DOTALL)
"""Configuration of a picture in an AVIF, whose third byte states whether it has 10 or 12 bits."""
_PNM = re.compile(rb"P[2356](?:\s+(?:#[^\n]*\n\s*)*\d+){2}\s+(?:#[^\n]*\n\s*)*(\d{1,5})\s")
"""Header of a PNM up to its maximum value."""
_NAME = re.compile(r"(?<![0-9A-Z])B0?(\d{1,2})(A?)(?![0-9A-Z])", re.IGNORECASE)
_PLACE = re.compile(r"(?:b|band|channel|layer|ch)?[\s_.-]*([1-9]\d*)", re.IGNORECASE)


class PixelHeader(NamedTuple):
    """Facts about the pixels of a raster file from its header."""

    dtype: str
    """Type of its values, as NumPy names it; several with ` and ` between."""
    size: tuple[int, int]
    """Height and width in pixels."""
    names: tuple[str | None, ...]
    """Description of each band."""
    colours: tuple[str, ...]
    """Colour interpretation of each band, as GDAL names it: `red`, `gray`, `alpha`, `undefined`, ..."""
    nodata: float | None
    """No-data value."""
    masks: tuple[str, ...]
    """How masks are stored: `per_dataset` (in the file), `alpha`, `nodata`; empty for none."""
    bits: int | None
    """Bits per value if fewer than the dtype has (1, 4, 12)."""
    white_is_zero: bool
    """Whether 0 is white."""
    colour_space: str = ""
    """Colour space that GDAL converted to RGB: `CMYK`, `YCbCr`, `CIELAB`; empty for RGB."""

    @property
    def shown(self) -> tuple[int, ...]:
        """Return the positions of the bands other than alpha, from 0."""
        return tuple(i for i, colour in enumerate(self.colours) if colour != "alpha")


def band_name(text: str | None) -> str:
    """Return the Sentinel-2 band that a name denotes.

    Args:
        text: `B02`, `b2`, `B8A`, `B04_10m`, `B02 blue`, `B4, central wavelength 665 nm`, `red`, ...

    Returns:
        The band as senbench names it; empty for no band (`Band 2`, `SCL`), or several.
    """
    if not text:
        return ""
    bands = {f"B{m[1]}A" if m[2] else f"B{int(m[1]):02d}" for m in _NAME.finditer(text.replace("_", " "))}
    if bands:
        return bands.pop() if len(bands) == 1 and bands <= set(BANDS) else ""
    plain = re.sub(r"[^a-z0-9]", "", re.split(r"[(,]", text.lower())[0])
    return _COMMON.get(plain, "")


def positional(names: Sequence[str | None]) -> bool:
    """Return whether names only number the bands: `b1, b2, b3`, `Band 1`, `1`, or no names at all.

    `B1, B2, B3, B4` in that order count as numbers too, since exporters write them for any bands.
    """
    places = [_PLACE.fullmatch(name.strip()) if name else None for name in names]
    return not any(names) or all(p is not None and int(p[1]) == i for i, p in enumerate(places, 1))


def bands_by_name(names: Sequence[str | None]) -> tuple[str, ...] | None:
    """Return the bands that names denote; None if a name is missing, repeated, not a band, or only a number."""
    bands = tuple(map(band_name, names))
    return bands if all(bands) and len(set(bands)) == len(bands) and not positional(names) else None


def bands_of_sidecar(text: str) -> tuple[str, ...]:
    """Parse the bands in file order from `bands.txt`, `-` for unused bands.

    Raises:
        ValueError: A name is not a band, a band is named twice, or there is none.
    """
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    names = [word for line in lines for word in re.split(r"[,;\s]+", line) if word]
    order = tuple(LEAVE_OUT if word == LEAVE_OUT else band_name(word) for word in names)
    if unknown := [word for word, band in zip(names, order, strict=True) if not band]:
        raise ValueError(f"{SIDECAR} names {unknown[0]!r}: use {', '.join(BANDS)}, or - to leave a band out")
    real = [band for band in order if band != LEAVE_OUT]
    if not real or len(set(real)) < len(real):
        raise ValueError(f"{SIDECAR} must name every band once")
    return order


def digital_order(header: PixelHeader) -> tuple[str, ...]:
    """Return the bands of a file of digital numbers in file order, `-` for alpha, by its names or else its colours.

    Raises:
        ValueError: Neither identifies the bands.
    """
    shown = header.shown
    bands = bands_by_name([header.names[i] for i in shown])
    if bands is None and positional([header.names[i] for i in shown]):
        colours = tuple(_COLOURS.get(header.colours[i], "") for i in shown)
        bands = colours if sorted(colours) == sorted(RED_GREEN_BLUE) else None
    if bands is None:
        has = ", ".join(header.names[i] or "no name" for i in shown)
        raise ValueError(
            f"cannot be identified by their names ({has}): write their names in file order into {SIDECAR} in that "
            "folder, such as B02, B03, B04, B08"
        )
    by_place = dict(zip(shown, bands, strict=True))
    return tuple(by_place.get(i, LEAVE_OUT) for i in range(len(header.names)))


def agrees(header: PixelHeader, order: tuple[str, ...]) -> bool:
    """Return whether a file has this number of bands (apart from alpha), and no name in it contradicts."""
    if len(order) != len(header.names):
        return False
    bands = [""] * len(order) if positional(header.names) else [band_name(name) for name in header.names]
    return all(band in ("", wanted) or wanted == LEAVE_OUT for band, wanted in zip(bands, order, strict=True))


def picture_places(header: PixelHeader, order: tuple[str, ...] = ()) -> tuple[tuple[int, ...], str]:
    """Return which bands of an 8-bit file are red, green and blue.

    Args:
        header: The file's header.
        order: Bands in file order if the user named them; otherwise empty.

    Returns:
        Positions from 0, three or one (grey, or an index into a palette), and the source of this decision.

    Raises:
    ValueError: The file does not identify them.
    """
    shown = header.shown
    names = [header.names[i] for i in shown]
    if order:
        if len(order) not in (len(shown), len(header.names)):
            raise ValueError(f"has {len(shown)} bands, {SIDECAR} names {len(order)}: name each of them once")
        bands: Sequence[str] = order
        source = SIDECAR
    elif any(names) and not positional(names):
        bands, source = [band_name(name) for name in names], "names of the bands"
        if not any(bands) and len(names) > 1:
            has = ", ".join(name or "no name" for name in names)
            raise ValueError(f"has bands {has}, which are none of {', '.join(BANDS)}: name them in {SIDECAR}")
    else:
        bands, source = [_COLOURS.get(header.colours[i], "") for i in shown], "colours of the bands"
    if any(bands):
        if not set(RED_GREEN_BLUE) <= set(bands):
            has = ", ".join(band or "no name" for band in bands)
            raise ValueError(f"has bands {has}: a picture needs each of {', '.join(RED_GREEN_BLUE)} once")
        if any(list(bands).count(band) > 1 for band in RED_GREEN_BLUE):
            raise ValueError(f"names a band twice ({', '.join(bands)}): name each once in {SIDECAR}")
        return tuple(shown[list(bands).index(band)] for band in RED_GREEN_BLUE), source
    if len(shown) == 1:
        return shown, "one band"
    if len(shown) == 3:
        return shown, "order of 8-bit images"
    raise ValueError(
        f"has {len(shown)} 8-bit bands without names: write their names in file order into {SIDECAR} in that "
        "folder, such as B02, B03, B04, B08"
    )


def bit_depth(header: PixelHeader) -> str:
    """Return `8-bit` for pictures, or `digital` for values that a radiometry must render.

    Raises:
        ValueError: The values are of another kind.
    """
    if header.dtype == "uint8":
        if header.colour_space not in ("", "YCbCr", "CMYK"):
            raise ValueError(
                f"has colours of {header.colour_space}, of which there is more than one: convert it to RGB"
            )
        return "8-bit"
    if header.dtype in DIGITAL_TYPES:
        if header.white_is_zero:
            raise ValueError(f"has {header.dtype} values of which 0 is white: digital numbers have 0 as the darkest")
        return "digital"
    raise ValueError(f"has {header.dtype} values: give uint16 digital numbers, or 8-bit RGB")


def widened(values: NDArray[np.uint8], bits: int | None) -> NDArray[np.uint8]:
    """Scale grey values of fewer than 8 bits to 0..255, as PNG does: the highest value is white.

    Args:
        values: As stored, any shape.
        bits: Bits of a value; None: 8.
    """
    if bits is None or bits >= 8:
        return values
    most = (1 << bits) - 1
    return ((values.astype(np.uint16) * 255 + most // 2) // most).astype(np.uint8)


def bits_beyond_8(data: bytes) -> int | None:
    """Return the bits per channel of an image file with more than 8; otherwise None.

    Args:
        data: A PNG, AVIF or PNM, whole or its beginning up to the pixels.
    """
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        bits = data[24] if len(data) > 24 else 0
    elif data[4:8] == b"ftyp":
        deep = [match[1][0] for match in _AV1.finditer(data.partition(b"mdat")[0])]
        bits = max((12 if flags & 0x20 else 10 for flags in deep if flags & 0x40), default=8)
    elif match := _PNM.match(data):
        bits = int(match[1]).bit_length()
    else:
        return None
    return bits if bits > 8 else None


def impossible_share(dn: NDArray[np.uint16]) -> float:
    """Return the share of impossible digital numbers: negative values that were stored without their sign.

    Args:
        dn: Digital numbers before the offset is subtracted, any shape.
    """
    if not dn.size or dn.max() <= HIGHEST:
        return 0.0
    return float(np.count_nonzero((dn > HIGHEST) & (dn != SATURATED)) / dn.size)


def impossible(share: float) -> str:
    """Return the message about a share of impossible values."""
    return (
        f"{100 * share:.1f} % of the values lie above {HIGHEST:,} DN (reflectance 3.3), as values below 0 do that were "
        "written without a sign: write them anew as int16, or with values below 0 set to 0; 16-bit pictures as 8-bit"
    )


def digital(values: NDArray[Any], missing: NDArray[np.bool_], gain: float = 1.0, offset: int = 0) -> NDArray[np.uint16]:
    """Convert stored values to digital numbers: 10,000 is reflectance 1; no data and negative values become 0.

    Args:
        values: As stored, any shape.
        missing: Mask of no data, the same shape.
        gain: Digital numbers per stored unit.
        offset: Digital numbers subtracted after that.

    Returns:
        uint16, the same shape.
    """
    if gain == 1.0 and values.dtype.kind in "iu":
        dn = values.astype(np.int64) - offset
    else:
        dn = np.floor(np.where(missing, 0, values).astype(np.float64) * gain - offset + 0.5)
    numbers = np.clip(dn, 0, 65535).astype(np.uint16)
    numbers[missing] = 0
    return numbers
