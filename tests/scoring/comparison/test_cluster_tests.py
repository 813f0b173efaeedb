"""CR2, sign flips and the wild bootstrap against matrices, statsmodels, enumeration and simulation."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy import linalg, stats

from senbench.errors import UsageError
from senbench.scoring.comparison.cluster_tests import (
    EXACT_CLUSTERS,
    cluster_robust,
    sign_flip_p,
    sign_flips,
    wild_interval,
)


def sample(seed: int, g: int = 9) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(g), np.maximum(2, rng.lognormal(1.5, 1, g).astype(int)))
    return rng.normal(0.3, 1, len(codes)) + rng.normal(0, 0.5, g)[codes], codes


def sums(values: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.bincount(codes, values), np.bincount(codes)


@pytest.mark.parametrize("seed", range(4))
def test_cr2_and_its_degrees_of_freedom_from_the_full_matrices(seed: int) -> None:
    """Bell and McCaffrey as written, for the regression on a constant."""
    y, codes = sample(seed)
    n, g = len(y), codes.max() + 1
    x = np.ones((n, 1))
    bread = np.linalg.inv(x.T @ x)
    hat = x @ bread @ x.T
    e = y - y.mean()
    meat, columns = 0.0, []
    for k in range(g):
        rows = np.flatnonzero(codes == k)
        adjust = np.linalg.inv(np.real(linalg.sqrtm(np.eye(len(rows)) - hat[np.ix_(rows, rows)])))
        meat += (x[rows].T @ adjust @ e[rows]).item() ** 2
        columns.append((np.eye(n) - hat)[:, rows] @ adjust @ x[rows] @ bread)
    b = np.hstack(columns)
    eigen = np.linalg.eigvalsh(b.T @ b)
    got = cluster_robust(*sums(y, codes))
    assert got.mean == pytest.approx(y.mean())
    assert got.error == pytest.approx(np.sqrt(meat) * bread[0, 0])
    assert got.df == pytest.approx(eigen.sum() ** 2 / np.square(eigen).sum())
    half = stats.t.ppf(0.975, got.df) * got.error
    assert got.ci == pytest.approx((y.mean() - half, y.mean() + half))


def test_single_images_give_the_ordinary_t_interval() -> None:
    y = np.random.default_rng(0).normal(size=20)
    got = cluster_robust(y, np.ones(20))
    assert got.error == pytest.approx(stats.sem(y))
    assert got.df == pytest.approx(19)


@pytest.mark.slow
def test_equal_clusters_are_those_of_statsmodels() -> None:
    """With equal sizes CR2 is CR1, which statsmodels gives with its small-sample factor G/(G-1) (n-1)/(n-1)."""
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    codes = np.repeat(np.arange(12), 7)
    y = rng.normal(size=84) + rng.normal(size=12)[codes]
    fit = sm.OLS(y, np.ones(84)).fit(cov_type="cluster", cov_kwds={"groups": codes})
    got = cluster_robust(*sums(y, codes))
    assert got.error == pytest.approx(float(fit.bse[0]))
    assert got.df == pytest.approx(11)


def by_hand(u: np.ndarray, sizes: np.ndarray, null: float) -> float:
    residual, n = u - null * sizes, sizes.sum()

    def t(signs: np.ndarray) -> float:
        flipped = signs * residual
        mean = flipped.sum() / n
        return abs(mean) / np.sqrt(np.square(flipped - sizes * mean).sum())

    observed = t(np.ones(len(u)))
    every = [t(np.array(signs)) >= observed * (1 - 1e-9) for signs in product([1, -1], repeat=len(u))]
    return float(np.mean(every))


@pytest.mark.parametrize("null", [0.0, 0.2, -1.0])
def test_sign_flips_are_all_patterns_counted(null: float) -> None:
    y, codes = sample(2, 7)
    assert sign_flip_p(*sums(y, codes), null) == by_hand(*sums(y, codes), null)


def test_equal_clusters_are_scipys_permutation_test() -> None:
    y = np.random.default_rng(3).normal(0.5, 1, 10)
    theirs = stats.permutation_test((y,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip_p(y, np.ones(10)) == pytest.approx(theirs.pvalue)


def test_many_clusters_are_drawn_and_the_observed_counts() -> None:
    y, codes = sample(4, EXACT_CLUSTERS + 8)
    u, sizes = sums(y, codes)
    got = sign_flip_p(u, sizes)
    assert got == sign_flip_p(u, sizes), "seeded"
    other = sign_flip_p(u, sizes, flips=sign_flips(len(u), seed=1))
    assert got == pytest.approx(other, abs=0.03)
    assert sign_flip_p(np.full(20, 5.0), np.full(20, 5)) == pytest.approx(1 / 4096, abs=1e-9)


def test_no_difference_anywhere_is_p_1() -> None:
    assert sign_flip_p(np.zeros(8), np.full(8, 3)) == 1.0


def test_wild_interval_holds_what_its_test_accepts() -> None:
    y, codes = sample(5)
    u, sizes = sums(y, codes)
    low, high = wild_interval(u, sizes)
    step = cluster_robust(u, sizes).error / 500
    assert low < y.mean() < high
    for inside, outside in ((low + step, low - step), (high - step, high + step)):
        assert sign_flip_p(u, sizes, inside) > 0.05
        assert sign_flip_p(u, sizes, outside) <= 0.05


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(UsageError, match="two or more"):
        cluster_robust(np.ones(1), np.ones(1))
    with pytest.raises(UsageError, match="expected one of each"):
        sign_flip_p(np.ones(3), np.ones(4))
    with pytest.raises(UsageError, match="5 clusters; a wild cluster interval needs 6"):
        wild_interval(np.ones(5), np.ones(5))


def difference(rng: np.random.Generator, g: int, gain: float) -> tuple[np.ndarray, np.ndarray]:
    """Paired difference of correctness on unequal clusters; both find the same images and clusters hard."""
    codes = np.repeat(np.arange(g), np.maximum(2, rng.lognormal(3, 1, g).astype(int)))
    ease = rng.normal(0.5, 1, len(codes)) + rng.normal(0, 0.7, g)[codes]
    own = rng.normal(0, 0.5, (2, len(codes))) + rng.normal(0, 0.35, (2, g))[:, codes]
    own[0] += gain
    a, b = ease + own > 0
    return a.astype(float) - b, codes


@pytest.mark.slow
@pytest.mark.parametrize("g", [12, 30])
def test_coverage_and_false_positives_with_unequal_correlated_clusters(g: int) -> None:
    """All clustered intervals cover about 95 %, and one that takes images as independent does not."""
    from senbench.scoring.comparison.all_pairs import mean_replicates
    from senbench.scoring.comparison.paired import from_left_out

    truth = difference(np.random.default_rng(10**6), 40_000, 0.3)[0].mean()
    hits = dict.fromkeys(("jackknife", "cr2", "wild", "iid"), 0)
    false = dict.fromkeys(("jackknife", "sign flip", "iid"), 0)
    times = 300
    for seed in range(times):
        d, codes = difference(np.random.default_rng(seed), g, 0.3)
        u, sizes = sums(d, codes)
        intervals = {
            "jackknife": from_left_out(d.mean(), mean_replicates(u, sizes), sizes).ci,
            "cr2": cluster_robust(u, sizes).ci,
            "wild": wild_interval(u, sizes),
            "iid": (d.mean() - 1.96 * stats.sem(d), d.mean() + 1.96 * stats.sem(d)),
        }
        for name, (low, high) in intervals.items():
            hits[name] += low <= truth <= high
        d, codes = difference(np.random.default_rng(times + seed), g, 0.0)
        u, sizes = sums(d, codes)
        false["jackknife"] += from_left_out(d.mean(), mean_replicates(u, sizes), sizes).p < 0.05
        false["sign flip"] += sign_flip_p(u, sizes) < 0.05
        false["iid"] += abs(d.mean()) > 1.96 * stats.sem(d)
    cover = {name: count / times for name, count in hits.items()}
    alarms = {name: count / times for name, count in false.items()}

    for name in ("jackknife", "cr2", "wild"):
        assert 0.915 <= cover[name] <= 0.99, cover
    assert cover["iid"] < 0.88, cover
    assert alarms["jackknife"] <= 0.08, alarms
    assert 0.02 <= alarms["sign flip"] <= 0.08, alarms
    assert alarms["iid"] > 0.12, alarms


@pytest.mark.slow
def test_minimum_detectable_difference_is_found_in_four_of_five_studies() -> None:
    from senbench.scoring.comparison.all_pairs import mean_replicates
    from senbench.scoring.comparison.paired import from_left_out, minimum_detectable

    rng = np.random.default_rng(0)
    g, size, times = 200, 20, 600
    error = 0.02
    true = minimum_detectable(error)
    assert true == pytest.approx((stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) * error)
    found = 0
    for _ in range(times):
        u = rng.normal(true * size, error * size * np.sqrt(g), g)
        sizes = np.full(g, size)
        found += from_left_out(float(u.sum() / sizes.sum()), mean_replicates(u, sizes), sizes).p < 0.05
    assert 0.76 <= found / times <= 0.84, found / times
