"""Resizing batches of tiles on any device, with the pixels that PIL gives.

PIL resizes 8-bit images in two passes, the width first, and rounds and clamps after each. Its sums are integers:
the filter's weights are rounded to 22 bits behind the point. The same integers are summed here as matrix products
in float32, each weight split into two parts that are small enough for these sums to be exact, in TF32 too. A
float resize in one pass differs from PIL in one value of six. Larger tiles are made smaller by PIL itself, on the
host: less is moved then, and PIL chooses the order of the passes by its own rule.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from senbench.schema.model_card import Preprocess
    from senbench.schema.terms import Interpolation

BITS = 22  # of PIL's weights behind the point
SPLIT = 12  # of these go into the lower part
SLICE = 128  # tiles resized at once: the sums take 3 MB a tile of 224 pixels


def fit_batch(tiles: torch.Tensor, how: Preprocess) -> torch.Tensor:
    """Resize (and crop) 8-bit tiles of one size to the model's square input, as `preprocess.fit` does one by one.

    Args:
        tiles: uint8 (B, H, W, C), on any device, no side longer than R.
        how: The preprocessing; mean and std are not applied here.

    Returns:
        uint8 (B, R, R, C), a view, on the same device.

    Raises:
        ValueError: A side is longer than R: PIL then takes the height first in some cases.
    """
    import torch

    size = how.resolution
    height, width = tiles.shape[1:3]
    if max(height, width) > size:
        raise ValueError(f"tiles of {height}x{width} are larger than the input of {size}")
    if height == width == size:
        return tiles
    (tall, wide), (top, left) = frame(height, width, how)
    down = _weights_on(tiles.device, height, tall, top, size, how.interpolation)
    across = _weights_on(tiles.device, width, wide, left, size, how.interpolation)
    done = []
    for part in torch.split(tiles.permute(0, 3, 1, 2), SLICE):
        turned = _pass(part.float().contiguous(), across)  # (B, C, R, H)
        done.append(_pass(turned.contiguous(), down).to(torch.uint8))  # (B, C, R, R)
    return torch.cat(done).permute(0, 2, 3, 1)


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


def frame(height: int, width: int, how: Preprocess) -> tuple[tuple[int, int], tuple[int, int]]:
    """Size (height, width) a tile is resized to, and the corner (top, left) of the square cut from it.

    Args:
        height: Of the tile.
        width: Of the tile.
        how: The preprocessing.
    """
    size = how.resolution
    if how.resize_mode == "squash":
        return (size, size), (0, 0)
    short, long = sorted((height, width))
    scaled = int(size * long / short)
    target = (size, scaled) if width >= height else (scaled, size)
    return target, (round((target[0] - size) / 2), round((target[1] - size) / 2))


def _pass(planes: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """One pass along the last axis, which becomes the one before it.

    Args:
        planes: Whole numbers 0..255, float32 (B, C, K, old).
        weights: Of the pass, float32 (2, new, old).

    Returns:
        Whole numbers 0..255, float32 (B, C, new, K).
    """
    size = weights.shape[1]
    sums = (planes @ weights.flatten(0, 1).T).int()  # (B, C, K, 2 * new)
    upper, lower = sums[..., :size], sums[..., size:]
    total = (upper << SPLIT).add_(lower).add_(1 << (BITS - 1)).bitwise_right_shift_(BITS)
    return total.clamp_(0, 255).float().mT


@lru_cache(maxsize=32)
def _weights_on(
    device: torch.device, old: int, new: int, first: int, count: int, interpolation: Interpolation
) -> torch.Tensor:
    """Weights of `count` new pixels, float32 (2, count, old); kept there, since a copy waits for the device."""
    import torch

    kept = _weights(old, new, interpolation)[:, first : first + count]
    return torch.from_numpy(np.ascontiguousarray(kept)).to(device)


def _weights(old: int, new: int, interpolation: Interpolation) -> NDArray[np.float32]:
    """Upper and lower parts of PIL's weights of each old pixel in each of as many or more new ones.

    Returns:
        float32 (2, new, old).
    """
    reach = 2 if interpolation == "bicubic" else 1
    centre = (np.arange(new) + 0.5)[:, None] * (old / new)
    pixel = np.arange(old)[None]
    first = np.maximum((centre - reach + 0.5).astype(int), 0)
    last = np.minimum((centre + reach + 0.5).astype(int), old)
    values = _filter(np.abs(pixel - centre + 0.5), interpolation)
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
