"""McNemar's exact test of two models on independent images, and the corresponding interval."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.scoring.intervals.proportion import wilson

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.scoring import Array


def mcnemar(only_first: NDArray[Any] | float, only_second: NDArray[Any] | float) -> Array:
    """Exact two-sided McNemar test, under which images that differ favour either model with probability 1/2.

    Args:
        only_first: Number of images that only the first classifies correctly, any shape.
        only_second: Number of images that only the second classifies correctly, same shape.

    Returns:
        p of the same shape; 1 where the models never differ.
    """
    from scipy.special import bdtr

    b, c = np.asarray(only_first, np.float64), np.asarray(only_second, np.float64)
    return np.asarray(np.minimum(2 * bdtr(np.minimum(b, c), (b + c).astype(np.int64), 0.5), 1.0))


def mcnemar_interval(gained: int, lost: int, n: int, alpha: float = 0.05) -> tuple[float, float]:
    """Interval of (gained - lost) / n that excludes 0 exactly if `mcnemar` gives a p below alpha.

    The difference is q (2 r - 1), q the share of images whose answer changed and r the share of gains among them. r has
    the exact interval of Clopper and Pearson (1934), q Wilson's; both are joined by the method of variance estimates
    recovery (Newcombe 1998, Statistics in Medicine 17:2635), never on the other side of 0 than r's interval.

    Args:
        gained: Number of images that only the second classifies correctly.
        lost: Number of images that only the first classifies correctly.
        n: Number of images, above 0.
        alpha: 1 - level.
    """
    from scipy.special import betaincinv, ndtri

    changed = gained + lost
    if not changed:
        high = wilson(0.0, n, float(ndtri(1 - alpha / 2)))[1]
        return -high, high
    low = 2 * float(betaincinv(gained, lost + 1, alpha / 2)) - 1 if gained else -1.0
    high = 2 * float(betaincinv(gained + 1, lost, 1 - alpha / 2)) - 1 if lost else 1.0
    share, balance = changed / n, (gained - lost) / changed
    least, most = wilson(share, n, float(ndtri(1 - alpha / 2)))
    down, up = (share - least, most - share) if balance > 0 else (most - share, share - least)
    begin = share * balance - float(np.hypot(share * (balance - low), balance * down))
    end = share * balance + float(np.hypot(share * (high - balance), balance * up))
    begin = max(begin, least * low) if low > 0 else max(begin, -1.0)
    end = min(end, least * high) if high < 0 else min(end, 1.0)
    return begin, end
