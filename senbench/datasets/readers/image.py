"""Encoded image bytes to uint8 RGB arrays; every failure names the tile."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from senbench.datasets.readers.sources import Archive, Folder, MemberReader
from senbench.datasets.tiles import OR_SKIP, TileError
from senbench.errors import brief

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.datasets.readers.sources import Source

EIGHT_BIT = ("RGB", "RGBA", "L", "LA", "P", "CMYK")
"""PIL modes with 8 bits a channel, which become RGB without the choice of a stretch."""


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
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            # 16-bit and float pixels would be clipped to white without a word
            if image.mode not in modes or (image.format == "TIFF" and image.mode != "RGB"):
                raise TileError(
                    f"tile {tile}: {image.format} pixels of mode {image.mode}, not 8-bit RGB; "
                    f"render it to 8-bit RGB, or {OR_SKIP}"
                )
            if side is not None and image.size != (side, side):
                raise TileError(f"tile {tile}: {image.width}x{image.height} pixels, expected {side}x{side}; {OR_SKIP}")
            return np.array(image if image.mode == "RGB" else image.convert("RGB"))
    except TileError:
        raise
    except UnidentifiedImageError as error:
        # PIL knows no 16-bit multi-band TIFF at all
        kind = "a TIFF that is not 8-bit RGB" if data[:4] in (b"II*\0", b"MM\0*") else "not an image"
        raise TileError(f"tile {tile}: {kind} ({len(data)} bytes); {OR_SKIP}") from error
    except Exception as error:  # on damage PIL raises OSError, SyntaxError, struct.error, zlib.error, ...
        raise TileError(f"tile {tile}: cannot be decoded: {brief(error)}; {OR_SKIP}") from error
