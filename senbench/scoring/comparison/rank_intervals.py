"""Ranks as intervals that follow from paired tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA = 0.05


def rank_intervals(difference: NDArray[Any], p_adjusted: NDArray[Any], alpha: float = ALPHA) -> NDArray[np.int64]:
    """Return the best and worst rank of each entry that the tests do not exclude.

    [1 + number significantly better, M - number significantly worse]. "Not significantly different" is not
    transitive, so that entries are not grouped into ties.

    Args:
        difference: Row minus column of a figure for which larger is better, (M, M).
        p_adjusted: p of each pair after `holm_pairs`, (M, M); NaN (untestable) counts as not significant.
        alpha: Family-wise error.

    Returns:
        int64 (M, 2).
    """
    significant = np.asarray(p_adjusted) < alpha
    better = (significant & (np.asarray(difference) < 0)).sum(axis=1)
    worse = (significant & (np.asarray(difference) > 0)).sum(axis=1)
    return np.stack([1 + better, len(better) - worse], axis=1)
