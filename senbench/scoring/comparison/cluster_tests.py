"""Means over few, unequal clusters: CR2 t intervals, cluster sign-flip tests, wild cluster bootstrap intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.scoring import Array


EXACT_CLUSTERS = 12
"""Largest number of clusters for which all 2^G sign patterns are enumerated."""
MIN_WILD_CLUSTERS = 6
"""Fewest clusters for which a pattern can be rare enough for 5 %."""
DRAWS = 4095
"""Random sign patterns for more clusters: p is a multiple of 1/4096."""


class ClusterMean(NamedTuple):
    """A mean with its cluster-robust error."""

    mean: float
    error: float
    """CR2 standard error."""
    df: float
    """Satterthwaite degrees of freedom of its square."""
    ci: tuple[float, float]
    """Mean -+ t(0.975; df) x error."""


def cluster_robust(sums: NDArray[Any], sizes: NDArray[Any]) -> ClusterMean:
    """Mean over all images with the bias-reduced error CR2 and its own degrees of freedom.

    Bell and McCaffrey (2002). For a mean, (I - H_gg)^(-1/2) acts on the sum of a cluster's residuals u_g by
    1 / sqrt(1 - n_g / n), so that var = sum of u_g^2 / (n^2 (1 - n_g / n)); df from independent errors as the
    working model.

    Args:
        sums: Sum of the values by cluster, (G,), G >= 2.
        sizes: Images by cluster, (G,).

    Raises:
        UsageError: Fewer than two clusters, or shapes that do not fit.
    """
    from scipy.special import stdtrit  # here, since scipy costs a third of a second to import

    sums, sizes = _checked(sums, sizes)
    n = sizes.sum()
    mean = float(sums.sum() / n)
    weight = 1 / (n**2 * (1 - sizes / n))
    error = float(np.sqrt((weight * np.square(sums - mean * sizes)).sum()))
    # covariance of the u_g for independent errors of unit variance: n_g [g = h] - n_g n_h / n
    spread = np.diag(sizes) - np.outer(sizes, sizes) / n
    df = float((weight * spread.diagonal()).sum() ** 2 / (np.outer(weight, weight) * np.square(spread)).sum())
    half = float(stdtrit(df, 0.975)) * error
    return ClusterMean(mean, error, df, (mean - half, mean + half))


def sign_flips(n_clusters: int, seed: int = 0) -> Array:
    """Sign patterns of the clusters, +-1, (R, G); the first is all +1.

    All 2^G up to `EXACT_CLUSTERS`, else the observed one and `DRAWS` random ones.
    """
    if n_clusters <= EXACT_CLUSTERS:
        bits = np.arange(1 << n_clusters)[:, None] >> np.arange(n_clusters) & 1
        return np.asarray(1.0 - 2 * bits)
    drawn = np.random.default_rng(seed).integers(0, 2, (DRAWS, n_clusters)) * 2.0 - 1
    return np.concatenate([np.ones((1, n_clusters)), drawn])


def sign_flip_p(sums: NDArray[Any], sizes: NDArray[Any], null: float = 0.0, flips: Array | None = None) -> float:
    """Two-sided p of mean = null, by flipping the sign of whole clusters.

    The residuals about the null are flipped by cluster and studentised by their own cluster error: for a mean
    this is the wild cluster bootstrap with Rademacher signs and the null imposed (Cameron, Gelbach and Miller
    2008). Exact for paired differences whose clusters are as likely to favour either side.

    Args:
        sums: Sum of the values by cluster, (G,), G >= 2.
        sizes: Images by cluster, (G,).
        null: Mean under the null hypothesis.
        flips: Result of `sign_flips`; None computes it.

    Returns:
        Share of the patterns at least as far from the null as the observed one, which is included.

    Raises:
        UsageError: As `cluster_robust`.
    """
    sums, sizes = _checked(sums, sizes)
    flips = sign_flips(len(sums)) if flips is None else flips
    u = sums - null * sizes
    total = flips @ u
    mean = total / sizes.sum()
    # sum over clusters of (w_g u_g - n_g mean)^2
    square = (u @ u) - 2 * mean * (flips @ (u * sizes)) + np.square(mean) * (sizes @ sizes)
    square = np.maximum(square, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(total == 0, 0.0, np.abs(total) / np.sqrt(square))
    return float((t >= t[0] * (1 - 1e-9)).mean())


def smallest_sign_flip_p(n_clusters: int) -> float:
    """Smallest p that `sign_flip_p` can give: two of all 2^G patterns, 0.0625 with five clusters, or 1 of 4,096."""
    return 2.0 ** (1 - n_clusters) if n_clusters <= EXACT_CLUSTERS else 1 / (DRAWS + 1)


def wild_interval(sums: NDArray[Any], sizes: NDArray[Any], seed: int = 0) -> tuple[float, float]:
    """95 % interval of a mean: the values that the wild cluster bootstrap does not reject.

    Args:
        sums: Sum of the values by cluster, (G,), G >= 6: below that no pattern is rare enough.
        sizes: Images by cluster, (G,).
        seed: Seed of the patterns above `EXACT_CLUSTERS`.

    Returns:
        Lower and upper end, by bisection to a thousandth of the CR2 error.

    Raises:
        UsageError: Fewer than six clusters, or shapes that do not fit.
    """
    if len(sums) < MIN_WILD_CLUSTERS:
        raise UsageError(f"{len(sums)} clusters; a wild cluster interval needs {MIN_WILD_CLUSTERS}")
    flips = sign_flips(len(sums), seed)
    mean, error, *_ = cluster_robust(sums, sizes)

    def end(direction: int) -> float:
        inside, outside = mean, mean + direction * error
        while error > 0 and sign_flip_p(sums, sizes, outside, flips) > 0.05:
            inside, outside = outside, mean + 2 * (outside - mean)
            if abs(outside - mean) > 1e6 * error:
                return direction * float("inf")
        while abs(outside - inside) > error / 1000:
            middle = (inside + outside) / 2
            inside, outside = (middle, outside) if sign_flip_p(sums, sizes, middle, flips) > 0.05 else (inside, middle)
        return inside

    return end(-1), end(1)


def _checked(sums: NDArray[Any], sizes: NDArray[Any]) -> tuple[Array, Array]:
    sums, sizes = np.asarray(sums, np.float64), np.asarray(sizes, np.float64)
    if sums.ndim != 1 or sums.shape != sizes.shape or len(sums) < 2:
        raise UsageError(f"sums {sums.shape} and sizes {sizes.shape}; expected one of each for two or more clusters")
    return sums, sizes
