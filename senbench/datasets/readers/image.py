"""Decodes image bytes to uint8 RGB arrays; every error names the tile."""

from __future__ import annotations

import io
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets.channel_statistics import sample
from senbench.datasets.readers import geotiff, pixel_rules
from senbench.datasets.readers.pixel_rules import RED_GREEN_BLUE, SIDECAR
from senbench.datasets.readers.sources import Archive, Folder, MemberReader
from senbench.datasets.tiles import OR_SKIP, TileError
from senbench.errors import brief
from senbench.io.zip_member import is_bomb

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from senbench.datasets.readers.sources import Places, Source, TileFile

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "PPM", "AVIF")
"""Formats that PIL may read, regardless of the suffix; others run programs, or do not state their bit depth."""
IN_ORDER = "order of 8-bit images"
"""Source of red, green and blue if a file does not name its bands."""
_GREY, _PALETTE, _INKS = "grey, shown in all three", "colours of a palette", "four inks (CMYK)"
_COLOURS = {
    "RGB": "",
    "RGBA": "",
    "L": _GREY,
    "LA": _GREY,
    "1": "grey of 1 bit, widened to 8",
    "P": _PALETTE,
    "PA": _PALETTE,
    "CMYK": _INKS,
}
"""PIL modes with at most 8 bits per channel, and their conversion to RGB, which needs no stretch."""
_TURNED = ("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp")
"""Fields that may state the orientation of an image."""
_FLIPS = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}
"""Orientation -> steps along rows and columns, after swapping the axes for 5 to 8."""
_CHANNELS = {1: _GREY, 4: _INKS}
_FRAMES = {0xC0 + k for k in range(16)} - {0xC4, 0xC8, 0xCC}
"""JPEG markers that precede the size and the number of channels."""
RASTER = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\0\x0c", b"\xffO\xffQ")
"""First bytes of TIFF and JPEG 2000, whose bands, masks and depth only GDAL reports."""


class Picture(NamedTuple):
    """A decoded image."""

    pixels: NDArray[np.uint8]
    """RGB, uint8 (H, W, 3), writable, upright as its EXIF block says, 0 where there is no data."""
    missing: NDArray[np.bool_] | None
    """Mask of no-data pixels, bool (H, W), or None."""
    colours: str
    """How its colours were converted to RGB, for results; empty if they were RGB."""


class PictureReader(MemberReader):
    """Reads tiles that are 8-bit images of any format.

    Args:
        source: Folder, archive, or anything else with named bytes.
        names: Member of each tile.
        order: Bands in file order if the user named them; empty if the files do.
        side: Required height and width in pixels; None accepts any size.
        places: As in `MemberReader`.
    """

    def __init__(
        self,
        source: Source,
        names: tuple[str, ...],
        order: tuple[str, ...] = (),
        side: int | None = None,
        places: Places | None = None,
    ) -> None:
        super().__init__(source, names, places)
        self.order, self.side = order, side
        self.portable = side is not None and isinstance(source, Archive | Folder)
        self._form = f" 8-bit {pixel_rules.VERSION} {','.join(order)}".encode()

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Return the decoded image; transparent, masked and no-data pixels are 0."""
        decoded = self.seen(i)
        if decoded.missing is not None and decoded.missing.all():
            raise TileError(f"tile {self.title(i)}: it contains only no-data pixels; {OR_SKIP}")
        return decoded.pixels

    def seen(self, i: int) -> Picture:
        """Return the image with facts about it; raises TileError."""
        return picture(self.file(i), self.title(i), self.order, self.side)

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Return the content key, which includes the order of the bands and the version of the rules."""
        if self.source.sidecars:
            return super().key(i) + self._form
        return self.source.key(self.names[i]) + self._form  # tens of thousands

    def stamp(self, indices: Sequence[int], names: tuple[str, ...]) -> str:
        """State of the files, and what is made of them."""
        return f"{super().stamp(indices, names)}{self._form.decode()}"

    def facts(self, source: str = IN_ORDER) -> dict[str, Any]:
        """Return facts about the pixels for results, from evenly spaced tiles.

        JPEGs need not be decoded: the header states the number of channels, and there are no no-data pixels.

        Args:
            source: Source of the order of the bands.
        """
        looked, size, without = 0, 0, 0
        colours: Counter[str] = Counter()
        for i in sample(len(self.names), pixel_rules.LOOKED_AT):
            try:
                file = self.file(i)
                if (channels := jpeg_channels(file.data)) is not None and not file.beside:
                    looked, colours = looked + 1, colours + Counter([_CHANNELS.get(channels, "")])
                    continue
                decoded = picture(file, self.title(i), self.order, self.side)
            except TileError:
                continue
            looked, colours = looked + 1, colours + Counter([decoded.colours])
            size += decoded.pixels[..., 0].size
            without += 0 if decoded.missing is None else int(decoded.missing.sum())
        conversions = [
            f"; {conversion} ({n} of {looked} tiles looked at)"
            for conversion, n in sorted(colours.items())
            if conversion
        ]
        decisions = {
            "bit depth": "uint8: pictures, shown as they are",
            "bands": f"red, green, blue: {source}{''.join(conversions)}",
        }
        if without == 0:
            return {"pixels": {"decisions": decisions}}
        decisions["no data"] = "transparent, masked and no-data pixels, shown as 0"
        return {
            "nodata_share": round(without / size, 5),
            "values_seen_of": looked,
            "pixels": {"decisions": decisions},
        }


def picture(file: TileFile, tile: str, order: tuple[str, ...] = (), side: int | None = None) -> Picture:
    """Decode one 8-bit image.

    Args:
        file: The encoded file: JPEG, PNG, WebP, AVIF, BMP, GIF, PNM, TIFF or JPEG 2000.
        tile: Description of the tile, for messages.
        order: Bands in file order if the user named them; empty if the file does.
        side: Required height and width in pixels; None accepts any.

    Returns:
        The image with facts about it.

    Raises:
        TileError: The file is truncated, not an image, of another size, not 8-bit, contains several pictures,
            or its bands cannot be determined.
    """
    if file.data.startswith(RASTER):
        return _by_rasterio(file, tile, order, side)
    from PIL import Image, ImageOps

    with _decoding(file.data, tile), Image.open(io.BytesIO(file.data), formats=FORMATS) as opened:
        _check(opened, file.data, tile)
        _check_size(opened.width, opened.height, side, tile)
        if is_bomb(len(file.data), values := opened.width * opened.height * len(opened.getbands())):
            raise TileError(f"tile {tile}: takes {len(file.data):,} bytes and would unpack to {values:,}; {OR_SKIP}")
        opened.load()  # trailing chunks are known from here on
        colours = _COLOURS[opened.mode]
        image = _masked(opened, file, tile) if file.beside else opened
        if not opened.info.keys().isdisjoint(_TURNED):
            image = ImageOps.exif_transpose(image)
        missing = None
        if image.has_transparency_data:
            image = image.convert("RGBA")
            missing = np.asarray(image.getchannel("A")) == 0
        pixels = np.array(image if image.mode == "RGB" else image.convert("RGB"))
    if order:
        if len(order) != 3 or set(order) != set(RED_GREEN_BLUE):
            raise TileError(f"tile {tile}: has red, green and blue, {SIDECAR} names {', '.join(order)}; {OR_SKIP}")
        pixels = pixels[..., [order.index(band) for band in RED_GREEN_BLUE]]
    return _without(pixels, missing, colours)


def _masked(image: Image.Image, file: TileFile, tile: str) -> Image.Image:
    """Make the image transparent where its sidecar files mark no data."""
    from PIL import Image

    with geotiff.opened(file, f"tile {tile}") as raster:
        if not set(geotiff.header(raster).masks) - {"alpha"}:
            return image
        there = raster.dataset_mask() != 0
    whole = image.convert("RGBA")
    whole.putalpha(Image.fromarray(np.where(there, np.asarray(whole.getchannel("A")), np.uint8(0))))
    return whole


def _by_rasterio(file: TileFile, tile: str, order: tuple[str, ...], side: int | None) -> Picture:
    with geotiff.opened(file, f"tile {tile}") as raster:
        _check_size(raster.width, raster.height, side, tile)
        header = geotiff.header(raster)
        if "cyan" in header.colours:  # CMYK: not bands to choose from
            with _decoding(file.data, tile):
                return _inks(file.data)
        try:
            if pixel_rules.bit_depth(header) != "8-bit":
                raise ValueError(f"has {header.dtype} values, not 8-bit RGB: render it to 8-bit RGB")
            places, _ = pixel_rules.picture_places(header, order)
        except ValueError as error:
            raise TileError(f"tile {tile}: {error}; {OR_SKIP}") from error
        bands = [place + 1 for place in places]
        pixels, missing = raster.read(bands).transpose(1, 2, 0), None
        if header.masks:
            missing = (raster.read_masks(bands) == 0).all(axis=0)
        colours = _INKS if header.colour_space == "CMYK" else ""
        if len(places) == 1:
            colours = f"grey of {header.bits} bit, widened to 8" if header.bits else _GREY
        if header.colours[places[0]] == "palette":
            table = np.zeros((256, 4), np.uint8)
            for index, colour in raster.colormap(bands[0]).items():
                table[index] = colour
            pixels, colours = table[pixels[..., 0], :3], _PALETTE
        else:
            pixels = pixel_rules.widened(pixels, header.bits)
            if header.white_is_zero:
                pixels = 255 - pixels
    pixels, orientation_value = np.broadcast_to(pixels, (*pixels.shape[:2], 3)), geotiff.orientation(file.data)
    return _without(
        _upright(pixels, orientation_value), None if missing is None else _upright(missing, orientation_value), colours
    )


def _upright(values: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Apply EXIF's orientation to rows and columns, (H, W, ...)."""
    if orientation >= 5:
        values = values.swapaxes(0, 1)
    down, right = _FLIPS.get(orientation, (1, 1))
    return np.ascontiguousarray(values[::down, ::right])


def _inks(data: bytes) -> Picture:
    from PIL import Image

    with Image.open(io.BytesIO(data), formats=("TIFF",)) as image:
        return Picture(np.array(image.convert("RGB")), None, _INKS)


def _without(pixels: NDArray[np.uint8], missing: NDArray[np.bool_] | None, colours: str) -> Picture:
    """Set no-data pixels of the image to 0."""
    if missing is None or not missing.any():
        return Picture(pixels, None, colours)
    return Picture(np.where(missing[..., None], np.uint8(0), pixels), missing, colours)


def jpeg_channels(data: bytes) -> int | None:
    """Return the number of channels of a JPEG from its header: 1, 3 or 4; None if damaged or not a JPEG."""
    at = 2
    while data[:3] == b"\xff\xd8\xff" and at + 10 <= len(data) and data[at] == 0xFF:
        if data[at + 1] in _FRAMES:
            return data[at + 9]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _check(image: Image.Image, data: bytes, tile: str) -> None:
    """Raise TileError for pixels that PIL would reduce to 8 bits or clip, and for pictures that it would ignore."""
    if (pictures := getattr(image, "n_frames", 1)) > 1 and image.format != "MPO":  # further pictures are previews
        raise TileError(f"tile {tile}: holds {pictures} pictures, and a tile is one: give it alone; {OR_SKIP}")
    bits = pixel_rules.bits_beyond_8(data)
    if image.mode not in _COLOURS or bits:
        depth = f"{bits}-bit " if bits else ""
        raise TileError(
            f"tile {tile}: {depth}{image.format} pixels of mode {image.mode}, not 8-bit RGB; render it to 8-bit RGB, "
            f"or {OR_SKIP}"
        )


def _check_size(width: int, height: int, side: int | None, tile: str) -> None:
    if side is not None and (width, height) != (side, side):
        raise TileError(f"tile {tile}: {width}x{height} pixels, expected {side}x{side}; {OR_SKIP}")


@contextmanager
def _decoding(data: bytes, tile: str) -> Iterator[None]:
    """Turn any exception of PIL in this context into a TileError."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except TileError:
        raise
    except UnidentifiedImageError as error:
        # PIL cannot read 16-bit multi-band TIFFs
        kind = "a TIFF that is not 8-bit RGB" if data[:4] in (b"II*\0", b"MM\0*") else "not an image"
        raise TileError(f"tile {tile}: {kind} ({len(data)} bytes); {OR_SKIP}") from error
    except Exception as error:  # for damaged files PIL raises OSError, SyntaxError, struct.error, zlib.error, ...
        raise TileError(f"tile {tile}: cannot be decoded: {brief(error)}; {OR_SKIP}") from error
