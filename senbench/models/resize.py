"""Resizing batches of tiles on any device, with the pixels that PIL gives.

PIL resizes 8-bit images in two passes, the width first, and rounds and clamps after each. Its sums are integers:
the filter's weights are rounded to 22 bits behind the point. The same integers are summed here as matrix products
in float32, each weight split into two parts that are small enough for these sums to be exact, in TF32 too. A
float resize in one pass differs from PIL in one value of six.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from senbench.models.preprocess import frame

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from senbench.spec import Interpolation, Preprocess

BITS = 22  # of PIL's weights behind the point
SPLIT = 12  # of these go into the lower part
SLICE = 128  # tiles resized at once: the sums take 16 times the memory of the tiles


def fit_batch(tiles: torch.Tensor, how: Preprocess) -> torch.Tensor:
    """Resize (and crop) 8-bit tiles of one size to the model's square input, as `preprocess.fit` does one by one.

    Args:
        tiles: uint8 (B, H, W, C), on any device.
        how: The preprocessing; mean and std are not applied here.

    Returns:
        uint8 (B, R, R, C), on the same device.
    """
    import torch

    size = how.resolution
    height, width = tiles.shape[1:3]
    (tall, wide), (top, left) = frame(height, width, how)
    if (height, width) == (tall, wide) == (size, size):
        return tiles
    rows = _weights(height, tall, how.interpolation)[:, top : top + size]
    columns = _weights(width, wide, how.interpolation)[:, left : left + size]
    down, across = (torch.from_numpy(np.ascontiguousarray(part)).to(tiles.device) for part in (rows, columns))
    return torch.cat([_passes(part, down, across) for part in tiles.split(SLICE)])


def fit_dn_batch(tiles: torch.Tensor, how: Preprocess) -> torch.Tensor:
    """Resize (and crop) digital numbers of one size to the model's square input, in float32.

    Nothing is scaled, rounded or clipped.

    Args:
        tiles: DN, float32 (B, H, W, C), on any device.
        how: The preprocessing; mean and std are not applied here.

    Returns:
        float32 (B, R, R, C), a view, on the same device.
    """
    from torch.nn.functional import interpolate

    size = how.resolution
    (tall, wide), (top, left) = frame(tiles.shape[1], tiles.shape[2], how)
    planes = tiles.permute(0, 3, 1, 2)
    if tuple(tiles.shape[1:3]) != (tall, wide):
        planes = interpolate(
            planes.contiguous(), (tall, wide), mode=how.interpolation, align_corners=False, antialias=True
        )
    return planes[..., top : top + size, left : left + size].permute(0, 2, 3, 1)


def _passes(tiles: torch.Tensor, down: torch.Tensor, across: torch.Tensor) -> torch.Tensor:
    """uint8 (B, H, W, C), both passes' weights float32 (2, R, H) and (2, R, W) -> uint8 (B, R, R, C)."""
    import torch

    batch, height, _, channels = tiles.shape
    size = across.shape[1]
    wide = _rounded(torch.matmul(across[:, None, None], tiles.float()))  # (B, H, R, C)
    tall = _rounded(torch.matmul(down[:, None], wide.reshape(batch, height, size * channels)))  # (B, R, R * C)
    return tall.view(batch, size, size, channels).to(torch.uint8)


def _rounded(parts: torch.Tensor) -> torch.Tensor:
    """Sums with the upper and lower parts of weights, float32 (2, ...) -> whole numbers 0..255, float32 (...)."""
    upper, lower = parts.int()
    total = upper.mul_(1 << SPLIT).add_(lower).add_(1 << (BITS - 1))
    return total.bitwise_right_shift_(BITS).clamp_(0, 255).float()


@lru_cache(maxsize=32)
def _weights(old: int, new: int, interpolation: Interpolation) -> NDArray[np.float32]:
    """Upper and lower parts of PIL's weights of each old pixel in each new one, float32 (2, new, old)."""
    scale = old / new
    widening = max(scale, 1.0)  # antialias: the filter covers all old pixels that fall into a new one
    reach = (2.0 if interpolation == "bicubic" else 1.0) * widening
    centre = (np.arange(new) + 0.5)[:, None] * scale
    pixel = np.arange(old)[None]
    first = np.maximum((centre - reach + 0.5).astype(int), 0)
    last = np.minimum((centre + reach + 0.5).astype(int), old)
    values = _filter(np.abs(pixel - centre + 0.5) / widening, interpolation)
    values[(pixel < first) | (pixel >= last)] = 0
    values /= values.sum(axis=1, keepdims=True)
    whole = np.trunc(values * (1 << BITS) + np.copysign(0.5, values)).astype(np.int64)
    upper = (whole + (1 << (SPLIT - 1))) >> SPLIT
    return np.stack([upper, whole - (upper << SPLIT)]).astype(np.float32)


def _filter(x: NDArray[np.float64], interpolation: Interpolation) -> NDArray[np.float64]:
    """Height of a filter at distances x >= 0, both float64; bicubic with a = -0.5."""
    if interpolation == "bilinear":
        return np.maximum(1 - x, 0)
    near = (1.5 * x - 2.5) * x * x + 1
    far = -0.5 * (((x - 5) * x + 8) * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
