"""Delete-a-group jackknife, for figures whose predictions are too expensive to recompute for every image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from senbench.scoring.intervals.clustered import effective_clusters, jackknife, too_few
from senbench.scoring.intervals.interval import Interval

if TYPE_CHECKING:
    from collections.abc import Callable

    from senbench.scoring import Array, Index
    from senbench.scoring.intervals.interval import Statistic
    from senbench.scoring.sample import Sample

MOST_GROUPS = 20
"""Most groups left out; the predictions are recomputed once for each."""
MOST_CELLS = 1_000_000
"""Images times classes above which no interval is computed, since 20 predictions would take minutes."""


def grouped(codes: Index, seed: int) -> Index:
    """Form at most `MOST_GROUPS` groups of whole units with about equal numbers of images, 0..G-1, (N,).

    Args:
        codes: Unit of each image, a cluster or the image itself, 0..U-1, (N,).
        seed: Seed of their order.
    """
    sizes = np.bincount(codes)
    most = min(MOST_GROUPS, len(sizes))
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    group, filled = np.empty(len(sizes), np.int64), np.zeros(most)
    for unit in order:  # the largest units first, each to the group with fewest images
        group[unit] = lightest = int(filled.argmin())
        filled[lightest] += sizes[unit]
    return np.asarray(group[codes])


def intervals(
    totals_without: Callable[[Index], Array], statistic: Statistic, estimate: Array, sample: Sample, seed: int
) -> list[Interval]:
    """95 % intervals of all metrics: estimate -+ t times the error from leaving out each group in turn.

    The delete-a-group jackknife (Kott 2001): the groups are whole clusters, or images where positions are unknown.

    Args:
        totals_without: Groups (N,) -> totals with each group left out and the others predicted again, (G, K).
        statistic: The metrics, M.
        estimate: Metrics of the whole sample, (M,).
        sample: The images.
        seed: Seed of the groups.

    Returns:
        One interval per metric, in order, or the reason why there is none.
    """
    m, units = len(estimate), len(sample.sizes)
    if (cells := len(sample.labels) * len(sample.class_keys)) > MOST_CELLS:
        why = f"none: {MOST_GROUPS} predictions anew cost too much for {cells:,} scores (at most {MOST_CELLS:,})"
        return [Interval(None, why)] * m
    what = "images" if sample.clusters is None else "clusters"
    if reason := too_few(units):
        return [Interval(None, reason.replace("clusters", what))] * m
    codes = grouped(sample.codes, seed)
    counts = np.bincount(codes)
    left_out, effective = statistic.of(totals_without(codes)), effective_clusters(counts)
    label = f"group-jackknife-t ({len(counts)} groups of {units:,} {what}, predicted anew)"
    of_metrics = [jackknife(left_out[:, j], estimate[j], np.nan, statistic.bounds[j], effective) for j in range(m)]
    return [one if one.ci is None else one._replace(label=label) for one in of_metrics]
