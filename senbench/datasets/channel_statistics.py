"""Statistics of a model's input per tile: values at the ends of the range, flat tiles, dark pixels, channel means."""

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
"""Number of tiles sampled: enough for means to 1 % of the range, at a cost that is negligible in a run."""
COLUMNS = ("cut", "size", "low", "high", "flat", "below_1000", "two_ended")
"""Names of the values of `of_tile` that precede the channel means."""
LEAST_END, LEAST_ENDS = 0.05, 0.9
"""Smallest share of saturated values, and of saturated and dark ones together, of a two-ended tile."""
OF_TILE = f"{', '.join(COLUMNS)} ({LEAST_END}, {LEAST_ENDS}), mean of each channel"
"""Description of the values of `of_tile`; part of the key of cached statistics."""
IMPOSSIBLE_DN = 20_000
"""Digital numbers above this are saturated: a reflectance of 2, more than snow and cloud have."""


def sample(n: int, most: int = SAMPLE) -> list[int]:
    """Return at most `most` evenly spaced positions among n tiles."""
    return [int(position) for position in np.linspace(0, n - 1, min(most, n))]


def scale(info: DatasetInfo, radiometry: str) -> str | None:
    """Return how the values of tiles are converted back to digital numbers.

    Args:
        info: Facts of the dataset.
        radiometry: The tiles' rendering.

    Returns:
        A name in `radiometry.LINEAR`; `native` if they are digital numbers; None if they cannot be converted, because
        each image is stretched individually or the tiles were already 8-bit.
    """
    if radiometry == NATIVE and info.collection == "eurosat":
        return "eurosat-jpeg"
    return radiometry if radiometry == DIGITAL or radiometry in LINEAR else None


def of_tile(tiles: Tiles, position: int) -> NDArray[np.float64] | None:
    """Compute the statistics of one tile.

    Args:
        tiles: The tiles, as a model gets them.
        position: Position of the tile.

    Returns:
            The values of `of_array`; None if the tile cannot be read, or is not an unsigned integer image (H, W,
            C).
    """
    try:
        tile = tiles.read(position)
    except TileError:
        return None
    if tile.ndim != 3 or tile.dtype.kind != "u" or not tile.size:  # a user's tiles; the model will report the problem
        return None
    return of_array(tile, tiles.bands, scale(tiles.info, tiles.radiometry))


def of_array(tile: NDArray[Any], bands: Sequence[str], scale: str | None) -> NDArray[np.float64]:
    """Compute the statistics of the values of one tile.

    Args:
        tile: uint8 or digital numbers, (H, W, C).
        bands: Names of its channels.
        scale: Conversion to digital numbers, as returned by the function `scale`.

    Returns:
        float64 (7 + C,), `COLUMNS` and the mean of each channel in 0..255 or digital numbers. `cut` is the number of
        8-bit values that are 0 or 255 and `size` that of all 8-bit values, both 0 for digital numbers; `low` is the
        share of values that are 0 (8-bit: or 1, which `eurosat-jpeg` makes of 0 DN), `high` that of 255, or of more
        than `IMPOSSIBLE_DN`; `flat` is 1 where all channels have one value throughout; `below_1000` is the share of
        pixels with red, green or blue below 1,000 DN, NaN where that is not known; `two_ended` is 1 where some
        values are saturated and nearly all pixels are saturated or dark in this sense.
    """
    height, width, channels = tile.shape
    columns = tile.reshape(height, -1).sum(axis=0, dtype=np.float64)  # entire rows at once are six times faster
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


def summary(of_tiles: Sequence[NDArray[np.float64]]) -> dict[str, Any] | None:
    """Summarise the statistics of the values that a model gets.

    Args:
        of_tiles: Results of `of_tile`.

    Returns:
        `tiles` (their number), `saturated` (share of 8-bit values that are 0 or 255, where a stretch
                clips; None for digital numbers), `channel_means` (0..255, or DN) in the model's channel order; None if
                no tile can be read, as for cached embeddings whose images are gone.
    """
    if not of_tiles:
        return None
    cut, size, *means = np.sum([[*row[:2], *row[len(COLUMNS) :]] for row in of_tiles], axis=0).tolist()
    return {
        "tiles": len(of_tiles),
        "saturated": round(cut / size, 5) if size else None,
        "channel_means": [round(value / len(of_tiles), 2) for value in means],
    }
