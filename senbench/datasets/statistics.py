"""What a rendering does to the values: the share that is clipped, and the mean of each channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.base import TileError

if TYPE_CHECKING:
    from senbench.datasets.base import Tiles

SAMPLE = 200
"""Tiles looked at: enough for a mean to 1 % of the range, and nothing beside a run."""


def rendering(tiles: Tiles, sample: int = SAMPLE) -> dict[str, Any] | None:
    """Statistics of the values that a model gets, over evenly spaced tiles.

    Args:
        tiles: The evaluated tiles, as the model gets them.
        sample: Tiles looked at, at most.

    Returns:
        `tiles` (how many were looked at), `saturated` (share of 8-bit values that are 0 or 255, where a stretch cuts
        off; None for digital numbers), `channel_means` (0..255, or DN) in the model's channel order; None where
        no tile can be read, as with embeddings from the cache whose images are gone.
    """
    positions = np.unique(np.linspace(0, len(tiles) - 1, min(sample, len(tiles))).astype(int))
    seen, cut, size, total = 0, 0, 0, None
    for position in positions:
        try:
            tile = tiles.read(int(position))
        except TileError:
            continue
        seen += 1
        size += tile.size
        if tile.dtype == np.uint8:
            cut += int(np.count_nonzero((tile == 0) | (tile == 255)))
        height, width, channels = tile.shape
        columns = tile.reshape(height, -1).sum(axis=0, dtype=np.float64)  # whole rows at once: six times faster
        mean = columns.reshape(width, channels).sum(axis=0) / (height * width)
        total = mean if total is None else total + mean
    if total is None:
        return None
    return {
        "tiles": seen,
        "saturated": round(cut / size, 5) if tile.dtype == np.uint8 else None,
        "channel_means": [round(float(value), 2) for value in total / seen],
    }
