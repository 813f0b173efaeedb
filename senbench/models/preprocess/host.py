"""Resizes raw tiles for a model's normalisation: 8-bit tiles by PIL, digital numbers as float tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from senbench.models.preprocess.device import fit_dn_batch, frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.schema.model_card import Preprocess


def fit(tile: NDArray[np.uint8], preprocess: Preprocess) -> NDArray[np.uint8]:
    """Resize (and crop) one RGB tile to the model's square input.

    `shortest-crop` follows torchvision: the longer side is `int(R * long / short)`, the crop offset
    `round((side - R) / 2)`.

    Args:
        tile: uint8 (H, W, 3), RGB.
        preprocess: The preprocessing; mean and std are not applied here.

    Returns:
        uint8 (R, R, 3), C-contiguous.
    """
    from PIL import Image

    size = preprocess.resolution
    height, width = tile.shape[:2]
    if (height, width) == (size, size):
        return np.ascontiguousarray(tile)
    (tall, wide), (top, left) = frame(height, width, preprocess)
    image = np.asarray(Image.fromarray(tile).resize((wide, tall), Image.Resampling[preprocess.interpolation.upper()]))
    return np.ascontiguousarray(image[top : top + size, left : left + size])


def fit_dn(tile: NDArray[np.uint16], preprocess: Preprocess) -> NDArray[np.float32]:
    """Resize (and crop) digital numbers of any bands to the model's square input, in float32.

    Values are neither scaled, rounded nor clipped, so that bicubic may overshoot below 0. Equal to torchvision's
    `Resize` and `CenterCrop` of a float tensor, which use the same call; importing torchvision takes seconds.

    Args:
        tile: DN, uint16 (H, W, B).
        preprocess: The preprocessing; mean and std are not applied here.

    Returns:
        float32 (R, R, B), in DN.
    """
    from torch import from_numpy

    return np.ascontiguousarray(fit_dn_batch(from_numpy(tile.astype(np.float32))[None], preprocess)[0].numpy())
