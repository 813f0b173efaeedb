"""What a 95 % interval is, and when a class has enough images or clusters to get one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

BLOCK_ROWS = 128
"""Most rows of a block of weights."""
BLOCK_CELLS = 1 << 22
"""Most cells of a block of weights (16 MB in float32)."""
MIN_POSITIVE_UNITS = 10
"""Clusters (images, where there are none) that must hold a class before it gets an interval."""


class Interval(NamedTuple):
    """95 % interval of one metric and how it was made."""

    ci: tuple[float, float] | None
    """Lower and upper end; None where none can be given."""
    label: str
    """`iid-bootstrap`, `cluster-jackknife-t (...)` or `none: <reason>`."""
    undefined: int = 0
    """Resamples, or left-out clusters, in which the metric is undefined."""
    design_effect: float | None = None
    """Square of the clustered error over that of independent images; None without clusters."""


def enough_units(positive: NDArray[np.bool_], clusters: NDArray[Any] | None) -> bool:
    """Whether a class has positives (N,) in at least ten clusters, or ten images where there are none."""
    units = positive.sum() if clusters is None else len(np.unique(clusters[positive]))
    return bool(units >= MIN_POSITIVE_UNITS)


def clip(low: float, high: float, bounds: Array) -> tuple[float, float]:
    """The ends of an interval inside the range of its metric, (2,)."""
    return float(np.clip(low, *bounds)), float(np.clip(high, *bounds))
