"""Resizes batches of tiles on any device, with exactly PIL's pixels.

PIL resizes 8-bit images in two passes, the width first, and rounds and clamps after each. Its sums are integers, since
the filter's weights are rounded to 22 fractional bits. Here the same integers are summed as float32 matrix products,
with each weight split into two parts that are small enough for exact sums, also in TF32. A floating-point resize in
one pass differs from PIL in one of six values. Larger tiles are reduced by PIL itself on the host, because less data
is then transferred, and PIL chooses the order of the passes by its own rule.
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

BITS = 22  # fractional bits of PIL's weights

SPLIT = 12  # fractional bits in the lower part
SLICE = 128  # tiles per block: the sums take 3 MB per tile of 224 pixels


def fit_batch(tiles: torch.Tensor, preprocess: Preprocess) -> torch.Tensor:
    """Resize (and crop) 8-bit tiles of one size to the model's square input, with the same result as `host.fit`.

    Args:
        tiles: uint8 (B, H, W, C), on any device, no side longer than R.
        preprocess: The preprocessing; mean and std are not applied here.

    Returns:
        uint8 (B, R, R, C), a view, on the same device.

    Raises:
        ValueError: A side is longer than R, for which PIL sometimes resizes the height first.
    """
    import torch

    size = preprocess.resolution
    height, width = tiles.shape[1:3]
    if max(height, width) > size:
        raise ValueError(f"tiles of {height}x{width} are larger than the input of {size}")
    if height == width == size:
        return tiles
    (tall, wide), (top, left) = frame(height, width, preprocess)
    down = _weights_on(tiles.device, height, tall, top, size, preprocess.interpolation)
    across = _weights_on(tiles.device, width, wide, left, size, preprocess.interpolation)
    done = []
    for part in torch.split(tiles.permute(0, 3, 1, 2), SLICE):
        turned = _pass(part.float().contiguous(), across)  # (B, C, R, H)
        done.append(_pass(turned.contiguous(), down).to(torch.uint8))  # (B, C, R, R)
    return torch.cat(done).permute(0, 2, 3, 1)


def fit_dn_batch(tiles: torch.Tensor, preprocess: Preprocess) -> torch.Tensor:
    """Resize (and crop) digital numbers of one size to the model's square input, in float32.

    Nothing is scaled, rounded or clipped.

    Args:
        tiles: DN, float32 (B, H, W, C), on any device.
        preprocess: The preprocessing; mean and std are not applied here.

    Returns:
        float32 (B, R, R, C), a view, on the same device.
    """
    from torch.nn.functional import interpolate

    size = preprocess.resolution
    (tall, wide), (top, left) = frame(tiles.shape[1], tiles.shape[2], preprocess)
    planes = tiles.permute(0, 3, 1, 2)
    if tuple(tiles.shape[1:3]) != (tall, wide):
        planes = interpolate(
            planes.contiguous(), (tall, wide), mode=preprocess.interpolation, align_corners=False, antialias=True
        )
    return planes[..., top : top + size, left : left + size].permute(0, 2, 3, 1)


def frame(height: int, width: int, preprocess: Preprocess) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return the size (height, width) to which a tile is resized, and the corner (top, left) of the crop.

    Args:
        height: Height of the tile.
        width: Width of the tile.
        preprocess: The preprocessing.
    """
    size = preprocess.resolution
    if preprocess.resize_mode == "squash":
        return (size, size), (0, 0)
    short, long = sorted((height, width))
    scaled = int(size * long / short)
    target = (size, scaled) if width >= height else (scaled, size)
    return target, (round((target[0] - size) / 2), round((target[1] - size) / 2))


def _pass(planes: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Resize along the last axis, which is swapped with the one before it.

    Args:
        planes: Integers 0..255, float32 (B, C, K, old).
        weights: Weights of the pass, float32 (2, new, old).

    Returns:
        Integers 0..255, float32 (B, C, new, K).
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
    """Return weights of `count` new pixels on the device, float32 (2, count, old); cached, since copies block."""
    import torch

    kept = _weights(old, new, interpolation)[:, first : first + count]
    return torch.from_numpy(np.ascontiguousarray(kept)).to(device)


def _weights(old: int, new: int, interpolation: Interpolation) -> NDArray[np.float32]:
    """Return the upper and lower parts of PIL's weights of each old pixel in each new one (upsampling only).

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
    """Evaluate a filter at distances x >= 0, float64; bicubic with a = -0.5."""
    if interpolation == "bilinear":
        return np.maximum(1 - x, 0)
    near = (1.5 * x - 2.5) * x * x + 1
    far = -0.5 * (((x - 5) * x + 8) * x - 4)
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))
