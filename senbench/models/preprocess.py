"""Raw tile -> what a model's normalisation takes, with PIL itself: the exact path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.spec import Preprocess

FILTERS = {"bicubic": Image.Resampling.BICUBIC, "bilinear": Image.Resampling.BILINEAR}


def fit(tile: NDArray[np.uint8], how: Preprocess) -> NDArray[np.uint8]:
    """Resize (and crop) one RGB tile to the model's square input.

    `shortest-crop` follows torchvision: the longer side is `int(R * long / short)`, the crop offset
    `round((side - R) / 2)`.

    Args:
        tile: uint8 (H, W, 3), RGB.
        how: The preprocessing; mean and std are not applied here.

    Returns:
        uint8 (R, R, 3), C-contiguous.
    """
    size = how.resolution
    height, width = tile.shape[:2]
    if (height, width) == (size, size):
        return np.ascontiguousarray(tile)
    image = Image.fromarray(tile)
    if how.resize_mode == "squash":
        return np.asarray(image.resize((size, size), FILTERS[how.interpolation]))
    short, long = sorted((height, width))
    scaled = int(size * long / short)
    target = (scaled, size) if width >= height else (size, scaled)
    image = image.resize(target, FILTERS[how.interpolation])
    left = round((target[0] - size) / 2)
    top = round((target[1] - size) / 2)
    return np.ascontiguousarray(np.asarray(image)[top : top + size, left : left + size])
