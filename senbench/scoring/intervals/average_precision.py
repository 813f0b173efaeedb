"""Uncertainty of metrics that depend on average precisions and sums over images, from rankings sorted once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.scoring.intervals import leave_one_tile_out
from senbench.scoring.intervals.block_sizes import BlockSizes
from senbench.scoring.intervals.bootstrap import FixedSums, intervals
from senbench.scoring.intervals.clustered import (
    effective_clusters,
    jackknife,
    leave_out_weights,
    sums_by_cluster,
    too_few,
)
from senbench.scoring.intervals.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from senbench.scoring import Array, Float, Index
    from senbench.scoring.intervals.interval import Statistic
    from senbench.scoring.multi_label.ranking import Ranking

MAX_CLUSTERS = 300
"""Most clusters left out exactly; for more, first order is accurate enough, and none are resampled."""
IMAGE_RESAMPLES = 500
"""Resamples of images if there are no clusters; each takes a pass over all scores."""
_BLOCK = 1 << 13


@dataclass(frozen=True)
class Spread:
    """Metrics with their intervals, and the values from which these were computed.

    Attributes:
        estimate: Metrics of the whole sample, NaN where undefined, (M,).
        intervals: One per metric.
        left_out: Block size -> metrics without each cluster, (G, M), the result's own size first; empty if there are
            too few clusters, or none.
        resampled: Metrics of 1,000 resamples of clusters, (R, M); None if `left_out` is empty, above `MAX_CLUSTERS`, or
            not requested.
        sizes: Cluster name -> images, by name; empty without clusters.
    """

    estimate: Array
    intervals: list[Interval]
    left_out: dict[str, Array]
    resampled: Array | None
    sizes: dict[str, int]

    @property
    def replicates(self) -> Array | None:
        """Return the metrics without each cluster of the result's own block size, (G, M), or None."""
        return next(iter(self.left_out.values()), None)


@dataclass(frozen=True)
class _Totals:
    """Average precision of each ranking, then sums over images, for any weighting of the images."""

    rankings: tuple[Ranking, ...]
    sums: FixedSums

    @property
    def n(self) -> int:
        return self.sums.n

    def resampled(self, weights: Float) -> Array:
        precision = [[ranking.average_precision(w) for ranking in self.rankings] for w in weights]
        return np.concatenate([np.array(precision), self.sums.resampled(weights)], axis=1)

    def without(self, codes: Index, n_clusters: int) -> Array:
        return np.concatenate([self.resampled(w) for w in leave_out_weights(codes, n_clusters)])


def spread(
    rankings: tuple[Ranking, ...],
    rows: Array,
    statistic: Statistic,
    *,
    clusters: NDArray[Any] | BlockSizes | None = None,
    resample: bool = True,
    seed: int = 0,
) -> Spread:
    """Metrics with 95 % intervals (docs/methods.md, "Multi-label figures").

    Args:
        rankings: Rankings of the same images, L.
        rows: Contribution of each image to the sums, (N, K); K may be 0.
        statistic: The metrics, M, of average precisions and sums, (..., L + K).
        clusters: Spatial cluster per image, (N,); of several block sizes, the largest standard error is used, and
            values without each cluster are those of the own size. None if positions are unknown.
        resample: Whether to resample clusters in addition to leaving them out.
        seed: Seed of the resamples.

    Returns:
        Without clusters: intervals by a bootstrap over images, centred on the estimate. With clusters:
        by leave-one-cluster-out jackknife.
    """
    n = len(rows)
    ones = np.ones(n, np.float32)
    totals = np.concatenate([[ranking.average_precision(ones) for ranking in rankings], rows.sum(axis=0)])
    estimate = statistic.of(totals)
    if clusters is None:
        of_metrics = intervals(
            _Totals(rankings, FixedSums(rows.astype(np.float32))),
            statistic,
            estimate,
            recentre=np.ones(len(estimate), bool),
            resamples=IMAGE_RESAMPLES,
            seed=seed,
        )
        return Spread(estimate, of_metrics, {}, None, {})
    by_size = BlockSizes.of(clusters)
    names, codes, counts = np.unique(by_size.clusters[by_size.own], return_inverse=True, return_counts=True)
    sizes = {str(name): int(count) for name, count in zip(names, counts, strict=True)}
    g = len(names)
    if reason := too_few(g):
        return Spread(estimate, [Interval(None, reason)] * len(estimate), {}, None, sizes)
    influence = np.stack([ranking.influence(n) for ranking in rankings], axis=1)
    variance = image_variance(influence, rows, statistic.of, totals)

    def weighted(times: NDArray[Any], codes: Index, sums: Array) -> Array:
        return statistic.of(
            np.concatenate([leave_one_tile_out.average_precision(rankings, codes, times), times @ sums], axis=1)
        )

    def without(codes: Index, n_clusters: int) -> Array:
        sums = sums_by_cluster(rows, codes, n_clusters)
        if n_clusters > MAX_CLUSTERS:
            parts = [sums_by_cluster(influence, codes, n_clusters), sums]
            return statistic.of(totals - np.concatenate(parts, axis=1))
        return weighted(leave_one_tile_out.leave_one_out(n_clusters), codes, sums)

    usable = by_size.usable()
    every = {size: without(others, int(others.max()) + 1) for size, others in usable.items()}
    resampled = None
    if resample and g <= MAX_CLUSTERS:
        resampled = weighted(leave_one_tile_out.resamples(g, seed), codes, sums_by_cluster(rows, codes, g))
    effective = {size: effective_clusters(np.bincount(others)) for size, others in usable.items()}
    of_metrics = by_size.largest(
        {
            size: [
                jackknife(values[:, j], estimate[j], variance[j], bounds, effective[size], size)
                for j, bounds in enumerate(statistic.bounds)
            ]
            for size, values in every.items()
        }
    )
    if resampled is not None:
        undefined = np.isnan(resampled).sum(axis=0)
        of_metrics = [interval._replace(undefined=int(u)) for interval, u in zip(of_metrics, undefined, strict=True)]
    return Spread(estimate, of_metrics, {by_size.own: every.pop(by_size.own), **every}, resampled, sizes)


def image_variance(influence: Array, rows: Array, statistic: Callable[[Array], Array], totals: Array) -> Array:
    """Variance of each metric as if images were independent: the jackknife over single images.

    Sums lose each image in turn; average precisions change by their derivative, which differs from leaving
    the image out by a term of the order of 1 / n.

    Args:
        influence: Derivative of each average precision with respect to each image's weight, (N, L).
        rows: Contributions to the sums, (N, K).
        statistic: Average precisions and sums (..., L + K) -> metrics (..., M).
        totals: Its argument for the whole sample, (L + K,).

    Returns:
        (M,); NaN if a metric is undefined without some image.
    """
    n, estimate = len(rows), statistic(totals)
    first, second = np.zeros(len(estimate)), np.zeros(len(estimate))
    for start in range(0, n, _BLOCK):
        part = slice(start, start + _BLOCK)
        change = statistic(totals - np.concatenate([influence[part], rows[part]], axis=1)) - estimate
        first += change.sum(axis=0)
        second += np.square(change).sum(axis=0)
    return np.asarray((second - first**2 / n) * (n - 1) / n)
