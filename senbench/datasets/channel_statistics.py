"""What a rendering does to the values: the share that is clipped, and the mean of each channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.tiles import TileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles

SAMPLE = 200
"""Tiles looked at: enough for a mean to 1 % of the range, and nothing beside a run."""
OF_TILE = "values at 0 or 255, 8-bit values, mean of each channel"
"""What `of_tile` gives; kept statistics go by it."""


def sample(n: int, most: int = SAMPLE) -> list[int]:
    """Evenly spaced positions among n tiles, at most `most`."""
    return [int(position) for position in np.linspace(0, n - 1, min(most, n))]


def of_tile(tiles: Tiles, position: int) -> NDArray[np.float64] | None:
    """Values at an end of the 8-bit range (0 or 255), 8-bit values, and the mean of each channel.

    Args:
        tiles: The tiles, as a model gets them.
        position: Which of them.

    Returns:
        float64 (2 + C,), means in 0..255 or digital numbers, for which the first two are 0; None: it cannot be read.
    """
    try:
        tile = tiles.read(position)
    except TileError:
        return None
    height, width, channels = tile.shape
    columns = tile.reshape(height, -1).sum(axis=0, dtype=np.float64)  # whole rows at once: six times faster
    means = columns.reshape(width, channels).sum(axis=0) / (height * width)
    if tile.dtype != np.uint8:
        return np.array([0, 0, *means])
    return np.array([np.count_nonzero((tile == 0) | (tile == 255)), tile.size, *means])


def summary(found: Sequence[NDArray[np.float64]]) -> dict[str, Any] | None:
    """Statistics of the values that a model gets.

    Args:
        found: What `of_tile` gave.

    Returns:
        `tiles` (how many were looked at), `saturated` (share of 8-bit values that are 0 or 255, where a stretch cuts
        off; None for digital numbers), `channel_means` (0..255, or DN) in the model's channel order; None where
        no tile can be read, as with embeddings from the cache whose images are gone.
    """
    if not found:
        return None
    cut, size, *means = np.sum(found, axis=0).tolist()
    return {
        "tiles": len(found),
        "saturated": round(cut / size, 5) if size else None,
        "channel_means": [round(value / len(found), 2) for value in means],
    }
