"""What a rendering does to the values: the share that is clipped, and the mean of each channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.base import TileError

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    positions = np.linspace(0, len(tiles) - 1, min(sample, len(tiles))).astype(int)
    found = [one for position in positions.tolist() if (one := _of_tile(tiles, position)) is not None]
    if not found:
        return None
    cut, size, means = (sum(values) for values in zip(*found, strict=True))
    return {
        "tiles": len(found),
        "saturated": round(cut / size, 5) if size else None,
        "channel_means": [round(float(value), 2) for value in means / len(found)],
    }


def _of_tile(tiles: Tiles, position: int) -> tuple[int, int, NDArray[np.float64]] | None:
    """Values at an end of the range, 8-bit values, and channel means (C,) of one tile; None: it cannot be read."""
    try:
        tile = tiles.read(position)
    except TileError:
        return None
    height, width, channels = tile.shape
    columns = tile.reshape(height, -1).sum(axis=0, dtype=np.float64)  # whole rows at once: six times faster
    means = columns.reshape(width, channels).sum(axis=0) / (height * width)
    if tile.dtype != np.uint8:
        return 0, 0, means
    return int(np.count_nonzero((tile == 0) | (tile == 255))), tile.size, means
