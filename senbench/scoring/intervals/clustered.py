"""The interval of a figure over spatial clusters: leave-one-cluster-out jackknife with t quantiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.scoring.intervals.interval import BLOCK_CELLS, BLOCK_ROWS, Interval, clip

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from senbench.scoring import Array, Float, Index

MIN_CLUSTERS = 5
"""Fewest clusters for an interval."""


def too_few(n_clusters: int) -> str:
    """Return `none: <reason>` if there are too few clusters for an interval, otherwise an empty string."""
    if n_clusters < 2:
        return "none: all images are in one cluster"
    if n_clusters < MIN_CLUSTERS:
        return f"none: {n_clusters} clusters, {MIN_CLUSTERS} are needed"
    return ""


def leave_out_weights(codes: Index, n_clusters: int) -> Iterator[Float]:
    """Yield weights that are 0 for one cluster and 1 elsewhere, for each cluster in turn.

    Args:
        codes: Cluster of each image, 0..n_clusters-1, (N,).
        n_clusters: G.

    Yields:
        float32 blocks (g, N), `n_clusters` rows in all.
    """
    step = int(np.clip(BLOCK_CELLS // len(codes), 1, BLOCK_ROWS))
    for start in range(0, n_clusters, step):
        block = np.arange(start, min(start + step, n_clusters))
        yield (codes[None] != block[:, None]).astype(np.float32)


def sums_by_cluster(columns: NDArray[Any], codes: Index, n_clusters: int) -> Array:
    """Sums of columns (N, K) over the images of each cluster, float64 (G, K)."""
    out = np.empty((n_clusters, columns.shape[1]))
    for k, column in enumerate(columns.T):
        out[:, k] = np.bincount(codes, column, minlength=n_clusters)
    return out


def effective_clusters(sizes: NDArray[Any]) -> float:
    """G* = n^2 / sum of squared cluster sizes (G,): G where they are equal, fewer where they are not."""
    sizes = np.asarray(sizes, np.float64)
    return float(sizes.sum() ** 2 / np.square(sizes).sum())


def jackknife_error(left_out: Array) -> float:
    """Leave-one-cluster-out standard error from the values without each cluster, (G,)."""
    g = len(left_out)
    return float(np.sqrt((g - 1) / g * np.square(left_out - left_out.mean()).sum()))


def jackknife(
    left_out: Array, estimate: float, iid_variance: float, bounds: Array, effective: float, size: str = ""
) -> Interval:
    """Estimate -+ t(G* - 1, 0.975) x the leave-one-cluster-out error.

    Args:
        left_out: Metric without each cluster, (G,).
        estimate: Metric of the whole sample.
        iid_variance: Its variance as if images were independent; NaN where unknown.
        bounds: Lower and upper end of its range, (2,).
        effective: G*, the effective number of clusters.
        size: Block size of the clusters, for the label; empty if it has no name.

    Returns:
        The interval with its design effect; none if the metric is undefined without some cluster.
    """
    from scipy.special import stdtrit  # here, since scipy costs a third of a second to import

    g = len(left_out)
    undefined = int(np.isnan(left_out).sum())
    if undefined or np.isnan(estimate):
        return Interval(None, f"none: undefined with {undefined} of {g} clusters left out", undefined)
    error = jackknife_error(left_out)
    half = float(stdtrit(max(effective - 1, 1), 0.975)) * error
    effect = error**2 / iid_variance if iid_variance > 0 else None
    note = f", design effect {effect:.2f}" if effect is not None else ""
    ci = clip(estimate - half, estimate + half, bounds)
    label = f"cluster-jackknife-t ({g} clusters{by(size)}, {effective:.1f} effective{note})"
    return Interval(ci, label, 0, effect, error, size)


def by(size: str) -> str:
    """Return ` by <size>` for labels; empty if the size has no name."""
    return f" by {size}" if size else ""
