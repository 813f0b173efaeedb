"""Ranks as intervals: what paired tests say of a place, and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ALPHA = 0.05


def rank_intervals(difference: NDArray[Any], p_adjusted: NDArray[Any], alpha: float = ALPHA) -> NDArray[np.int64]:
    """Best and worst rank of each entry that the tests leave open.

    [1 + number significantly better, M - number significantly worse]. "Not significantly different" is not
    transitive, so entries are not chained into groups of ties.

    Args:
        difference: Row minus column of a figure of which more is better, (M, M).
        p_adjusted: p of each pair after `holm_pairs`, (M, M); NaN, where nothing could be tested, is not significant.
        alpha: Family-wise error.

    Returns:
        int64 (M, 2).
    """
    significant = np.asarray(p_adjusted) < alpha
    better = (significant & (np.asarray(difference) < 0)).sum(axis=1)
    worse = (significant & (np.asarray(difference) > 0)).sum(axis=1)
    return np.stack([1 + better, len(better) - worse], axis=1)
