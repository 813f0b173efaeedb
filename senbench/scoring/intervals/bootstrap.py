"""95 % intervals of metrics that depend on sums over images: bootstrap over images, or the clustered jackknife."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from senbench.runtime.blas import one_thread
from senbench.scoring.intervals.block_sizes import BlockSizes
from senbench.scoring.intervals.clustered import effective_clusters, jackknife, sums_by_cluster, too_few
from senbench.scoring.intervals.interval import BLOCK_CELLS, BLOCK_ROWS, Interval, clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from senbench.scoring import Array, Float, Index, Mask
    from senbench.scoring.intervals.interval import Statistic

RESAMPLES = 2000
"""Bootstrap resamples of every i.i.d. interval."""
DESIGN_RESAMPLES = 400
"""Resamples for the i.i.d. error in the design effect, whose relative error is then 3.5 %."""
MAX_REFUSED = 0.05
"""Largest share of undefined resamples with which an interval is still given."""
_COLUMNS = 16
"""Number of columns whose multiples BLAS processes at full speed: 80 columns take 5/6 of the time of 79."""


class Totals(Protocol):
    """Sums over images that determine every metric, for any weighting of the images."""

    @property
    def n(self) -> int:
        """Number of images."""

    def resampled(self, weights: Float) -> Array:
        """Return totals (R, K) when image i counts weights[r, i] times; an undefined row is NaN."""

    def without(self, codes: Index, n_clusters: int) -> Array:
        """Totals (G, K) with each cluster left out in turn; codes (N,) name the cluster 0..G-1."""


@dataclass(frozen=True)
class FixedSums:
    """Totals of predictions that do not depend on the rest of the sample.

    Attributes:
        rows: Contribution of each image, float32 (N, K).
    """

    rows: Float

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.rows)

    def resampled(self, weights: Float) -> Array:
        """Totals (R, K): one matrix product."""
        return (weights @ self._wide)[:, : self.rows.shape[1]].astype(np.float64)

    @cached_property
    def _wide(self) -> Float:
        """Pad the rows with columns of zeros to a multiple of `_COLUMNS`."""
        short = -self.rows.shape[1] % _COLUMNS
        return np.pad(self.rows, ((0, 0), (0, short))) if short else self.rows

    def without(self, codes: Index, n_clusters: int) -> Array:
        """Totals (G, K) with each cluster left out in turn."""
        sums = sums_by_cluster(self.rows, codes, n_clusters)
        return np.asarray(sums.sum(axis=0) - sums)


def bootstrap_weights(n: int, resamples: int, seed: int) -> Iterator[Float]:
    """How often each of n images is drawn, n draws with replacement per resample.

    Args:
        n: Number of images.
        resamples: Number of resamples.
        seed: Seed of the draws.

    Yields:
        float32 blocks (r, n), `resamples` rows in all.
    """
    rng = np.random.default_rng(seed)
    rows = int(np.clip(BLOCK_CELLS // n, 1, BLOCK_ROWS))

    def draw_block(start: int) -> NDArray[np.uint32]:
        return rng.integers(0, n, (min(rows, resamples - start), n), dtype=np.uint32)

    with ThreadPoolExecutor(1) as ahead:  # the next block is drawn while the present one is used
        coming = ahead.submit(draw_block, 0)
        for start in range(0, resamples, rows):
            drawn = coming.result()
            coming = ahead.submit(draw_block, min(start + rows, resamples))
            block = np.empty(drawn.shape, np.float32)
            for counts, images in zip(block, drawn, strict=True):
                counts[:] = np.bincount(images, minlength=n)
            yield block


def intervals(
    totals: Totals,
    statistic: Statistic,
    estimate: Array,
    *,
    recentre: Mask | None = None,
    clusters: NDArray[Any] | BlockSizes | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Interval]:
    """95 % intervals of all metrics from one pass over the resamples.

    Without clusters: percentile bootstrap over images. With clusters: estimate -+ t(G* - 1, 0.975) times
    the leave-one-cluster-out jackknife standard error, since the percentile bootstrap covers too little
    with few unequal clusters. G* = n^2 / sum of squared cluster sizes is the effective number of clusters
    (G where they are equal; after Carter, Schnepel and Steigerwald 2017). The design effect is the square
    of the jackknife error over that of the i.i.d. bootstrap.

    Args:
        totals: Sums behind the metrics.
        statistic: The metrics, M.
        estimate: Metrics of the whole sample, (M,).
        recentre: Metrics whose resamples are shifted to be centred on the estimate, bool (M,), because the additional
            noise of a resample biases quadratic metrics upwards.
        clusters: Cluster of each image, (N,), any sortable values; of several block sizes, the largest standard error
            is used. None if positions are unknown.
        resamples: Bootstrap resamples.
        seed: Seed of the bootstrap.

    Returns:
        One interval per metric, in order, or the reason why there is none.
    """
    n, m = totals.n, len(estimate)
    if n < 2:
        return [Interval(None, "none: a single image")] * m
    sizes = None if clusters is None else BlockSizes.of(clusters)
    if sizes is not None:
        resamples = min(resamples, DESIGN_RESAMPLES)
        if reason := too_few(int(sizes.codes[sizes.own].max()) + 1):
            return [Interval(None, reason)] * m
    with one_thread():
        resampled = np.concatenate([statistic.of(totals.resampled(w)) for w in bootstrap_weights(n, resamples, seed)])
    if sizes is None:
        centred = np.zeros(m, bool) if recentre is None else recentre
        return [
            _percentile(resampled[:, j], estimate[j], statistic.bounds[j], recentre=bool(centred[j])) for j in range(m)
        ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a metric undefined in every resample has no variance
        variance = np.nanvar(resampled, axis=0)
    by_block = {}
    for size, codes in sizes.usable().items():
        counts = np.bincount(codes)
        left_out, effective = statistic.of(totals.without(codes, len(counts))), effective_clusters(counts)
        by_block[size] = [
            jackknife(left_out[:, j], estimate[j], variance[j], statistic.bounds[j], effective, size) for j in range(m)
        ]
    return sizes.largest(by_block)


def _percentile(resampled: Array, estimate: float, bounds: Array, *, recentre: bool) -> Interval:
    defined = resampled[~np.isnan(resampled)]
    undefined = len(resampled) - len(defined)
    if undefined > MAX_REFUSED * len(resampled) or np.isnan(estimate):
        return Interval(None, f"none: undefined in {undefined} of {len(resampled)} resamples", undefined)
    # as np.quantile, whose import of numpy.ma takes 1 % of a run on cached embeddings
    last = len(defined) - 1
    low, high = np.interp([0.025 * last, 0.975 * last], np.arange(len(defined)), np.sort(defined))
    if recentre:
        shift = estimate - defined.mean()
        low, high = low + shift, high + shift
    notes = [f"{len(resampled)} resamples"] if len(resampled) != RESAMPLES else []
    notes += [f"{undefined} undefined"] if undefined else []
    label = "iid-bootstrap" + (f" ({', '.join(notes)})" if notes else "")
    return Interval(clip(low, high, bounds), label, undefined, error=float(defined.std()))
