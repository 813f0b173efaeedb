"""Encoded image bytes to uint8 RGB arrays; every failure names the tile."""

from __future__ import annotations

import hashlib
import io
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from senbench.datasets.readers import geotiff, pixel_rules
from senbench.datasets.readers.pixel_rules import RED_GREEN_BLUE, SIDECAR
from senbench.datasets.readers.sources import Archive, Folder, MemberReader
from senbench.datasets.tiles import OR_SKIP, TileError
from senbench.errors import brief

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from PIL import Image

    from senbench.datasets.readers.sources import Source

EIGHT_BIT = ("RGB", "RGBA", "L", "LA", "P", "PA", "CMYK")
"""PIL modes with 8 bits a channel, which become RGB without the choice of a stretch."""
RASTER = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\0\x0c", b"\xffO\xffQ")
"""First bytes of TIFF and JPEG 2000, whose bands, masks and depth GDAL tells and PIL does not."""


class PictureReader(MemberReader):
    """Reads a user's own 8-bit images of any size and format.

    Args:
        source: The folder.
        names: Member of each tile.
        order: Bands in file order where the user named them; empty: each file tells.
    """

    def __init__(self, source: Source, names: tuple[str, ...], order: tuple[str, ...] = ()) -> None:
        super().__init__(source, names)
        self.order = order

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Decoded image; what is transparent, masked or no data is 0."""
        pixels, missing = self.seen(i)
        if missing is not None and missing.all():
            raise TileError(f"tile {self.title(i)}: it holds nothing but no data; {OR_SKIP}")
        return pixels

    def seen(self, i: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        """Decoded image, uint8 (H, W, 3), and where it has no data, bool (H, W), None: nowhere."""
        return picture(self.source.read(self.names[i]), self.title(i), self.order)

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Content key: another order of the bands makes another picture of the same bytes."""
        own = super().key(i)
        if not self.order and self.names[i].lower().endswith((".jpg", ".jpeg")):
            return own
        return hashlib.blake2b(own + f"8-bit {','.join(self.order)}".encode(), digest_size=16).digest()

    def stamp(self, indices: Sequence[int], names: tuple[str, ...]) -> str:
        """State of the files, and the order of their bands."""
        return f"{self.source.stamp(self.names[i] for i in indices)} 8-bit {','.join(self.order)}"


class ImageReader(MemberReader):
    """Reads tiles that are encoded images.

    Args:
        source: Folder, archive, or anything else with named bytes.
        names: Member of each tile.
        side: Required height and width in pixels; None accepts any size.
        modes: PIL modes accepted.
    """

    def __init__(
        self, source: Source, names: tuple[str, ...], side: int | None = None, modes: tuple[str, ...] = ("RGB",)
    ) -> None:
        super().__init__(source, names)
        self.side, self.modes = side, modes
        self.portable = side is not None and isinstance(source, Archive | Folder)

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Decoded image."""
        return rgb(self.source.read(self.names[i]), self.title(i), side=self.side, modes=self.modes)


def rgb(data: bytes, tile: str, *, side: int | None = None, modes: tuple[str, ...] = ("RGB",)) -> NDArray[np.uint8]:
    """Decode one image.

    Args:
        data: The encoded file.
        tile: What it is, for messages.
        side: Required height and width in pixels; None accepts any.
        modes: PIL modes accepted; of TIFF only RGB.

    Returns:
        uint8 (H, W, 3), RGB, writable.

    Raises:
        TileError: Truncated, not an image, wrong size or not 8-bit colour.
    """
    from PIL import Image

    with _decoding(data, tile), Image.open(io.BytesIO(data)) as image:
        _check_depth(image, data, tile, modes)
        if side is not None and image.size != (side, side):
            raise TileError(f"tile {tile}: {image.width}x{image.height} pixels, expected {side}x{side}; {OR_SKIP}")
        return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def picture(data: bytes, tile: str, order: tuple[str, ...] = ()) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """Decode one 8-bit image of a user's own.

    Args:
        data: The encoded file: JPEG, PNG, WebP, BMP, GIF, TIFF or JPEG 2000.
        tile: What it is, for messages.
        order: Bands in file order where the user named them; empty: the file tells.

    Returns:
        uint8 (H, W, 3), RGB, upright as its EXIF block says and 0 where there is no data; and where that is, bool
        (H, W), None: nowhere.

    Raises:
        TileError: Truncated, not an image, not 8-bit, or bands that cannot be told.
    """
    if data.startswith(RASTER):
        return _by_rasterio(data, tile, order)
    from PIL import Image, ImageOps

    with _decoding(data, tile), Image.open(io.BytesIO(data)) as opened:
        _check_depth(opened, data, tile, EIGHT_BIT)
        image: Image.Image = ImageOps.exif_transpose(opened) if "exif" in opened.info else opened
        missing = None
        if image.has_transparency_data:
            image = image.convert("RGBA")
            missing = np.asarray(image.getchannel("A")) == 0
        pixels = np.array(image.convert("RGB"))
    if order:
        if len(order) != 3 or set(order) != set(RED_GREEN_BLUE):
            raise TileError(f"tile {tile}: has red, green and blue, {SIDECAR} names {', '.join(order)}; {OR_SKIP}")
        pixels = pixels[..., [order.index(band) for band in RED_GREEN_BLUE]]
    return _without(pixels, missing)


def _by_rasterio(data: bytes, tile: str, order: tuple[str, ...]) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    with geotiff.opened(data, f"tile {tile}") as file:
        header = geotiff.header(file)
        if "cyan" in header.colours:  # four inks: no bands to be picked from
            with _decoding(data, tile):
                return _inks(data)
        try:
            if pixel_rules.bit_depth(header) != "8-bit":
                raise ValueError(f"has {header.dtype} values, not 8-bit RGB: render it to 8-bit RGB")
            places, _ = pixel_rules.picture_places(header, order)
        except ValueError as error:
            raise TileError(f"tile {tile}: {error}; {OR_SKIP}") from error
        bands = [place + 1 for place in places]
        pixels, missing = file.read(bands).transpose(1, 2, 0), None
        if header.masks:
            missing = (file.read_masks(bands) == 0).all(axis=0)
        if header.colours[places[0]] == "palette":
            table = np.zeros((256, 4), np.uint8)
            for index, colour in file.colormap(bands[0]).items():
                table[index] = colour
            pixels = table[pixels[..., 0], :3]
        elif header.white_is_zero:
            pixels = 255 - pixels
    return _without(np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3))), missing)


def _inks(data: bytes) -> tuple[NDArray[np.uint8], None]:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB")), None


def _without(
    pixels: NDArray[np.uint8], missing: NDArray[np.bool_] | None
) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
    """The image with 0 where there is no data."""
    if missing is None or not missing.any():
        return pixels, None
    return np.where(missing[..., None], np.uint8(0), pixels), missing


def _check_depth(image: Image.Image, data: bytes, tile: str, modes: tuple[str, ...]) -> None:
    """Refuse pixels that PIL would cut to 8 bits, or clip to white, without a word."""
    bits = pixel_rules.png_bits(data)
    if image.mode not in modes or bits == 16 or (image.format == "TIFF" and image.mode != "RGB"):
        depth = f"{bits}-bit " if bits == 16 else ""
        raise TileError(
            f"tile {tile}: {depth}{image.format} pixels of mode {image.mode}, not 8-bit RGB; render it to 8-bit RGB, "
            f"or {OR_SKIP}"
        )


@contextmanager
def _decoding(data: bytes, tile: str) -> Iterator[None]:
    """Whatever PIL raises inside becomes a TileError."""
    from PIL import UnidentifiedImageError

    try:
        yield
    except TileError:
        raise
    except UnidentifiedImageError as error:
        # PIL knows no 16-bit multi-band TIFF at all
        kind = "a TIFF that is not 8-bit RGB" if data[:4] in (b"II*\0", b"MM\0*") else "not an image"
        raise TileError(f"tile {tile}: {kind} ({len(data)} bytes); {OR_SKIP}") from error
    except Exception as error:  # on damage PIL raises OSError, SyntaxError, struct.error, zlib.error, ...
        raise TileError(f"tile {tile}: cannot be decoded: {brief(error)}; {OR_SKIP}") from error
