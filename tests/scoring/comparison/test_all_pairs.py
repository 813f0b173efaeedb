"""All pairs at once against pair by pair, against scipy and against a count by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from senbench.errors import UsageError
from senbench.scoring.comparison.all_pairs import clustered, mean_replicates, unclustered
from senbench.scoring.comparison.paired import from_left_out


def draw(seed: int, m: int = 6, g: int = 12):
    """Hits of m entries on unequal clusters that all find alike hard; the last entry repeats the first."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(g), np.maximum(2, rng.lognormal(2, 1, g).astype(int)))
    ease = rng.normal(0, 1, g)[codes] + rng.normal(0, 0.4, (m, g))[:, codes] + np.linspace(-1, 1, m)[:, None]
    correct = rng.random((m, len(codes))) < 1 / (1 + np.exp(-ease))
    correct[-1] = correct[0]
    sums = np.stack([np.bincount(codes, row, minlength=g) for row in correct])
    return correct, codes, sums, np.bincount(codes)


def test_mean_without_each_cluster() -> None:
    correct, codes, sums, sizes = draw(0)
    got = mean_replicates(sums, sizes)
    for g in range(len(sizes)):
        assert got[:, g] == pytest.approx(correct[:, codes != g].mean(axis=1), abs=1e-14)


@pytest.mark.parametrize("seed", range(3))
def test_clustered_equals_the_paired_difference_of_each_pair(seed: int) -> None:
    correct, _, sums, sizes = draw(seed)
    values, replicates = correct.mean(axis=1), mean_replicates(sums, sizes)
    got = clustered(values, replicates, sizes)
    for i, j in combinations(range(len(values)), 2):
        one = from_left_out(values[i] - values[j], replicates[i] - replicates[j], sizes)
        assert got.difference[i, j] == one.difference
        assert got.difference[j, i] == -one.difference
        assert got.error[i, j] == got.error[j, i] == pytest.approx(one.error, rel=1e-9)
        assert got.p[i, j] == got.p[j, i] == pytest.approx(one.p, rel=1e-8)
        assert got.label == one.interval or one.error == 0
    assert (got.error[0, -1], got.p[0, -1]) == (0, 1)
    assert (got.p.diagonal() == 1).all()


def test_two_entries_that_differ_in_one_image_of_27000_are_told_apart_exactly() -> None:
    sizes = np.full(100, 270)
    sums = np.random.default_rng(0).binomial(270, 0.6, 100).astype(float)
    other = sums.copy()
    other[3] += 1
    both = np.stack([sums, other])
    values = both.sum(axis=1) / 27000
    replicates = mean_replicates(both, sizes)
    error = np.sqrt(99 * np.var(replicates[0] - replicates[1]))
    assert clustered(values, replicates, sizes).error[0, 1] == pytest.approx(error, rel=1e-6)


def test_few_clusters_give_the_difference_and_the_reason() -> None:
    got = clustered(np.array([0.5, 0.4]), np.full((2, 4), 0.5), np.full(4, 10))
    assert got.difference[0, 1] == pytest.approx(0.1)
    assert np.isnan(got.p).all()
    assert np.isnan(got.error).all()
    assert got.label == "none: 4 clusters, 5 are needed"


def test_an_undefined_replicate_spoils_its_own_entry_only() -> None:
    replicates = np.random.default_rng(0).random((3, 8))
    replicates[1, 2] = np.nan
    got = clustered(np.array([0.5, 0.4, 0.3]), replicates, np.full(8, 5))
    assert np.isnan(got.p[1]).all()
    assert np.isnan(got.p[:, 1]).all()
    assert np.isfinite(got.p[[0, 0, 2], [0, 2, 2]]).all()


def test_a_difference_no_cluster_has_a_part_in_is_not_tested() -> None:
    got = clustered(np.array([0.5, 0.4]), np.full((2, 6), [[0.5], [0.4]]), np.full(6, 5))
    assert got.error[0, 1] == 0
    assert np.isnan(got.p[0, 1])


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"replicates have shape \(2, 6\); expected \(2, 5\)"):
        clustered(np.zeros(2), np.zeros((2, 6)), np.ones(5))


@pytest.mark.parametrize("seed", range(3))
def test_unclustered_counts_and_exact_tests_of_each_pair(seed: int) -> None:
    correct = draw(seed)[0]
    got = unclustered(correct)
    for i, j in combinations(range(len(correct)), 2):
        a, b = correct[i], correct[j]
        d = a.astype(float) - b
        first, second = int((a & ~b).sum()), int((b & ~a).sum())
        assert got.difference[i, j] == pytest.approx(d.mean(), abs=1e-15)
        assert got.error[i, j] == pytest.approx(stats.sem(d), abs=1e-15)
        exact = stats.binomtest(first, first + second).pvalue if first + second else 1.0
        assert got.p[i, j] == got.p[j, i] == pytest.approx(exact, rel=1e-12)
    assert got.p[0, -1] == 1


@pytest.mark.slow
def test_rank_intervals_hold_the_true_rank() -> None:
    """Family-wise: at most 5 % of the studies may exclude the true rank of any entry; equal entries never part."""
    from senbench.scoring.comparison.holm import holm_pairs
    from senbench.scoring.comparison.rank_intervals import rank_intervals

    truth = np.array([0.0, 0.0, 0.0, 0.6, 1.2])
    wrong = apart = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        g = 40
        codes = np.repeat(np.arange(g), np.maximum(2, rng.lognormal(3, 1, g).astype(int)))
        ease = rng.normal(0, 1, g)[codes] + rng.normal(0, 0.5, (5, g))[:, codes] + truth[:, None]
        correct = rng.random((5, len(codes))) < 1 / (1 + np.exp(-ease))
        sums, sizes = np.stack([np.bincount(codes, row, minlength=g) for row in correct]), np.bincount(codes)
        got = clustered(correct.mean(axis=1), mean_replicates(sums, sizes), sizes)
        low, high = rank_intervals(got.difference, holm_pairs(got.p)).T
        # the three equal entries share ranks 3 to 5, so none of them may be kept off any of these
        wrong += bool((low[:3] > 3).any() or (high[:3] < 5).any() or low[3] > 2 or high[3] < 2 or low[4] > 1)
        apart += high[4] <= 3
    assert wrong / 300 <= 0.08, wrong
    assert apart / 300 > 0.9, apart
