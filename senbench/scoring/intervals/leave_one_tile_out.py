"""Average precision for many weightings of whole clusters: leave-one-out values and resamples in one pass."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from senbench.runtime.blas import one_thread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from senbench.scoring import Array, Float, Index
    from senbench.scoring.multi_label.ranking import Ranking

Real = NDArray[np.floating[Any]]

RESAMPLES = 1000
"""Resamples of clusters."""
EXACT = 1 << 24
"""Integers, sums and products below this value are exact in float32."""
_CHUNK = 256
"""Positives per block, whose counts and products fit into the processor's cache."""


def leave_one_out(n_clusters: int) -> Array:
    """Return the weight of each cluster when each is left out in turn, (G, G)."""
    return 1.0 - np.eye(n_clusters)


def resamples(n_clusters: int, seed: int, times: int = RESAMPLES) -> Float:
    """Return how often each cluster is drawn when G are drawn with replacement.

    Args:
        n_clusters: G.
        seed: Seed of the draws.
        times: Number of resamples.

    Returns:
        Whole numbers, float32 (times, G); each row sums to G.
    """
    return np.random.default_rng(seed).multinomial(n_clusters, [1 / n_clusters] * n_clusters, times).astype(np.float32)


def average_precision(rankings: Sequence[Ranking], codes: Index, times: Real) -> Array:
    """Average precision of each ranking when the images of cluster g count times[r, g] times.

    At a positive, the weight at or above it is its count of places by cluster times the weights of the
    clusters: a matrix product over all weightings, from a ranking sorted once. Weights are integers, so that
    sums are exact before the division. Equal to `Ranking.average_precision` to 1e-13 if `times` is float64, and to
    1e-6 if it is float32, which takes half the time.

    Args:
        rankings: Rankings of the same images, L.
        codes: Cluster of each image, 0..G-1, (N,).
        times: Whole numbers, (R, G), float32 or float64.

    Returns:
        float64 (R, L) in 0..1; NaN where a weighting leaves a ranking without a positive.
    """
    out = np.zeros((len(times), len(rankings)))
    places = np.bincount(codes, minlength=times.shape[1]) * (max(len(r.order) for r in rankings) / len(codes))
    if (times @ places).max() >= EXACT:
        times = times.astype(np.float64)
    by_cluster = np.ascontiguousarray(times.T)
    with one_thread(), ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        for j, ranking in enumerate(rankings):
            chunks = _chunks(ranking, codes, len(by_cluster))
            for part in pool.map(partial(_gains, by_cluster), chunks):
                out[:, j] += part  # added in order, so that the sum does not depend on the number of threads
            held = np.bincount(codes[ranking.order[ranking.positives]], minlength=len(by_cluster))
            with np.errstate(invalid="ignore"):
                out[:, j] /= times @ held.astype(np.float64)
    return out


def _chunks(ranking: Ranking, codes: Index, n_clusters: int) -> Iterator[tuple[_Run, _Run, Index]]:
    """Yield for each block of positives the places up to each, the positives up to each, and their clusters."""
    places = codes[ranking.order]
    own_clusters = places[ranking.positives]
    above, hits = _runs(ranking.ends, places, n_clusters), _runs(ranking.upto, own_clusters, n_clusters)
    for start, a, h in zip(range(0, len(own_clusters), _CHUNK), above, hits, strict=True):
        yield a, h, own_clusters[start : start + _CHUNK]


class _Run(NamedTuple):
    """Number of entries by cluster up to each of a block of ends."""

    before: Index
    """Entries of each cluster before the run, (G,)."""
    upto: Index
    """Entries of the run up to each end, ascending, (K,)."""
    clusters: Index
    """Cluster of each entry of the run, (upto[-1],)."""

    def counts(self, dtype: np.dtype[Any]) -> Real:
        """Entries of each cluster up to each end, (K, G)."""
        k, g = len(self.upto), len(self.before)
        owner = np.repeat(np.arange(k) * g, np.diff(self.upto, prepend=0))
        cells = np.bincount(owner + self.clusters, minlength=k * g).reshape(k, g)
        cells[0] += self.before
        return np.cumsum(cells, axis=0, dtype=dtype)


def _runs(ends: Index, clusters: Index, n_clusters: int) -> Iterator[_Run]:
    before, start = np.zeros(n_clusters, np.int64), 0
    for first in range(0, len(ends), _CHUNK):
        upto = ends[first : first + _CHUNK] + 1 - start
        inside = clusters[start : start + upto[-1]]
        yield _Run(before, upto, inside)
        before = before + np.bincount(inside, minlength=n_clusters)
        start += int(upto[-1])


def _gains(by_cluster: Real, chunk: tuple[_Run, _Run, Index]) -> Real:
    """Sum over a run of positives of weight x precision for every weighting, (R,)."""
    above, hits, own_clusters = chunk
    weight = above.counts(by_cluster.dtype) @ by_cluster
    np.maximum(weight, 1, out=weight)  # no weight at or above: no hits either
    precision = hits.counts(by_cluster.dtype) @ by_cluster
    precision /= weight
    precision *= by_cluster[own_clusters]
    return np.asarray(precision.sum(axis=0))
