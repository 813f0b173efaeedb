"""All pairs of many entries on the same images at once; pair by pair the same as `paired.from_left_out`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.errors import UsageError
from senbench.scoring.comparison.mcnemar import mcnemar
from senbench.scoring.intervals.clustered import effective_clusters, too_few

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.scoring import Array


_ROUNDING = 1e-15
"""Relative rounding of a replicate, and of a squared distance taken as a difference of squares."""
_EXACT_COUNTS = 1 << 24
"""Counts up to it are whole in float32."""


class Pairwise(NamedTuple):
    """Differences of all pairs of M entries, row minus column."""

    difference: Array
    """(M, M)."""
    error: Array
    """Standard error of the difference, (M, M); NaN where none can be given."""
    p: Array
    """Two-sided p of no difference, (M, M), 1 on the diagonal; NaN where nothing could be tested."""
    label: str
    """How: `paired-cluster-jackknife-t (...)`, `mcnemar-exact (...)` or `none: <reason>`."""


def mean_replicates(sums: NDArray[Any], sizes: NDArray[Any]) -> Array:
    """Means without each cluster, from sums by cluster.

    Args:
        sums: Sum of the figure (number of hits) by entry and cluster, (..., G).
        sizes: Images of each cluster, (G,).

    Returns:
        (..., G).
    """
    sums = np.asarray(sums, np.float64)
    rest = np.sum(sizes) - np.asarray(sizes, np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):  # a single cluster leaves nothing: NaN
        return np.asarray((sums.sum(axis=-1, keepdims=True) - sums) / rest)


def clustered(values: NDArray[Any], replicates: NDArray[Any], sizes: NDArray[Any]) -> Pairwise:
    """Paired differences with leave-one-cluster-out errors and t(G* - 1), for any figure.

    The squared errors of all differences come from one Gram matrix of the centred replicates, |z_i - z_j|^2 =
    |z_i|^2 + |z_j|^2 - 2 z_i . z_j, so that no pair is looked at by itself.

    Args:
        values: Figure of each entry on all images, (M,).
        replicates: The same without each cluster, (M, G); of a mean: `mean_replicates`. An entry with a NaN has
            no errors.
        sizes: Images of each cluster, (G,).

    Returns:
        All pairs.

    Raises:
        UsageError: Shapes that do not fit.
    """
    values, left_out = np.asarray(values, np.float64), np.asarray(replicates, np.float64)
    if left_out.shape != (len(values), len(sizes)):
        raise UsageError(f"replicates have shape {left_out.shape}; expected {(len(values), len(sizes))}")
    m, g = left_out.shape
    difference = values[:, None] - values
    if reason := too_few(g):
        nothing = np.full((m, m), np.nan)
        return Pairwise(difference, nothing, nothing, reason)
    from scipy.special import stdtr  # here, since scipy costs a third of a second to import

    centred = left_out - left_out.mean(axis=1, keepdims=True)
    own = np.square(centred).sum(axis=1)
    both = own[:, None] + own
    square = both - 2 * (centred @ centred.T)
    floor = _ROUNDING * g * both + g * np.square(_ROUNDING * np.abs(values))  # what rounding leaves of zero
    square[square < floor] = 0
    np.fill_diagonal(square, np.where(np.isnan(own), np.nan, 0))
    error = np.sqrt((g - 1) / g * square)
    effective = effective_clusters(np.asarray(sizes))
    with np.errstate(invalid="ignore", divide="ignore"):
        p = 2 * stdtr(max(effective - 1, 1.0), -np.abs(difference) / error)
    p[error == 0] = np.nan
    p[(error == 0) & (difference == 0)] = 1  # the same predictions
    label = f"paired-cluster-jackknife-t ({g} clusters, {effective:.1f} effective)"
    return Pairwise(difference, error, p, label)


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
    return Pairwise(difference, error, mcnemar(only_row, only_column), f"mcnemar-exact ({n} images)")
