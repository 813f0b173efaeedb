"""All pairs at once against pair by pair, against scipy and against a count by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from clustered_images import in_scenes
from scipy import stats

from senbench.errors import UsageError
from senbench.scoring.comparison.all_pairs import by_largest, clustered, mean_replicates, unclustered
from senbench.scoring.comparison.changes import accuracy_change
from senbench.scoring.comparison.paired import from_left_out
from senbench.scoring.intervals.block_sizes import BlockSizes
from senbench.scoring.intervals.clustered import effective_clusters


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
    got = clustered(values, replicates, effective_clusters(sizes))
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
    assert clustered(values, replicates, effective_clusters(sizes)).error[0, 1] == pytest.approx(error, rel=1e-6)


def test_few_clusters_give_the_difference_and_the_reason() -> None:
    got = clustered(np.array([0.5, 0.4]), np.full((2, 4), 0.5), 4.0)
    assert got.difference[0, 1] == pytest.approx(0.1)
    assert np.isnan(got.p).all()
    assert np.isnan(got.error).all()
    assert got.label == "none: 4 clusters, 5 are needed"


def test_an_undefined_replicate_spoils_its_own_entry_only() -> None:
    replicates = np.random.default_rng(0).random((3, 8))
    replicates[1, 2] = np.nan
    got = clustered(np.array([0.5, 0.4, 0.3]), replicates, 8.0)
    assert np.isnan(got.p[1]).all()
    assert np.isnan(got.p[:, 1]).all()
    assert np.isfinite(got.p[[0, 0, 2], [0, 2, 2]]).all()


def test_a_difference_no_cluster_has_a_part_in_is_not_tested() -> None:
    got = clustered(np.array([0.5, 0.4]), np.full((2, 6), [[0.5], [0.4]]), 6.0)
    assert got.error[0, 1] == 0
    assert np.isnan(got.p[0, 1])


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(UsageError, match=r"replicates have shape \(2, 6\); expected \(3, clusters\)"):
        clustered(np.zeros(3), np.zeros((2, 6)), 6.0)


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


def by_two_sizes(seed: int):
    """Hits of four entries, and their pairs by blocks, by scenes, and by the larger error of the two."""
    rng = np.random.default_rng(seed)
    shared, block, scene = in_scenes(rng, 12)
    own = np.stack([rng.normal(0, 0.015, 12)[scene] for _ in range(4)])
    correct = rng.random((4, len(scene))) < np.clip(0.7 + shared + own, 0, 1)
    found = {}
    for size, codes in (("5 km", block), ("scene", scene)):
        sums, sizes = np.stack([np.bincount(codes, row) for row in correct]), np.bincount(codes)
        found[size] = clustered(correct.mean(axis=1), mean_replicates(sums, sizes), effective_clusters(sizes), size)
    return correct, BlockSizes("5 km", {"5 km": block, "scene": scene}), found


def test_of_each_pair_the_larger_error_is_taken_as_pair_by_pair() -> None:
    taken_of = set()
    for seed in range(4):
        correct, blocks, found = by_two_sizes(seed)
        got = by_largest(found, "5 km")
        for i, j in combinations(range(4), 2):
            alone = accuracy_change(correct[j], correct[i], blocks)
            assert got.error[i, j] == pytest.approx(alone.paired.error, rel=1e-9)
            assert got.p[i, j] == pytest.approx(alone.p, rel=1e-8)
            assert got.df[i, j] == pytest.approx(alone.paired.df)
            taken_of.add(alone.paired.size)
            assert f" by {alone.paired.size}, " in alone.paired.interval
            assert max(one.error for one in alone.paired.by_size) == alone.paired.error
            assert [one.size for one in alone.paired.by_size] == ["5 km", "scene"]
        assert got.label == (
            "paired-cluster-jackknife-t (largest error of 240 clusters by 5 km, 240.0 effective; 12 clusters by scene, "
            "12.0 effective)"
        )
    assert taken_of == {"5 km", "scene"}


def test_a_size_that_gives_no_error_is_named_and_the_own_size_decides_whether_there_is_one() -> None:
    _, _, found = by_two_sizes(0)
    few = clustered(np.zeros(4), np.random.default_rng(0).random((4, 3)), 3.0, "100 km")
    got = by_largest({**found, "100 km": few}, "5 km")
    assert got.label.endswith("; none by 100 km)")
    assert (got.error == by_largest(found, "5 km").error).all()
    assert by_largest({**found, "100 km": few}, "100 km") is few


@pytest.mark.slow
@pytest.mark.parametrize("scenes", [10, 20])
def test_coverage_of_a_paired_difference_where_scenes_share_an_effect(scenes: int) -> None:
    """Blocks alone: too narrow for a difference that varies from scene to scene; the largest error covers."""
    small = large = 0
    for seed in range(400):
        rng = np.random.default_rng(seed)
        effect, block, scene = in_scenes(rng, scenes)
        other = effect + rng.normal(0, 0.08, scenes)[scene]
        before, after = (rng.random(len(scene)) < np.clip(0.6 + x, 0, 1) for x in (effect, other))
        blocks = BlockSizes("5 km", {"5 km": block, "scene": scene})
        for sizes in (block, blocks):
            low, high = accuracy_change(before, after, sizes).paired.ci
            small += (low <= 0 <= high) * (sizes is block)
            large += (low <= 0 <= high) * (sizes is blocks)
    assert small / 400 < 0.85, small / 400
    assert 0.92 <= large / 400 <= 0.98, large / 400


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
        got = clustered(correct.mean(axis=1), mean_replicates(sums, sizes), effective_clusters(sizes))
        low, high = rank_intervals(got.difference, holm_pairs(got.p)).T
        # the three equal entries share ranks 3 to 5, so none of them may be kept off any of these
        wrong += bool((low[:3] > 3).any() or (high[:3] < 5).any() or low[3] > 2 or high[3] < 2 or low[4] > 1)
        apart += high[4] <= 3
    assert wrong / 300 <= 0.08, wrong
    assert apart / 300 > 0.9, apart
