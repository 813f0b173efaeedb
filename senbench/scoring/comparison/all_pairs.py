"""Paired tests of all pairs of many entries at once; each equals that of `paired.from_left_out`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.errors import UsageError
from senbench.scoring.comparison.mcnemar import mcnemar
from senbench.scoring.intervals.clustered import by, too_few

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from senbench.scoring import Array


_ROUNDING = 1e-15
"""Relative rounding errors of a replicate, and of a squared distance computed as a difference of squares."""
_EXACT_COUNTS = 1 << 24
"""Largest count that float32 represents exactly."""


class Pairwise(NamedTuple):
    """Differences of all pairs of M entries, row minus column."""

    difference: Array
    """(M, M)."""
    error: Array
    """Standard error of the difference, (M, M); NaN if unknown."""
    p: Array
    """Two-sided p of no difference, (M, M), 1 on the diagonal; NaN where nothing could be tested."""
    label: str
    """Name of the test: `paired-cluster-jackknife-t (...)`, `mcnemar-exact (...)` or `none: <reason>`."""
    df: Array
    """Degrees of freedom of the errors, (M, M); infinite for the normal distribution."""


def mean_replicates(sums: NDArray[Any], sizes: NDArray[Any]) -> Array:
    """Return the means without each cluster, from sums by cluster.

    Args:
        sums: Sum of the figure (number of hits) by entry and cluster, (..., G).
        sizes: Images of each cluster, (G,).

    Returns:
        (..., G).
    """
    sums = np.asarray(sums, np.float64)
    rest = np.sum(sizes) - np.asarray(sizes, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):  # with a single cluster nothing remains: NaN
        return np.asarray((sums.sum(axis=-1, keepdims=True) - sums) / rest)


def clustered(values: NDArray[Any], replicates: NDArray[Any], effective: float, size: str = "") -> Pairwise:
    """Paired differences with leave-one-cluster-out errors and t(G* - 1), for any figure.

    The squared errors of all differences come from one Gram matrix of the centred replicates, |z_i - z_j|^2 =
    |z_i|^2 + |z_j|^2 - 2 z_i . z_j, without a loop over pairs.

    Args:
        values: Figure of each entry on all images, (M,).
        replicates: The same without each cluster, (M, G); of a mean: `mean_replicates`. An entry with a NaN has
            no errors.
        effective: Effective number of clusters.
        size: Block size of the clusters, for the label; empty if it has no name.

    Returns:
        All pairs.

    Raises:
        UsageError: Shapes that do not fit.
    """
    values, left_out = np.asarray(values, np.float64), np.asarray(replicates, np.float64)
    if left_out.ndim != 2 or len(left_out) != len(values):
        raise UsageError(f"replicates have shape {left_out.shape}; expected ({len(values)}, clusters)")
    m, g = left_out.shape
    difference = values[:, None] - values
    df = np.full((m, m), max(effective - 1, 1.0))
    if reason := too_few(g):
        nothing = np.full((m, m), np.nan)
        return Pairwise(difference, nothing, nothing, reason, df)
    from scipy.special import stdtr  # imported here, because scipy takes a third of a second

    centred = left_out - left_out.mean(axis=1, keepdims=True)
    squared_norms = np.square(centred).sum(axis=1)
    both = squared_norms[:, None] + squared_norms
    square = both - 2 * (centred @ centred.T)
    floor = _ROUNDING * g * both + g * np.square(_ROUNDING * np.abs(values))  # zero up to rounding
    square[square < floor] = 0
    np.fill_diagonal(square, np.where(np.isnan(squared_norms), np.nan, 0))
    error = np.sqrt((g - 1) / g * square)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * stdtr(df, -np.abs(difference) / error)
    p[error == 0] = np.nan
    p[(error == 0) & (difference == 0)] = 1  # the same predictions
    label = f"paired-cluster-jackknife-t ({g} clusters{by(size)}, {effective:.1f} effective)"
    return Pairwise(difference, error, p, label, df)


def by_largest(pairs_by_size: Mapping[str, Pairwise], own_size: str) -> Pairwise:
    """Use for each pair the largest of its standard errors by block size, as `paired.by_largest`.

    Args:
        pairs_by_size: Block size of the clusters -> all pairs by clusters of that size, from small to large.
        own_size: Block size for which an error must exist.

    Returns:
        All pairs; the label names every size and those that give none.
    """
    first = pairs_by_size[own_size]
    with_errors = {size: one for size, one in pairs_by_size.items() if not one.label.startswith("none")}
    if own_size not in with_errors or len(pairs_by_size) == 1:
        return first
    error, p, df = first.error, first.p, first.df
    for one in with_errors.values():
        larger = np.round(one.error, 12) >= np.round(error, 12)  # errors equal up to rounding: use the larger size
        error, p, df = np.where(larger, one.error, error), np.where(larger, one.p, p), np.where(larger, one.df, df)
    each = "; ".join(one.label[one.label.index("(") + 1 : -1] for one in with_errors.values())
    without = [size for size in pairs_by_size if size not in with_errors]
    none = f"; none by {' or '.join(without)}" if without else ""
    return Pairwise(first.difference, error, p, f"paired-cluster-jackknife-t (largest error of {each}{none})", df)


def unclustered(correct: NDArray[Any]) -> Pairwise:
    """Paired differences of accuracy of independent images, with exact McNemar tests.

    Args:
        correct: Whether each entry is right on each image, bool (M, N).

    Returns:
        All pairs; the error is that of the mean of the differences (their standard deviation over the root of N).
    """
    n = np.shape(correct)[1]
    hits: NDArray[Any] = np.asarray(correct, np.float32 if n < _EXACT_COUNTS else np.float64)
    shared = (hits @ hits.T).astype(np.float64)
    right = shared.diagonal()
    only_row, only_column = right[:, None] - shared, right[None] - shared
    difference = (only_row - only_column) / n
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(np.maximum((only_row + only_column) / n - difference**2, 0) / (n - 1))
    df = np.full(difference.shape, np.inf)
    return Pairwise(difference, error, mcnemar(only_row, only_column), f"mcnemar-exact ({n} images)", df)
