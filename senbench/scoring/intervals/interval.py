"""Types of 95 % intervals and of the statistics behind them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from senbench.schema.result import BlockError
    from senbench.scoring import Array

BLOCK_ROWS = 128
"""Most rows of a block of weights."""
BLOCK_CELLS = 1 << 22
"""Most cells of a block of weights (16 MB in float32)."""


class Interval(NamedTuple):
    """95 % interval of one metric, with its method."""

    ci: tuple[float, float] | None
    """Lower and upper end, or None."""
    label: str
    """`iid-bootstrap`, `cluster-jackknife-t (...)`, `iid-wilson`, `cluster-wilson-t (...)` or `none: <reason>`."""
    undefined: int = 0
    """Number of resamples, or of left-out clusters, for which the metric is undefined."""
    design_effect: float | None = None
    """Square of the clustered error over that of independent images; None without clusters."""
    error: float | None = None
    """Standard error; None without an interval."""
    size: str = ""
    """Block size of the clusters used, such as `25 km`; empty if there is one size only, or no clusters."""
    by_size: tuple[BlockError, ...] = ()
    """Standard error by block size; empty as `size`."""


class Statistic(NamedTuple):
    """Metrics as a function of totals over images."""

    of: Callable[[Array], Array]
    """Totals (..., K) -> metrics (..., M); NaN if undefined."""
    bounds: Array
    """Range of each metric, (M, 2); intervals are clipped to it."""


def clip(low: float, high: float, bounds: Array) -> tuple[float, float]:
    """Clip the ends of an interval to the range of its metric, (2,)."""
    return float(np.clip(low, *bounds)), float(np.clip(high, *bounds))
