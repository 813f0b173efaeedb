"""Many tests at once: Holm's adjustment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.scoring import Array


def holm(p: NDArray[Any]) -> Array:
    """Holm's step-down adjustment (1979): below 0.05 means significant with family-wise error 5 %.

    Args:
        p: p-values of one family, 0..1, (K,); NaN for an impossible test, which does not count.

    Returns:
        Adjusted p-values, (K,), NaN where p is.

    Raises:
        UsageError: A value outside 0..1, or not one row.
    """
    p = np.asarray(p, np.float64)
    if p.ndim != 1 or ((p < 0) | (p > 1)).any():
        raise UsageError(
            f"p-values of shape {p.shape} with range {np.nanmin(p)}..{np.nanmax(p)}; expected (K,) in 0..1"
        )
    out = np.full(len(p), np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = np.arange(len(order), 0, -1) * p[order]
    out[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return out


def holm_pairs(p: NDArray[Any]) -> Array:
    """Holm over all pairs of M entries, each pair once.

    Args:
        p: p of the difference of each pair, symmetric (M, M); the diagonal is not read.

    Returns:
        Adjusted p, symmetric (M, M) with a diagonal of 1.
    """
    upper = np.triu_indices(len(p), 1)
    out = np.ones((len(p), len(p)))
    out[upper] = holm(np.asarray(p)[upper])
    out.T[upper] = out[upper]
    return out
