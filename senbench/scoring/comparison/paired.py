"""Paired difference of two models from leave-one-out values alone, without predictions."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.scoring.intervals.block_sizes import BlockSizes, largest_of, none_by
from senbench.scoring.intervals.clustered import by, effective_clusters, jackknife_error, too_few

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from senbench.schema.result import BlockError


MARGIN = 0.01
"""Difference, as a share, below which two figures count as equivalent: one percentage point."""
MANY = 10_000
"""Degrees of freedom from which t is treated as normal."""


@dataclass(frozen=True)
class PairedDifference:
    """First minus second on the same images.

    Attributes:
        difference: First value minus second.
        ci: 95 % interval, or None.
        error: Clustered standard error of the difference, or None.
        p: Two-sided p of no difference, or None; by the same test as `ci`.
        clusters: Number of clusters.
        effective: Effective number of clusters; t has one degree of freedom less.
        interval: `paired-cluster-jackknife-t (...)` or `none: <reason>`.
        size: Block size of the clusters used, such as `25 km`; empty if there is one size only, or none.
        by_size: Standard error by block size; empty as `size`.
    """

    difference: float
    ci: tuple[float, float] | None
    error: float | None
    p: float | None
    clusters: int
    effective: float
    interval: str
    size: str = ""
    by_size: tuple[BlockError, ...] = ()

    @property
    def df(self) -> float:
        """Return the degrees of freedom of the error."""
        return max(self.effective - 1, 1.0)

    def at(self, alpha: float) -> PairedDifference:
        """Return the same with an interval of level 1 - alpha, which excludes 0 if p is below alpha."""
        if self.error is None or self.ci is None:
            return self
        from scipy.special import stdtrit  # here, since scipy costs a third of a second to import

        half = float(stdtrit(self.df, 1 - alpha / 2)) * self.error
        return replace(self, ci=(self.difference - half, self.difference + half))

    def p_equivalent(self, margin: float = MARGIN) -> float | None:
        """P of two one-sided tests that the difference is at least the margin away from 0, either way.

        Below 0.05, the two are equivalent within the margin: the 90 % interval lies inside it (Schuirmann 1987,
        Journal of Pharmacokinetics and Biopharmaceutics 15:657). A difference that is not significant is not thereby
        equivalent.

        Args:
            margin: Largest difference, as a share, that does not matter, above 0.

        Returns:
            The larger p of the two; None without an error.
        """
        if self.error is None:
            return None
        if self.error == 0:
            return 0.0 if abs(self.difference) < margin else 1.0
        from scipy.special import stdtr

        return float(stdtr(self.df, -(margin - abs(self.difference)) / self.error))


def from_left_out(
    difference: float, left_out: NDArray[np.float64], sizes: NDArray[Any], *, images: bool = False, size: str = ""
) -> PairedDifference:
    """Return the difference of a metric between two models from its values without each cluster.

    Clusters are left out of the difference itself, so that errors which both models share cancel. The caller ensures
    that images, labels and clusters are the same (index hash of the results).

    Args:
        difference: First minus second on all images.
        left_out: The same without each cluster, (G,).
        sizes: Images of each cluster, (G,).
        images: Whether each cluster is a single image, because positions are unknown; stated in the label.
        size: Block size of the clusters, for the label; empty if it has no name.

    Returns:
        Difference with interval and p, from t with G* - 1 degrees of freedom as for single figures.
    """
    g = len(sizes)
    effective = effective_clusters(sizes) if g else 0.0

    def nothing(reason: str) -> PairedDifference:
        return PairedDifference(difference, None, None, None, g, effective, reason, size)

    if reason := too_few(g):
        return nothing(reason.replace("cluster", "image") if images else reason)
    if not np.isfinite([*left_out, difference]).all():
        return nothing("none: undefined with a cluster left out")
    from scipy.special import stdtr, stdtrit  # here, since scipy costs a third of a second to import

    error = jackknife_error(left_out)
    if error == 0:  # the same predictions, or a difference to which no tile contributes
        p = 1.0 if difference == 0 else None
        which = "images" if images else "clusters"
        return PairedDifference(difference, None, 0.0, p, g, effective, f"none: all {which} agree exactly", size)
    df = max(effective - 1, 1.0)
    half = float(stdtrit(df, 0.975)) * error
    label = f"paired-cluster-jackknife-t ({g} clusters{by(size)}, {effective:.1f} effective)"
    if images:
        label = f"paired-iid-jackknife-t ({g} images; too narrow where images share a place)"
    p = float(2 * stdtr(df, -abs(difference) / error))
    ci = (difference - half, difference + half)
    return PairedDifference(difference, ci, error, p, g, effective, label, size)


def by_largest(
    difference: float, left_out: Mapping[str, NDArray[np.float64]], sizes: BlockSizes, *, images: bool = False
) -> PairedDifference:
    """Return the difference of a metric between two models with the largest of its standard errors by block size.

    Args:
        difference: First minus second on all images.
        left_out: Block size -> the same without each cluster, (G,); includes `sizes.own`.
        sizes: The clusters of all block sizes.
        images: As in `from_left_out`.

    Returns:
        The difference by the size with the largest error, as for single figures; without an error if there is none for
        `sizes.own`.
    """
    by_block = {
        size: from_left_out(difference, values, np.bincount(sizes.codes[size]), images=images, size=size)
        for size, values in left_out.items()
    }
    at_own_size = by_block[sizes.own]
    if at_own_size.error is None or len(sizes.clusters) == 1:
        return at_own_size
    errors = {size: one.error for size, one in by_block.items()}
    taken, table = by_block[largest_of(errors)], sizes.table(errors)
    if taken.ci is None:
        return replace(taken, by_size=table)
    return replace(taken, interval=f"{taken.interval.removesuffix(')')}{none_by(table)})", by_size=table)


def minimum_detectable(error: float, df: float = math.inf, tests: int = 1) -> float:
    """Smallest true difference that this study detects with a power of 80 % in a two-sided test at 5 %.

    If the error is estimated with few degrees of freedom, the test's quantile is that of t, and the power is that
    of the noncentral t distribution: the noncentrality at which it exceeds the quantile with probability 0.80. With
    many degrees of freedom this is (z.975 + z.80) x error = 2.80 x error, with 9 it is 3.15, with 4 it is 3.76. In a
    family, the quantile is that of Holm's first step, 1 - 0.025 / tests, which every pair has to pass at worst.

    Args:
        error: Standard error of the difference.
        df: Its degrees of freedom.
        tests: Number of tests of the family, M (M - 1) / 2 for all pairs of M models.
    """
    from scipy.special import nctdtrinc, ndtri, stdtrit

    tail = 1 - 0.025 / tests
    if df > MANY:
        return float(ndtri(tail) + ndtri(0.8)) * error
    return float(nctdtrinc(df, 0.2, stdtrit(df, tail))) * error
