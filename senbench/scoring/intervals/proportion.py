"""95 % intervals of proportions that do not collapse at 0 and 1: Wilson's score interval, with clusters or without."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.scoring.intervals.block_sizes import none_by
from senbench.scoring.intervals.clustered import by

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.scoring.intervals.interval import Interval

NORMAL = 1.959963984540054
"""97.5 % quantile of the normal distribution."""
NEAR_END = 30
"""Fewest hits and misses for percentiles or a symmetric t; below, resamples take too few distinct values."""


def wilson(share: float, n: float, quantile: float = NORMAL) -> tuple[float, float]:
    """Wilson's score interval of a proportion.

    (p + q²/2n ± q sqrt(p (1 - p)/n + q²/4n²)) / (1 + q²/n) (Wilson 1927, Journal of the American Statistical
    Association 22:209; recommended by Brown, Cai and DasGupta 2001, Statistical Science 16:101).

    Args:
        share: Observed proportion p, 0..1.
        n: Number of independent observations, or their effective number, above 0.
        quantile: Quantile q of the normal or t distribution.

    Returns:
        Lower and upper end, inside 0..1; never of zero width.
    """
    square = quantile**2 / n
    centre = (share + square / 2) / (1 + square)
    half = quantile * np.sqrt(share * (1 - share) / n + square / (4 * n)) / (1 + square)
    low = 0.0 if share == 0 else max(float(centre - half), 0.0)
    high = 1.0 if share == 1 else min(float(centre + half), 1.0)
    return low, high


def near_end(share: float, n: int) -> bool:
    """Return whether there are fewer than `NEAR_END` hits or misses among n images."""
    return n * min(share, 1 - share) < NEAR_END - 1e-9


class ClusterCounts(NamedTuple):
    """Number of images and of hits in each cluster."""

    images: NDArray[Any]
    """(G,), 0 where a cluster has none."""
    hits: NDArray[Any]
    """(G,)."""

    def degrees(self, share: float) -> float:
        """Degrees of freedom of a cluster-robust variance; few if few clusters dominate it.

        (Σ u²)² / Σ u⁴ + 1, the effective number of clusters by their share of the variance, with u = hits - share x
        images; at least 2, and at most G* - 1 by their images, which is the value if all images are right, or none.
        """
        parts = np.square(self.hits - share * self.images)
        most = max(self.effective - 1, 1.0)
        if not (total := float(parts.sum())):
            return most
        return min(max(total**2 / float(np.square(parts).sum()) + 1, 2.0), most)

    @property
    def effective(self) -> float:
        """Return the effective number of clusters."""
        held = self.images[self.images > 0].astype(np.float64)
        return float(held.sum() ** 2 / np.square(held).sum())


def proportion(
    share: float, n: int, interval: Interval, clusters: ClusterCounts | None, *, resampled: bool
) -> Interval:
    """Replace the interval of a proportion from resamples or clusters by Wilson's.

    With clusters, after Korn and Graubard (1998, Survey Methodology 24:193), n is replaced by the effective number of
    images p (1 - p) / error², at most n, and the normal by the t quantile with `ClusterCounts.degrees`. If all
    images are right, or none, the error is 0 and not informative: the effective number of clusters replaces n.

    Args:
        share: Observed proportion, 0..1.
        n: Number of images of which it is a share.
        interval: Its interval by the other method, with the standard error.
        clusters: The clusters with the block size of `interval`; None if unknown.
        resampled: Without clusters: whether predictions depend on the sample, so that the error of the resamples
            is more accurate than the binomial one.
    """
    if interval.ci is None or interval.error is None or not 0 <= share <= 1:
        return interval
    spread = share * (1 - share) / interval.error**2 if interval.error > 0 else np.inf
    if clusters is None:
        effective = min(n, spread) if resampled and spread > 0 else n
        notes = [f"{effective:.0f} of {n} images effective"] if effective < n - 0.5 else []
        notes += [f"{interval.undefined} undefined"] if interval.undefined else []
        label = "iid-wilson" + (f" ({', '.join(notes)})" if notes else "")
        return interval._replace(ci=wilson(share, effective), label=label)
    from scipy.special import stdtrit  # here, since scipy costs a third of a second to import

    held, units, df = int((clusters.images > 0).sum()), clusters.effective, clusters.degrees(share)
    effective = min(n, spread) if 0 < spread < np.inf else units
    what = f"{held} clusters{by(interval.size)}, {units:.1f} effective, {effective:.0f} of {n} images effective"
    label = f"cluster-wilson-t ({what}, {df:.1f} degrees of freedom{none_by(interval.by_size)})"
    return interval._replace(ci=wilson(share, effective, float(stdtrit(df, 0.975))), label=label)
