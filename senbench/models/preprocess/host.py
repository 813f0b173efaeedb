"""Raw tile -> what a model's normalisation takes: 8-bit tiles with PIL itself, digital numbers as float tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from senbench.models.preprocess.device import fit_dn_batch, frame

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.schema.model_card import Preprocess


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
    from PIL import Image

    size = how.resolution
    height, width = tile.shape[:2]
    if (height, width) == (size, size):
        return np.ascontiguousarray(tile)
    (tall, wide), (top, left) = frame(height, width, how)
    image = np.asarray(Image.fromarray(tile).resize((wide, tall), Image.Resampling[how.interpolation.upper()]))
    return np.ascontiguousarray(image[top : top + size, left : left + size])


def fit_dn(tile: NDArray[np.uint16], how: Preprocess) -> NDArray[np.float32]:
    """Resize (and crop) digital numbers of any bands to the model's square input, in float32.

    Nothing is scaled, rounded or clipped: bicubic may overshoot below 0. Equal to torchvision's `Resize` and
    `CenterCrop` of a float tensor, whose resize is this call; torchvision itself costs seconds to import.

    Args:
        tile: DN, uint16 (H, W, B).
        how: The preprocessing; mean and std are not applied here.

    Returns:
        float32 (R, R, B), in DN.
    """
    from torch import from_numpy

    return np.ascontiguousarray(fit_dn_batch(from_numpy(tile.astype(np.float32))[None], how)[0].numpy())
