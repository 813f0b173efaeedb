"""What a model sees, tile by tile: ends of the range, tiles of one value, dark pixels, the mean of each channel."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.bands import RGB
from senbench.datasets.radiometry import DIGITAL, LINEAR, NATIVE, shown
from senbench.datasets.tiles import TileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.schema.dataset import DatasetInfo

SAMPLE = 200
"""Tiles looked at: enough for a mean to 1 % of the range, and nothing beside a run."""
COLUMNS = ("cut", "size", "low", "high", "flat", "below_1000", "two_ended")
"""What `of_tile` gives before the means of the channels."""
LEAST_END, LEAST_ENDS = 0.05, 0.9
"""Least share of saturated values, and least sum of it and of the share of dark pixels, of a tile of two ends."""
OF_TILE = f"{', '.join(COLUMNS)} ({LEAST_END}, {LEAST_ENDS}), mean of each channel"
"""What `of_tile` gives; kept statistics go by it."""
IMPOSSIBLE_DN = 20_000
"""Digital numbers above it are saturated: a reflectance of 2, which neither snow nor cloud has."""


def sample(n: int, most: int = SAMPLE) -> list[int]:
    """Evenly spaced positions among n tiles, at most `most`."""
    return [int(position) for position in np.linspace(0, n - 1, min(most, n))]


def scale(info: DatasetInfo, radiometry: str) -> str | None:
    """How values of tiles are turned back into digital numbers.

    Args:
        info: Facts of the dataset.
        radiometry: The tiles' rendering.

    Returns:
        A name in `radiometry.LINEAR`; `native`: they are digital numbers; None: they cannot be turned back, because
        each image has a stretch of its own, or because they were 8-bit already.
    """
    if radiometry == NATIVE and info.collection == "eurosat":
        return "eurosat-jpeg"
    return radiometry if radiometry == DIGITAL or radiometry in LINEAR else None


def of_tile(tiles: Tiles, position: int) -> NDArray[np.float64] | None:
    """Statistics of one tile.

    Args:
        tiles: The tiles, as a model gets them.
        position: Which of them.

    Returns:
        What `of_array` gives; None: the tile cannot be read, or is no image of unsigned integers (H, W, C).
    """
    try:
        tile = tiles.read(position)
    except TileError:
        return None
    if tile.ndim != 3 or tile.dtype.kind != "u" or not tile.size:  # of a user's own; the model says what is wrong
        return None
    return of_array(tile, tiles.bands, scale(tiles.info, tiles.radiometry))


def of_array(tile: NDArray[Any], bands: Sequence[str], scale: str | None) -> NDArray[np.float64]:
    """Statistics of the values of one tile.

    Args:
        tile: uint8 or digital numbers, (H, W, C).
        bands: Names of its channels.
        scale: How they are turned back into digital numbers, as the function of this name says.

    Returns:
        float64 (7 + C,), `COLUMNS` and the mean of each channel in 0..255 or digital numbers. `cut` is the number of
        8-bit values that are 0 or 255 and `size` that of all 8-bit values, both 0 for digital numbers; `low` is the
        share of values that are 0 (8-bit: or 1, which `eurosat-jpeg` makes of 0 DN), `high` that of 255, or of more
        than `IMPOSSIBLE_DN`; `flat` is 1 where all channels have one value throughout; `below_1000` is the share of
        pixels with red, green or blue below 1,000 DN, NaN where that is not known; `two_ended` is 1 where some
        values are saturated and nearly all pixels are saturated or dark in this sense.
    """
    height, width, channels = tile.shape
    columns = tile.reshape(height, -1).sum(axis=0, dtype=np.float64)  # whole rows at once: six times faster
    means = columns.reshape(width, channels).sum(axis=0) / (height * width)
    flat = float(tile.min() == tile.max())
    below = np.nan
    visible = [k for k, band in enumerate(bands) if band in RGB] if len(bands) == channels else []
    if scale is not None and visible:
        darkest = reduce(np.minimum, (tile[..., k] for k in visible))
        below = np.count_nonzero(darkest < (1000 if scale == DIGITAL else shown(1000, scale))) / darkest.size
    if eight_bit := tile.dtype == np.uint8:
        zero, one, top = (int(np.count_nonzero(tile == value)) for value in (0, 1, 255))
    else:
        zero, one, top = int(np.count_nonzero(tile == 0)), 0, int(np.count_nonzero(tile > IMPOSSIBLE_DN))
    cut, size = (zero + top, tile.size) if eight_bit else (0, 0)
    low, high = (zero + one) / tile.size, top / tile.size
    two_ended = high >= LEAST_END and high + below >= LEAST_ENDS
    return np.array([cut, size, low, high, flat, below, two_ended, *means])


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
    cut, size, *means = np.sum([[*row[:2], *row[len(COLUMNS) :]] for row in found], axis=0).tolist()
    return {
        "tiles": len(found),
        "saturated": round(cut / size, 5) if size else None,
        "channel_means": [round(value / len(found), 2) for value in means],
    }
