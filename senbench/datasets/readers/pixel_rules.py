"""What the numbers of a raster file mean: bit depth, bands, no data and values that cannot be, from its header alone.

Every path that reads rasters asks here: 8-bit images, digital numbers, EuroSAT and BigEarthNet. Functions are pure;
what a header does not tell is a `ValueError` whose text says what to do, and the reader adds which file it is. Scale
and offset are in `product_metadata`.
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
"""Raised where a rule makes other pixels of the same file: what was kept of it (rows, packed tiles) is made anew."""
LOOKED_AT = 64
"""Tiles that are looked at for what a result tells of the pixels."""
SIDECAR = "bands.txt"
"""File in a folder of tiles that names their bands in file order, where the files do not."""
LEAVE_OUT = "-"
"""Stands in it for a band that is not used."""
DIGITAL_TYPES = ("uint16", "int16", "uint32", "int32", "float32", "float64")
"""Types of values that can be digital numbers or reflectance; uint8 is a picture."""
HIGHEST = 32_767
"""Digital numbers above it (reflectance 3.3) are values below 0 that were written without a sign."""
SATURATED = 65_535
"""The one value above it that products have: a saturated pixel."""
MOST_IMPOSSIBLE = 0.01
"""Share of such values from which a tile is not read."""

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
"""Common names of bands, as STAC and others have them, in lower case without marks."""
DIGITAL_RULES = {
    "bit depth": "uint16, or what a tile's own tags bring to it: digital numbers",
    "bands": "names of the bands, else EuroSAT's order",
    "scale": "tags of each tile, else 10,000 is reflectance 1",
    "offset": "tags of each tile, else 0 DN",
    "sign": "values below 0 become 0; over 1 % above 32,767 DN, a tile is not read",
    "no data": "0, and what each tile masks or names",
}
"""What is decided of published digital numbers, tile by tile as they are read."""
_AV1 = re.compile(rb"av1C..(.)", re.DOTALL)
"""Configuration of a picture in an AVIF: the third byte says whether it has 10 or 12 bits."""
_PNM = re.compile(rb"P[2356](?:\s+(?:#[^\n]*\n\s*)*\d+){2}\s+(?:#[^\n]*\n\s*)*(\d{1,5})\s")
"""Header of a PNM up to its highest value."""
_NAME = re.compile(r"(?<![0-9A-Z])B0?(\d{1,2})(A?)(?![0-9A-Z])", re.IGNORECASE)
_PLACE = re.compile(r"(?:b|band|channel|layer|ch)?[\s_.-]*([1-9]\d*)", re.IGNORECASE)


class PixelHeader(NamedTuple):
    """What a raster file tells of its pixels before they are read."""

    dtype: str
    """Type of its values, as NumPy names it; several with ` and ` between."""
    size: tuple[int, int]
    """Height and width in pixels."""
    names: tuple[str | None, ...]
    """Description of each band."""
    colours: tuple[str, ...]
    """Colour interpretation of each band, as GDAL names it: `red`, `gray`, `alpha`, `undefined`, ..."""
    nodata: float | None
    """Value that stands for no data."""
    masks: tuple[str, ...]
    """How masks are stored: `per_dataset` (in the file), `alpha`, `nodata`; empty for none."""
    bits: int | None
    """Bits of a value where they are fewer than its type has (1, 4, 12)."""
    white_is_zero: bool
    """Whether 0 is white."""
    colour_space: str = ""
    """What GDAL made red, green and blue of: `CMYK`, `YCbCr`, `CIELAB`; empty: they were that."""

    @property
    def shown(self) -> tuple[int, ...]:
        """Positions of the bands that are no alpha, from 0."""
        return tuple(i for i, colour in enumerate(self.colours) if colour != "alpha")


def band_name(text: str | None) -> str:
    """Sentinel-2 band that a name means.

    Args:
        text: `B02`, `b2`, `B8A`, `B04_10m`, `B02 blue`, `B4, central wavelength 665 nm`, `red`, ...

    Returns:
        The band as senbench names it; empty where it is none (`Band 2`, `SCL`), or several.
    """
    if not text:
        return ""
    found = {f"B{m[1]}A" if m[2] else f"B{int(m[1]):02d}" for m in _NAME.finditer(text.replace("_", " "))}
    if found:
        return found.pop() if len(found) == 1 and found <= set(BANDS) else ""
    plain = re.sub(r"[^a-z0-9]", "", re.split(r"[(,]", text.lower())[0])
    return _COMMON.get(plain, "")


def positional(names: Sequence[str | None]) -> bool:
    """Whether names only count the bands: `b1, b2, b3`, `Band 1`, `1`, or none at all.

    `B1, B2, B3, B4` in that order count too: exporters write them for bands of any kind.
    """
    places = [_PLACE.fullmatch(name.strip()) if name else None for name in names]
    return not any(names) or all(p is not None and int(p[1]) == i for i, p in enumerate(places, 1))


def bands_by_name(names: Sequence[str | None]) -> tuple[str, ...] | None:
    """Bands that names mean, in their order; None where one is missing, means no band, is there twice, or counts."""
    bands = tuple(map(band_name, names))
    return bands if all(bands) and len(set(bands)) == len(bands) and not positional(names) else None


def bands_of_sidecar(text: str) -> tuple[str, ...]:
    """Bands in file order as `bands.txt` names them, `-` for what is left out.

    Raises:
        ValueError: A name is no band, a band is named twice, or there is none.
    """
    lines = (line.split("#")[0].strip() for line in text.splitlines())
    words = [word for line in lines for word in re.split(r"[,;\s]+", line) if word]
    order = tuple(LEAVE_OUT if word == LEAVE_OUT else band_name(word) for word in words)
    if unknown := [word for word, band in zip(words, order, strict=True) if not band]:
        raise ValueError(f"{SIDECAR} names {unknown[0]!r}: use {', '.join(BANDS)}, or - to leave a band out")
    real = [band for band in order if band != LEAVE_OUT]
    if not real or len(set(real)) < len(real):
        raise ValueError(f"{SIDECAR} must name every band once")
    return order


def digital_order(header: PixelHeader) -> tuple[str, ...]:
    """Bands of a file of digital numbers in file order, `-` for alpha: by its names, else by its colours.

    Raises:
        ValueError: Neither tells.
    """
    shown = header.shown
    bands = bands_by_name([header.names[i] for i in shown])
    if bands is None and positional([header.names[i] for i in shown]):
        colours = tuple(_COLOURS.get(header.colours[i], "") for i in shown)
        bands = colours if sorted(colours) == sorted(RED_GREEN_BLUE) else None
    if bands is None:
        has = ", ".join(header.names[i] or "no name" for i in shown)
        raise ValueError(
            f"cannot be told from their names ({has}): write their names in file order into {SIDECAR} in that folder, "
            "such as B02, B03, B04, B08"
        )
    by_place = dict(zip(shown, bands, strict=True))
    return tuple(by_place.get(i, LEAVE_OUT) for i in range(len(header.names)))


def agrees(header: PixelHeader, order: tuple[str, ...]) -> bool:
    """Whether a file has as many bands (alpha apart), and no name in it says otherwise."""
    if len(order) != len(header.names):
        return False
    own = [""] * len(order) if positional(header.names) else [band_name(name) for name in header.names]
    return all(band in ("", wanted) or wanted == LEAVE_OUT for band, wanted in zip(own, order, strict=True))


def picture_places(header: PixelHeader, order: tuple[str, ...] = ()) -> tuple[tuple[int, ...], str]:
    """Which bands of an 8-bit file are red, green and blue.

    Args:
        header: The file's header.
        order: Bands in file order where the user named them; empty: not.

    Returns:
        Positions from 0, three or one (grey, or an index into a palette), and what that follows from.

    Raises:
        ValueError: The file does not tell.
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
        f"has {len(shown)} 8-bit bands without names: write their names in file order into {SIDECAR} in that folder, "
        "such as B02, B03, B04, B08"
    )


def bit_depth(header: PixelHeader) -> str:
    """`8-bit` for pictures, `digital` for what a radiometry must render.

    Raises:
        ValueError: Values of another kind.
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
    """Grey of fewer than 8 bits in the range 0..255, as PNG has it: the highest value is white.

    Args:
        values: As stored, any shape.
        bits: Bits of a value; None: 8.
    """
    if bits is None or bits >= 8:
        return values
    most = (1 << bits) - 1
    return ((values.astype(np.uint16) * 255 + most // 2) // most).astype(np.uint8)


def bits_beyond_8(data: bytes) -> int | None:
    """Bits of a channel of an image file that has more than 8; None: it has not, or its format cannot.

    Args:
        data: A PNG, AVIF or PNM, whole or its beginning up to the pixels.
    """
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        bits = data[24] if len(data) > 24 else 0
    elif data[4:8] == b"ftyp":
        deep = [found[1][0] for found in _AV1.finditer(data.partition(b"mdat")[0])]
        bits = max((12 if flags & 0x20 else 10 for flags in deep if flags & 0x40), default=8)
    elif found := _PNM.match(data):
        bits = int(found[1]).bit_length()
    else:
        return None
    return bits if bits > 8 else None


def impossible_share(dn: NDArray[np.uint16]) -> float:
    """Share of digital numbers that no sensor can have: values below 0 that were written without a sign.

    Args:
        dn: Digital numbers before the offset is subtracted, any shape.
    """
    if not dn.size or dn.max() <= HIGHEST:
        return 0.0
    return float(np.count_nonzero((dn > HIGHEST) & (dn != SATURATED)) / dn.size)


def impossible(share: float) -> str:
    """What is said of a share of impossible values."""
    return (
        f"{100 * share:.1f} % of the values lie above {HIGHEST:,} DN (reflectance 3.3), as values below 0 do that were "
        "written without a sign: write them anew as int16, or with values below 0 set to 0; 16-bit pictures as 8-bit"
    )


def digital(values: NDArray[Any], missing: NDArray[np.bool_], gain: float = 1.0, offset: int = 0) -> NDArray[np.uint16]:
    """Stored values to digital numbers: 10,000 is reflectance 1, no data and what lies below 0 are 0.

    Args:
        values: As stored, any shape.
        missing: Where there is no data, the same shape.
        gain: Digital numbers of one stored unit.
        offset: Subtracted after that, in digital numbers.

    Returns:
        uint16, the same shape.
    """
    if gain == 1.0 and values.dtype.kind in "iu":
        dn = values.astype(np.int64) - offset
    else:
        dn = np.floor(np.where(missing, 0, values).astype(np.float64) * gain - offset + 0.5)
    found = np.clip(dn, 0, 65535).astype(np.uint16)
    found[missing] = 0
    return found
