"""Two models on the same images: their difference from leave-one-tile-out values alone, without predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.scoring.intervals.clustered import effective_clusters, jackknife_error, too_few

if TYPE_CHECKING:
    from numpy.typing import NDArray


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


def from_left_out(
    difference: float, left_out: NDArray[np.float64], sizes: NDArray[Any], *, images: bool = False
) -> PairedDifference:
    """Difference of one metric between two models from its values without each cluster.

    The difference is left-one-out itself, so that what both models find hard in a tile cancels. The caller sees to it
    that images, labels and clusters are the same (index hash of the results).

    Args:
        difference: First minus second on all images.
        left_out: The same without each cluster, (G,).
        sizes: Images of each cluster, (G,).
        images: Whether each cluster is a single image, because positions are unknown: the label says so.

    Returns:
        Difference with interval and p, from t with G* - 1 degrees of freedom as for single figures.
    """
    g = len(sizes)
    effective = effective_clusters(sizes) if g else 0.0

    def nothing(reason: str) -> PairedDifference:
        return PairedDifference(difference, None, None, None, g, effective, reason)

    if reason := too_few(g):
        return nothing(reason.replace("cluster", "image") if images else reason)
    if not np.isfinite([*left_out, difference]).all():
        return nothing("none: undefined with a cluster left out")
    from scipy.special import stdtr, stdtrit  # here, since scipy costs a third of a second to import

    error = jackknife_error(left_out)
    df = max(effective - 1, 1.0)
    if error == 0:  # the same predictions, or a difference that no tile has a part in
        p = 1.0 if difference == 0 else None
        which = "images" if images else "clusters"
        return PairedDifference(difference, None, 0.0, p, g, effective, f"none: all {which} agree exactly")
    half = float(stdtrit(df, 0.975)) * error
    label = f"paired-cluster-jackknife-t ({g} clusters, {effective:.1f} effective)"
    if images:
        label = f"paired-iid-jackknife-t ({g} images; too narrow where images share a place)"
    p = float(2 * stdtr(df, -abs(difference) / error))
    ci = (difference - half, difference + half)
    return PairedDifference(difference, ci, error, p, g, effective, label)


def minimum_detectable(error: float) -> float:
    """Smallest true difference found in 4 of 5 studies by a two-sided 5 % test: (z.975 + z.80) x its error."""
    from scipy.special import ndtri

    return float(ndtri(0.975) + ndtri(0.8)) * error
