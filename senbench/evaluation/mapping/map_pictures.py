"""Pictures of a scene and its map, small enough for a page, whatever the scene's size is."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.bands import RGB
from senbench.datasets.radiometry import LINEAR
from senbench.datasets.readers.pixel_rules import digital
from senbench.evaluation.mapping.map_rasters import NO_CLASS
from senbench.evaluation.mapping.scene import reading

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.evaluation.mapping.scene import Scene

LONGEST = 900
"""Pixels of the longer side."""
_PAPER, _INK, _EMPTY = (255, 255, 255), (27, 36, 48), (226, 230, 235)


def of_scene(scene: Scene, policy: str) -> bytes | None:
    """The scene in red, green and blue as a WebP; None: it has not these bands.

    Args:
        scene: The scene.
        policy: Rendering; one that looks at single tiles is replaced by one of the whole.

    Raises:
        UnavailableError: A block cannot be read.
    """
    import rasterio

    if not set(RGB) <= set(scene.bands):
        return None
    height, width = _fit(scene.size)
    planes = []
    with reading(scene):
        for band in RGB:
            place = scene.bands[band]
            with rasterio.open(place.path) as file:
                values = file.read(place.number, out_shape=(height, width))
                missing = (values == 0) | (file.read_masks(place.number, out_shape=(height, width)) == 0)
            planes.append(
                values if scene.info.unit != "dn" else digital(values, missing, scene.told.gain, scene.offset)
            )
    picture = np.stack(planes, axis=-1)
    if scene.info.unit == "dn":
        picture = radiometries.render(picture, policy if policy in LINEAR else "dn3000")
    return _webp(picture, lossless=False)


def of_classes(classes: Path, own: Sequence[str], *, several: bool) -> NDArray[np.uint8]:
    """Cells in the colours of their classes, uint8 RGB, at most `LONGEST` a side.

    Args:
        classes: `classes.tif`, or of several labels `scores.tif`, of which the highest is shown.
        own: Colour of each class.
        several: Whether a cell has several labels.
    """
    import rasterio

    table = np.full((256, 3), _EMPTY, np.uint8)
    for k, colour in enumerate(own):
        table[k] = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    with rasterio.open(classes) as file:
        shape = _fit((file.height, file.width))
        if several:
            scores = file.read(out_shape=(file.count, *shape))
            there = ~np.isnan(scores[0])
            values = np.where(there, np.where(there, scores, -1).argmax(axis=0), NO_CLASS)
        else:
            values = file.read(1, out_shape=shape)
    times = max(1, LONGEST // max(values.shape))
    return np.asarray(table[values].repeat(times, 0).repeat(times, 1))


def webp(picture: NDArray[np.uint8]) -> bytes:
    """A picture of few colours as a WebP without loss."""
    return _webp(picture, lossless=True)


def with_legend(picture: NDArray[np.uint8], names: Sequence[str], own: Sequence[str], title: str) -> bytes:
    """`map.png`: the map with its title and legend.

    Args:
        picture: Of `of_classes`.
        names: Class names.
        own: Their colours.
        title: One line above the map.
    """
    from PIL import Image, ImageDraw, ImageFont

    font, row, edge = ImageFont.load_default(15), 24, 16
    letters = max((font.getlength(name) for name in names), default=0)
    height, width = picture.shape[:2]
    size = (int(width + 3 * edge + 26 + letters), max(height, row * (len(names) + 1)) + 2 * edge + row)
    sheet = Image.new("RGB", (max(size[0], int(2 * edge + font.getlength(title))), size[1]), _PAPER)
    sheet.paste(Image.fromarray(picture), (edge, edge + row))
    draw = ImageDraw.Draw(sheet)
    draw.text((edge, edge - 4), title, _INK, font)
    for k, (name, colour) in enumerate([*zip(names, own, strict=True), ("no class", None)]):
        x, y = width + 2 * edge, edge + row * (k + 1)
        draw.rectangle((x, y, x + 16, y + 14), colour or _EMPTY)
        draw.text((x + 26, y - 2), name, _INK, font)
    out = io.BytesIO()
    sheet.save(out, "PNG", optimize=True)
    return out.getvalue()


def _fit(size: tuple[int, int]) -> tuple[int, int]:
    scale = min(1.0, LONGEST / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _webp(picture: NDArray[Any], *, lossless: bool) -> bytes:
    from PIL import Image

    out = io.BytesIO()
    Image.fromarray(picture).save(out, "WEBP", lossless=lossless, quality=82, method=4)
    return out.getvalue()
