"""Two models on the same images: their difference from leave-one-tile-out values alone, without predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from senbench.errors import UsageError
from senbench.scoring.stats import effective_clusters, jackknife_error, too_few

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class PairedDifference:
    """First minus second on the same images.

    Attributes:
        difference: First value minus second.
        ci: 95 % interval, None where none can be given.
        error: Clustered standard error of the difference, None where none can be given.
        p: Two-sided p of no difference, None where none can be given.
        clusters: Number of clusters.
        effective: Effective number of clusters; t has one degree of freedom less.
        interval: `paired-cluster-jackknife-t (...)` or `none: <reason>`.
    """

    difference: float
    ci: tuple[float, float] | None
    error: float | None
    p: float | None
    clusters: int
    effective: float
    interval: str


def paired_difference(
    replicates_a: Mapping[str, float],
    replicates_b: Mapping[str, float],
    *,
    value_a: float,
    value_b: float,
    sizes: Mapping[str, int],
) -> PairedDifference:
    """Difference of one metric between two models on the same images, clustered.

    The difference is left-one-out itself, so that what both models find hard in a tile cancels. The
    caller sees to it that the images and labels are the same (index hash of the results).

    Args:
        replicates_a: Cluster name -> metric of the first without that cluster (`MultiScored.replicates`).
        replicates_b: The same of the second.
        value_a: Metric of the first on all images.
        value_b: Metric of the second on all images.
        sizes: Cluster name -> number of images (`Clustering.sizes`).

    Returns:
        Difference with interval and p, from t with G* - 1 degrees of freedom as for single figures.

    Raises:
        UsageError: The clusters differ.
    """
    if odd := sorted(set(replicates_a) ^ set(replicates_b) | set(replicates_a) ^ set(sizes)):
        more = f" and {len(odd) - 1} more" if len(odd) > 1 else ""
        raise UsageError(f"cluster {odd[0]!r}{more} not in both results: a paired difference needs the same images")
    names = sorted(replicates_a)
    left_out = np.array([replicates_a[name] - replicates_b[name] for name in names])
    effective = effective_clusters(np.array([sizes[name] for name in names])) if names else 0.0
    difference = value_a - value_b

    def nothing(reason: str) -> PairedDifference:
        return PairedDifference(difference, None, None, None, len(names), effective, reason)

    if reason := too_few(len(names)):
        return nothing(reason)
    if not np.isfinite([*left_out, difference]).all():
        return nothing("none: undefined with a cluster left out")
    from scipy.special import stdtr, stdtrit  # here, since scipy costs a third of a second to import

    error = jackknife_error(left_out)
    df = max(effective - 1, 1.0)
    if error == 0:  # the same predictions, or a difference that no tile has a part in
        p = 1.0 if difference == 0 else None
        return PairedDifference(difference, None, 0.0, p, len(names), effective, "none: all clusters agree exactly")
    half = float(stdtrit(df, 0.975)) * error
    label = f"paired-cluster-jackknife-t ({len(names)} clusters, {effective:.1f} effective)"
    p = float(2 * stdtr(df, -abs(difference) / error))
    ci = (difference - half, difference + half)
    return PairedDifference(difference, ci, error, p, len(names), effective, label)
