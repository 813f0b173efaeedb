"""What a 95 % interval is, and what one is made of."""

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
    """95 % interval of one metric and how it was made."""

    ci: tuple[float, float] | None
    """Lower and upper end; None where none can be given."""
    label: str
    """`iid-bootstrap`, `cluster-jackknife-t (...)`, `iid-wilson`, `cluster-wilson-t (...)` or `none: <reason>`."""
    undefined: int = 0
    """Resamples, or left-out clusters, in which the metric is undefined."""
    design_effect: float | None = None
    """Square of the clustered error over that of independent images; None without clusters."""
    error: float | None = None
    """Standard error; None without an interval."""
    size: str = ""
    """Size of the clusters that it is made by, as `25 km`; empty where clusters have one size only, or none."""
    by_size: tuple[BlockError, ...] = ()
    """Standard error by size of the clusters; empty as `size`."""


class Statistic(NamedTuple):
    """Metrics as a function of totals over images."""

    of: Callable[[Array], Array]
    """Totals (..., K) -> metrics (..., M); NaN where undefined."""
    bounds: Array
    """Range of each metric, (M, 2); intervals are clipped to it."""


def clip(low: float, high: float, bounds: Array) -> tuple[float, float]:
    """The ends of an interval inside the range of its metric, (2,)."""
    return float(np.clip(low, *bounds)), float(np.clip(high, *bounds))
