"""Reads Sentinel-2 GeoTIFFs from bytes: simple files without GDAL, all others by rasterio.

For simple files the values are bit for bit those of rasterio, as tests check, in a twentieth of the time.
"""

from __future__ import annotations

import struct
import warnings
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets.readers import product_metadata
from senbench.datasets.readers.pixel_rules import (
    DIGITAL_TYPES,
    HIGHEST,
    MOST_IMPOSSIBLE,
    PixelHeader,
    band_name,
    digital,
    impossible,
    impossible_share,
)
from senbench.datasets.tiles import OR_SKIP, TileError
from senbench.errors import brief
from senbench.io.zip_member import is_bomb

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from senbench.datasets.readers.product_metadata import ProductFacts
    from senbench.datasets.readers.sources import TileFile

SIDE = 120
"""Pixels per side of a 10 m band, to which coarser bands are upsampled."""

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _SAMPLES = 256, 257, 258, 259, 262, 273, 277
_COUNTS, _FORMAT, _NODATA = 279, 339, 42113
_KNOWN = {_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _OFFSETS, _SAMPLES, 278, _COUNTS, 284, _FORMAT, _NODATA}
_SCALE, _TIE, _TRANSFORMATION, _KEYS, _KEY_DOUBLES, _KEY_TEXT = 33550, 33922, 34264, 34735, 34736, 34737
_PIXEL_IS_AREA = struct.pack("<4H", 1025, 0, 1, 1)
"""GeoKey which states that coordinates refer to a pixel's corner."""
_SIZES = {2: 1, 3: 2, 4: 4, 12: 8}
_ORIENTATION = (struct.pack("<HHI", 274, 3, 1), struct.pack(">HHI", 274, 3, 1))
"""First bytes of the directory entry for the orientation, in either byte order."""
_ITEMS = {"complex_int16": 4}
"""Size in bytes of GDAL's types that NumPy lacks."""
_CODES = {3: "H", 4: "I"}
"""Type of a value (ASCII, SHORT, LONG, DOUBLE) -> its bytes; of a whole number -> its code in `struct`."""
_GEO = {_SCALE, _TIE, _TRANSFORMATION, _KEYS, _KEY_DOUBLES, _KEY_TEXT}
_ONE = {_COMPRESSION: 1, _PHOTOMETRIC: 1, _SAMPLES: 1, _FORMAT: 1, _BITS: 16}
"""Tag -> value of a simple file: uncompressed, black is zero, one sample, unsigned, 16 bits."""


def band(file: TileFile, side: int, what: str, name: str = "") -> NDArray[np.uint16]:
    """Decode one band and upsample it to 120x120 pixels, bilinearly, if it is coarser.

    Args:
        file: The GeoTIFF file: one band of uint16.
        side: Pixels per side that the file must have: 120, 60 or 20.
        what: Description of the file, for messages.
        name: Expected band, compared if the file names its band; empty for any.

    Returns:
        Digital numbers, uint16 (120, 120), equal to those that `rasterio` reads with `out_shape=(120, 120)` and
        bilinear resampling.

    Raises:
    TileError: The file is empty, truncated or not a TIFF, or has other than one band of uint16, another
        size, or another band.
    """
    plain = None if file.beside else _plain(file.data)
    if plain is None:
        return _by_rasterio(file, side, what, name)
    pixels, nodata = plain
    height, width = pixels.shape
    _check_size(width, height, side, what)
    if pixels.max() > HIGHEST and (share := impossible_share(pixels)) > MOST_IMPOSSIBLE:
        raise TileError(f"{what}: {impossible(share)}; {OR_SKIP}")
    if side == SIDE:
        return pixels if nodata is None or nodata == 0 else np.where(pixels == nodata, np.uint16(0), pixels)
    if nodata is not None and (pixels == nodata).any():
        return _by_rasterio(file, side, what, name)  # resampling excludes such pixels
    return enlarge(pixels, SIDE // side)


def enlarge(pixels: NDArray[np.uint16], factor: int) -> NDArray[np.uint16]:
    """Upsample an image bilinearly by an integer factor, with repeated edges, rounding half up, as GDAL does.

    GDAL sums in double precision and rounds to float32 and then to integers. The weights are integer multiples of
    1 / (2 x factor), so that integer arithmetic gives the same values for factors up to 6.

    Args:
        pixels: uint16 (H, W).
        factor: 2 to 6, even.

    Returns:
        uint16 (H x factor, W x factor).
    """
    total = _stretch(_stretch(pixels.astype(np.int32), factor).T, factor).T
    whole = 4 * factor * factor
    return ((total + whole // 2) // whole).astype(np.uint16)


def _stretch(values: NDArray[np.int32], factor: int) -> NDArray[np.int32]:
    """Interpolate along the first axis; the result is multiplied by 2 x factor."""
    n = len(values)
    padded = np.pad(values, ((1, 1), (0, 0)), mode="edge")
    out = np.empty((n * factor, values.shape[1]), np.int32)
    for phase in range(factor):
        off = 2 * phase + 1 - factor  # offset from the centre of the source pixel, in units of 1 / (2 x factor)
        neighbour = padded[2:] if off > 0 else padded[:n]
        out[phase::factor] = (2 * factor - abs(off)) * values + abs(off) * neighbour
    return out


def _plain(data: bytes) -> tuple[NDArray[np.uint16], float | None] | None:
    """Return pixels and no-data value of an uncompressed image in contiguous strips; None for anything else."""
    try:
        entries, end = _directory(data)
        if struct.unpack_from("<I", data, end) != (0,) or entries.keys() - _KNOWN - _GEO:
            return None
        if any(_numbers(data, entries[tag]) != (value,) for tag, value in _ONE.items() if tag in entries):
            return None
        (width,), (height,) = _numbers(data, entries[_WIDTH]), _numbers(data, entries[_HEIGHT])
        offsets, counts = _numbers(data, entries[_OFFSETS]), _numbers(data, entries[_COUNTS])
        if _BITS not in entries or sum(counts) != 2 * width * height or not offsets[0]:
            return None
        if any(a + c != b for a, c, b in zip(offsets, counts, offsets[1:], strict=False)):
            return None
        pixels = np.frombuffer(data, "<u2", width * height, offsets[0]).reshape(height, width)
        nodata = float(_value(data, entries[_NODATA]).split(b"\0")[0]) if _NODATA in entries else None
        return pixels, nodata
    except (struct.error, ValueError, KeyError):
        return None


HEAD = 4096
"""Number of first bytes that contain the directory and the position of nearly every GeoTIFF of one tile."""


class Extent(NamedTuple):
    """Where a tile lies, in its own projection; edges of pixels."""

    projection: bytes
    """Its projection as the bytes of its GeoKeys."""
    left: float
    top: float
    right: float
    bottom: float


def extent(head: bytes) -> Extent | None:
    """Where a plain GeoTIFF lies.

    Args:
        head: At least the first bytes of the file.

    Returns:
        Its extent; None: it has no position, or one to be read by rasterio (rotated, of pixel centres, beyond the bytes
        given).
    """
    try:
        entries, _ = _directory(head)
        if _TRANSFORMATION in entries or entries[_SCALE][:2] != (12, 3) or entries[_TIE][:2] != (12, 6):
            return None
        (width,), (height,) = _numbers(head, entries[_WIDTH]), _numbers(head, entries[_HEIGHT])
        wide, high, _ = struct.unpack("<3d", _value(head, entries[_SCALE]))
        column, row, _, x, y, _ = struct.unpack("<6d", _value(head, entries[_TIE]))
        keys = _value(head, entries[_KEYS])
        if _PIXEL_IS_AREA not in keys:
            return None
        projection = b"".join([keys, *(_value(head, entries[t]) for t in (_KEY_DOUBLES, _KEY_TEXT) if t in entries)])
    except (struct.error, KeyError):
        return None
    left, top = x - column * wide, y + row * high
    return Extent(projection, left, top, left + wide * width, top - high * height)


def centre(head: bytes) -> tuple[bytes, float, float] | None:
    """Projection of a plain GeoTIFF, as the bytes of its GeoKeys, and x and y of its centre; None as of `extent`.

    Args:
        head: At least the first bytes of the file.
    """
    found = extent(head)
    return found and (found.projection, (found.left + found.right) / 2, (found.top + found.bottom) / 2)


def _directory(data: bytes) -> tuple[dict[int, tuple[int, int, bytes]], int]:
    """Return type, count and value field of each entry by tag, and the end of the directory; may raise struct.error."""
    if data[:4] != b"II*\0":
        raise struct.error("no little-endian TIFF")
    (start,) = struct.unpack_from("<I", data, 4)
    (n,) = struct.unpack_from("<H", data, start)
    end = start + 2 + 12 * n
    entries = struct.iter_unpack("<HHI4s", data[start + 2 : end])
    return {tag: (kind, count, field) for tag, kind, count, field in entries}, end


def _value(data: bytes, entry: tuple[int, int, bytes]) -> bytes:
    """Return the bytes of an entry's values, which are inside the entry if at most four; may raise struct.error."""
    kind, count, field = entry
    size = count * _SIZES[kind]
    (at,) = struct.unpack("<I", field)
    values = field[:size] if size <= 4 else data[at : at + size]
    if len(values) < size:
        raise struct.error("beyond the bytes given")
    return values


def _numbers(data: bytes, entry: tuple[int, int, bytes]) -> tuple[int, ...]:
    """Return the values of an entry of type SHORT or LONG."""
    kind, count, _ = entry
    return struct.unpack(f"<{count}{_CODES[kind]}", _value(data, entry))


_DRIVERS = {
    (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"): "GTiff",
    (b"\0\0\0\x0cjP", b"\xffO\xffQ"): "JP2OpenJPEG",
    (b"\x89PNG",): "PNG",
    (b"\xff\xd8\xff",): "JPEG",
    (b"RIFF",): "WEBP",
    (b"GIF8",): "GIF",
    (b"BM",): "BMP",
    (b"P5", b"P6"): "PNM",
}
"""First bytes of a file -> GDAL's driver."""


def driver(head: bytes) -> str:
    """Return GDAL's driver for a file by its first bytes; GTiff if unknown."""
    return next((name for begins, name in _DRIVERS.items() if head.startswith(begins)), "GTiff")


def header(file: Any) -> PixelHeader:
    """Return the pixel header of an opened rasterio dataset."""
    structure, kinds = file.tags(ns="IMAGE_STRUCTURE"), sorted(set(file.dtypes))
    bits = file.tags(1, ns="IMAGE_STRUCTURE").get("NBITS") or structure.get("NBITS")
    masks = {flag.name for flags in file.mask_flag_enums for flag in flags} - {"all_valid"}
    return PixelHeader(
        dtype=kinds[0] if len(kinds) == 1 else " and ".join(kinds),
        size=(file.height, file.width),
        names=file.descriptions,
        colours=tuple(colour.name for colour in file.colorinterp),
        nodata=file.nodata,
        masks=tuple(sorted(masks)),
        bits=int(bits) if bits else None,
        white_is_zero=structure.get("MINISWHITE") == "YES",
        colour_space=structure.get("SOURCE_COLOR_SPACE", ""),
    )


def told(file: Any, names: Iterable[str] = ()) -> ProductFacts:
    """Return scale, offset and level from the tags of an opened rasterio dataset.

    Args:
        file: The dataset.
        names: Names of the file and its folders, from the inside out.
    """
    pairs = zip(file.scales, file.offsets, strict=True)
    whole = all(kind.startswith(("uint", "int")) for kind in file.dtypes)
    tags: dict[str, dict[str, None]] = {}
    for place in range(file.count + 1):  # of the file, and of each band
        for key, text in file.tags(place).items():
            tags.setdefault(key, {})[text] = None
    return product_metadata.told(
        {key: ", ".join(texts) for key, texts in tags.items()}, names, pairs, whole_numbers=whole
    )


def orientation(data: bytes) -> int:
    """Return the orientation of a TIFF, 1 to 8 as in EXIF; 1 (first row on top) if not stated."""
    if not any(entry in data for entry in _ORIENTATION):
        return 1
    from PIL import Image

    said = Image.Exif()
    try:
        said.load(b"Exif\0\0" + data)
        value = said.get(274, 1)
    except Exception:  # PIL raises various exceptions for damaged files; reading the pixels will report them
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(data: bytes, what: str) -> None:
    """Raise TileError for rotated or mirrored digital numbers, whose bands and positions would not match."""
    if (orientation_value := orientation(data)) != 1:
        raise TileError(
            f"{what}: is stored rotated or mirrored (orientation {orientation_value}): "
            f"write it with the first row on top; {OR_SKIP}"
        )


def stored(
    file: Any, places: Sequence[int], part: tuple[int, int, int, int] | None = None
) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return stored values of some bands, and where they are missing: masked, transparent, no data, NaN, or 0.

    Args:
        file: rasterio's dataset.
        places: Positions of the bands, from 0.
        part: Rows and columns that are read: top, bottom, left, right, ends not included; None: all.

    Returns:
        Both (B, H, W).
    """
    bands = [place + 1 for place in places]
    window = None if part is None else (part[:2], part[2:])
    values = file.read(bands, window=window)
    missing = values == 0
    if file.nodata is not None or any(int(flag) & 6 for flags in file.mask_flag_enums for flag in flags):
        missing |= file.read_masks(bands, window=window) == 0
    if values.dtype.kind == "f":
        missing |= ~np.isfinite(values)
    return values, missing


def numbers(file: Any, places: Sequence[int], what: str) -> NDArray[np.uint16]:
    """Return digital numbers of some bands of a published tile, by the rules for all files.

    Args:
        file: rasterio's dataset.
        places: Positions of the bands, from 0.
        what: What it is, for messages.

    Returns:
        uint16 (B, H, W), without offset; no data is 0.

    Raises:
        TileError: The values are not digital numbers, or scale, offset or values are impossible.
    """
    facts = told(file)
    if (kind := file.dtypes[0]) not in DIGITAL_TYPES or facts.doubt:
        doubt = facts.doubt or f"values are {kind}, expected uint16 DN"
        raise TileError(f"{what}: {doubt}; {OR_SKIP}")
    if facts.offset is None and facts.source != "no metadata of it":
        raise TileError(f"{what}: {facts.source}; {OR_SKIP}")
    values, missing = stored(file, places)
    return checked(values, missing, facts, facts.offset or 0, what)


def checked(
    values: NDArray[Any], missing: NDArray[np.bool_], facts: ProductFacts, offset: int, what: str
) -> NDArray[np.uint16]:
    """Convert stored values to digital numbers; TileError if too many of them are impossible."""
    dn = digital(values, missing, facts.gain)
    if (share := impossible_share(dn)) > MOST_IMPOSSIBLE:
        raise TileError(f"{what}: {impossible(share)}; {OR_SKIP}")
    return dn if not offset and facts.gain == 1 else digital(values, missing, facts.gain, offset)


@contextmanager
def opened(tile: TileFile, what: str) -> Iterator[Any]:
    """Open a raster file in memory, with its sidecar files only.

    Args:
        tile: The file.
        what: What it is, for messages.

    Yields:
        rasterio's dataset.

    Raises:
        TileError: The file is empty, not a raster, damaged (also if noticed inside the context), or has several pages.
    """
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.io import MemoryFile

    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)
    if not tile.data:  # MemoryFile would open it for writing
        raise TileError(f"{what}: the file is empty; {OR_SKIP}")
    try:
        with ExitStack() as stack:
            memory = stack.enter_context(MemoryFile(tile.data, filename="tile"))
            folder = memory.name.split("/")[2]
            for suffix, data in tile.beside.items():
                stack.enter_context(MemoryFile(data, dirname=folder, filename=f"tile{suffix}"))
            file = stack.enter_context(memory.open(driver=driver(tile.data[:12])))
            single(file, len(tile.data), what)
            yield file
    except TileError:
        raise
    except Exception as error:  # rasterio and GDAL raise various exceptions for damaged files
        raise TileError(f"{what}: cannot be decoded: {brief(error)}; {OR_SKIP}") from error


def single(file: Any, size: int, what: str) -> None:
    """Raise TileError for a file with several pages, or one that unpacks to far more than its size."""
    values = file.width * file.height * sum(_ITEMS.get(kind) or np.dtype(kind).itemsize for kind in file.dtypes)
    if is_bomb(size, values):
        raise TileError(f"{what}: takes {size:,} bytes and would unpack to {values:,}; {OR_SKIP}")
    if pages := len(file.subdatasets):
        raise TileError(f"{what}: holds {pages} pages, of which one at most can be the tile: give it alone; {OR_SKIP}")


def _by_rasterio(tile: TileFile, side: int, what: str, name: str) -> NDArray[np.uint16]:
    from rasterio.enums import Resampling

    upright(tile.data, what)
    with opened(tile, what) as file:
        if file.count != 1 or file.dtypes[0] not in DIGITAL_TYPES:
            raise TileError(f"{what}: {file.count} band(s) of {file.dtypes[0]}, expected one of uint16 (DN); {OR_SKIP}")
        _check_size(file.width, file.height, side, what)
        if name and (stated_band := band_name(file.descriptions[0])) not in ("", name):
            raise TileError(
                f"{what}: says that it is band {stated_band} ({file.descriptions[0]}), not {name}; {OR_SKIP}"
            )
        dn: NDArray[np.uint16] = numbers(file, (0,), what)[0]
        facts = told(file)
        if side == SIDE:
            return dn
        if file.dtypes[0] != "uint16" or facts.gain != 1 or facts.offset or "per_dataset" in header(file).masks:
            return enlarge(dn, SIDE // side)
        read = file.read(indexes=1, out_shape=(SIDE, SIDE), out_dtype="int32", resampling=Resampling.bilinear)
        values: NDArray[np.uint16] = np.where(read == (file.nodata or 0), 0, read).astype(np.uint16)
        return values


def _check_size(width: int, height: int, side: int, what: str) -> None:
    if (width, height) != (side, side):
        raise TileError(f"{what}: {width}x{height} pixels, expected {side}x{side}; {OR_SKIP}")
