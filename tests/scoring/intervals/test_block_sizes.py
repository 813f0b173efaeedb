"""Errors by block size: the largest is taken, sizes that give none are named, and Moran's I by hand."""

from __future__ import annotations

from string import ascii_lowercase

import numpy as np
import pytest
from clustered_images import in_scenes

from senbench.scoring.intervals.block_sizes import BlockSizes, morans_i, size_warnings
from senbench.scoring.intervals.interval import Interval
from senbench.scoring.multi_label.evaluate import score_multi_label
from senbench.scoring.sample import Sample
from senbench.scoring.single_label.evaluate import score_single_label


def evaluated(right, blocks, sizes=None, **options):
    """Two classes in turn, right or wrong as given."""
    labels = np.arange(len(right)) % 2
    scores = np.eye(2, dtype=np.float32)[np.where(right, labels, 1 - labels)]
    return score_single_label(scores, Sample(labels, "ab", blocks, by_size=sizes), **options)


def shared(rng, scenes: int, spread: float = 0.10):
    """Right or wrong per image, where blocks and the scenes they lie in share an effect; block and scene of each."""
    effect, block, scene = in_scenes(rng, scenes, spread=spread)
    return rng.random(len(scene)) < np.clip(0.7 + effect, 0, 1), block, scene


def test_the_largest_error_is_taken_and_named() -> None:
    right, block, scene = shared(np.random.default_rng(0), 12)
    sizes = BlockSizes("5 km", {"5 km": block, "scene": scene})
    made = evaluated(right, block, sizes)
    alone = {name: evaluated(right, one).metrics["top1"] for name, one in sizes.clusters.items()}
    taken = made.metrics["top1"]
    assert taken.ci == alone["scene"].ci
    assert taken.interval == alone["scene"].interval.replace("12 clusters", "12 clusters by scene")
    small, large = made.clustering.by_size
    assert (small.size, small.clusters, large.size, large.clusters) == ("5 km", 240, "scene", 12)
    means = right.reshape(12, -1).mean(axis=1)
    assert large.error == pytest.approx(np.sqrt(means.var(ddof=1) / 12))
    assert large.error > 1.5 * small.error
    assert large.effective == pytest.approx(12)
    assert (made.clustering.clusters, made.clustering.sizes) == (240, {})


def test_without_other_sizes_everything_is_as_before() -> None:
    right, block, _ = shared(np.random.default_rng(0), 12)
    made = evaluated(right, block)
    assert made.clustering is None
    assert made.metrics["top1"].interval.startswith("cluster-jackknife-t (240 clusters, 240.0 effective, design")
    assert BlockSizes.of(block).clusters[""].tolist() == block.tolist()


def test_a_size_with_too_few_clusters_is_named_and_warned_of() -> None:
    right, block, scene = shared(np.random.default_rng(0), 4)
    made = evaluated(right, block, BlockSizes("5 km", {"5 km": block, "scene": scene}))
    assert made.metrics["top1"].interval.startswith("cluster-jackknife-t (80 clusters by 5 km, ")
    assert made.metrics["top1"].interval.endswith(", none by scene)")
    assert [one.error is None for one in made.clustering.by_size] == [False, True]
    (warning,) = size_warnings(made.clustering.by_size)
    assert warning in made.warnings
    assert warning.startswith("too few clusters for a standard error (4 by scene; 5 are needed)")
    assert size_warnings(made.clustering.by_size[:1]) == []


def test_no_interval_where_the_own_clusters_give_none() -> None:
    right, block, scene = shared(np.random.default_rng(0), 4)
    made = evaluated(right, scene, BlockSizes("scene", {"5 km": block, "scene": scene}))
    assert (made.metrics["top1"].ci, made.clustering) == (None, None)
    assert made.metrics["top1"].interval == "none: 4 clusters, 5 are needed"


def test_shares_near_the_end_take_the_degrees_of_freedom_of_the_size_taken() -> None:
    scene = np.repeat(np.arange(10), 40)
    block = np.arange(400) // 4
    right = (scene != 0) | (np.arange(400) % 4 != 0)  # ten wrong, all in one scene
    sizes = BlockSizes("5 km", {"5 km": block, "scene": scene})
    made = evaluated(right, block, sizes)
    assert "10 clusters by scene, 10.0 effective" in made.metrics["top1"].interval
    assert made.metrics["top1"].ci == evaluated(right, scene).metrics["top1"].ci


def test_equal_errors_are_said_of_the_larger_size() -> None:
    found = {name: [Interval((0.4, 0.6), f"cluster-jackknife-t (6 clusters by {name})", error=0.1)] for name in "ab"}
    (taken,) = BlockSizes("a", dict.fromkeys("ab", np.arange(6))).largest(found)
    assert taken.label == "cluster-jackknife-t (6 clusters by b)"


def test_part_of_the_images() -> None:
    sizes = BlockSizes("5 km", {"5 km": np.arange(4), "scene": np.array([0, 0, 1, 1])}).take(np.array([3, 0]))
    assert {name: values.tolist() for name, values in sizes.clusters.items()} == {"5 km": [3, 0], "scene": [1, 0]}


def test_several_labels_take_the_largest_too_and_keep_their_replicates() -> None:
    rng = np.random.default_rng(1)
    scene, block = np.repeat(np.arange(8), 50), np.repeat(np.arange(80), 5)
    truth = rng.integers(0, 2, (400, 4))
    quality = rng.uniform(-0.5, 1.5, 8)[scene, None]
    scores = (truth * quality + rng.normal(size=truth.shape)).astype(np.float32)
    sizes = BlockSizes("5 km", {"5 km": block, "scene": scene})

    def made(clusters, by_size=None):
        return score_multi_label(scores, Sample(truth, ascii_lowercase[:4], clusters, by_size=by_size))

    both, small, large = made(block, sizes), made(block), made(scene)
    assert both.metrics["map_macro"].ci == large.metrics["map_macro"].ci
    assert both.replicates == small.replicates
    assert (both.resampled, both.clustering.sizes) == (small.resampled, small.clustering.sizes)
    assert [one.size for one in both.clustering.by_size] == ["5 km", "scene"]
    assert small.clustering.by_size == ()


def test_morans_i_by_hand() -> None:
    row = np.array(["EPSG:32633/0_0", "EPSG:32633/1_0", "EPSG:32633/2_0", "EPSG:32633/3_0"])
    # z = (-.5, -.5, .5, .5): three pairs that touch, products .25, -.25, .25, over Σ z² = 1
    assert morans_i(np.array([0.0, 0, 1, 1]), row) == pytest.approx(4 / 3 * 0.25)
    assert morans_i(np.array([0.0, 1, 0, 1]), row) == pytest.approx(-1)
    assert morans_i(np.repeat([0.0, 1, 0, 1], 3), np.repeat(row, 3)) == pytest.approx(-1)
    apart = np.array(["EPSG:32633/0_0", "EPSG:32634/0_1", "EPSG:32633/5_0", "unlocated/a"])
    assert morans_i(np.array([0.0, 1, 0, 1]), apart) is None
    assert morans_i(np.ones(4), row) is None
    assert morans_i(np.full(4, np.nan), row) is None
    assert morans_i(np.array([0.0, np.nan, 1, 1]), row) == pytest.approx(3 * (1 / 9) / (6 / 9))


def test_morans_i_against_the_formula_with_all_weights() -> None:
    rng = np.random.default_rng(0)
    places = np.unique(rng.integers(-6, 6, (80, 2)), axis=0)
    values = rng.random(len(places))
    names = np.array([f"EPSG:32633/{column}_{row}" for column, row in places])
    weights = (np.abs(places[:, None] - places[None]).max(axis=2) == 1).astype(float)
    z = values - values.mean()
    expected = len(z) / weights.sum() * (z @ weights @ z) / (z @ z)
    assert morans_i(values, names) == pytest.approx(expected)
    assert BlockSizes("5 km", {"5 km": names}).morans_i(values) == pytest.approx(expected)
    assert BlockSizes("scene", {"scene": names}).morans_i(values) is None


@pytest.mark.slow
@pytest.mark.parametrize("scenes", [10, 20, 40])
def test_coverage_where_scenes_share_an_effect(scenes: int) -> None:
    """Blocks of 5 km alone cover too little; the largest error covers."""
    small = large = 0
    times = 300
    for seed in range(times):
        right, block, scene = shared(np.random.default_rng(seed), scenes)
        sizes = BlockSizes("5 km", {"5 km": block, "scene": scene})
        ends = evaluated(right, block).metrics["top1"].ci
        small += ends[0] <= 0.7 <= ends[1]
        ends = evaluated(right, block, sizes).metrics["top1"].ci
        large += ends[0] <= 0.7 <= ends[1]
    assert 0.5 < small / times <= 0.85, small / times
    assert large / times >= 0.90, large / times


@pytest.mark.slow
@pytest.mark.parametrize("scenes", [10, 20, 40])
def test_coverage_where_scenes_share_nothing(scenes: int) -> None:
    """The price of taking the larger of two noisy errors: intervals are wider, and cover a little more."""
    hits, widths, own_widths, times = 0, [], [], 300
    for seed in range(times):
        right, block, scene = shared(np.random.default_rng(seed), scenes, spread=0.0)
        sizes = BlockSizes("5 km", {"5 km": block, "scene": scene})
        low, high = evaluated(right, block, sizes).metrics["top1"].ci
        hits += low <= 0.7 <= high
        widths.append(high - low)
        low, high = evaluated(right, block).metrics["top1"].ci
        own_widths.append(high - low)
    assert 0.92 <= hits / times <= 0.99, hits / times
    assert 1.0 < np.mean(widths) / np.mean(own_widths) < 1.3, np.mean(widths) / np.mean(own_widths)
