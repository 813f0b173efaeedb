"""Changes by class: which are tested, on which clusters, and what the family is."""

from __future__ import annotations

import numpy as np
import pytest

from senbench.scoring.comparison.changes import accuracy_change, precision_changes, recall_changes
from senbench.scoring.intervals.block_sizes import BlockSizes
from senbench.scoring.sample import Sample


def draw(seed: int = 0, n: int = 400, g: int = 12):
    rng = np.random.default_rng(seed)
    labels, clusters = rng.integers(0, 3, n), rng.integers(0, g, n)
    return rng.random(n) < 0.7, rng.random(n) < 0.8, labels, clusters


def test_a_class_is_the_accuracy_of_its_own_images_and_clusters() -> None:
    before, after, labels, clusters = draw()
    for k, change in enumerate(recall_changes(before, after, Sample(labels, "abc", clusters))):
        rows = labels == k
        alone = accuracy_change(before[rows], after[rows], clusters[rows])
        assert (change.before, change.after) == (before[rows].mean(), after[rows].mean())
        assert (change.paired, change.p) == (alone.at(0.05 * alone.p / change.p_adjusted).paired, alone.p)


def test_a_class_in_nine_clusters_or_without_images_is_not_tested_and_not_counted() -> None:
    before, after, labels, clusters = draw()
    labels[(labels == 2) & (clusters > 8)] = 0
    changes = recall_changes(before, after, Sample(labels, "abcd", clusters))
    assert changes[2].paired.interval == "none: fewer than 10 clusters with the class"
    assert (changes[2].p, changes[2].paired.ci, changes[2].p_adjusted) == (None, None, None)
    assert changes[2].paired.difference == pytest.approx(changes[2].after - changes[2].before)
    assert changes[3].paired.interval == "none: no image of the class"
    first, second = changes[:2]
    assert min(first.p_adjusted, second.p_adjusted) == pytest.approx(min(1, 2 * min(first.p, second.p)))


def test_second_opinions_need_six_clusters_that_differ() -> None:
    before, after, _, clusters = draw()
    assert set(accuracy_change(before, after, clusters).second_opinions) == {"cr2-t", "wild-cluster"}
    one = before.copy()
    one[0] = ~one[0]
    assert accuracy_change(before, one, clusters).second_opinions is None


def test_unclustered_average_precision_is_left_out_image_by_image() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((60, 2)) < 0.4
    a, b = (np.asarray(truth + rng.normal(0, 0.7, (60, 2)), np.float32) for _ in range(2))
    change, _ = precision_changes(a, b, Sample(truth, "ab"))
    from sklearn.metrics import average_precision_score

    def macro(scores: np.ndarray, keep: np.ndarray) -> float:
        return float(average_precision_score(truth[keep], scores[keep], average="macro"))

    every = np.ones(60, bool)
    left_out = []
    for i in range(60):
        keep = np.arange(60) != i
        left_out.append(macro(b, keep) - macro(a, keep))
    assert change.paired.difference == pytest.approx(macro(b, every) - macro(a, every))
    # below 300 units each image is really left out
    assert change.paired.error == pytest.approx(np.sqrt(59 * np.var(left_out)))
    assert change.paired.interval.startswith("paired-iid-jackknife-t (60 images")


def test_no_interval_contradicts_the_adjusted_p() -> None:
    """Holm tests each class at a level of its own; its interval has that level."""
    decided = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        labels, places = rng.integers(0, 6, 900), rng.integers(0, 15, 900)
        before = rng.random(900) < 0.6
        after = rng.random(900) < 0.6 + 0.06 * labels
        for clusters in (None, places):
            for change in recall_changes(before, after, Sample(labels, "abcdef", clusters)):
                low, high = change.paired.ci
                assert (low > 0 or high < 0) == (change.p_adjusted < 0.05)
                decided += change.p < 0.05 <= change.p_adjusted
    assert decided  # where the usual interval would have said otherwise


def test_five_clusters_cannot_flip_below_a_sixteenth() -> None:
    clusters = np.repeat(np.arange(5), 40)
    before = np.arange(200) % 40 < 20
    after = np.arange(200) % 40 < 30 + clusters
    got = accuracy_change(before, after, clusters)
    assert got.smallest_sign_flip == got.sign_flip == 0.0625
    assert got.p < 0.05
    assert got.paired.ci[0] > 0
    assert got.test == "paired-t"


def test_several_labels_take_the_largest_error_by_size_too() -> None:
    rng = np.random.default_rng(1)
    scene, block = np.repeat(np.arange(12), 40), np.repeat(np.arange(96), 5)
    truth = rng.random((480, 3)) < 0.4
    quality = rng.uniform(-0.5, 1.5, 12)[scene, None]
    before = np.asarray(truth + rng.normal(0, 0.8, truth.shape), np.float32)
    after = np.asarray(truth * quality + rng.normal(0, 0.8, truth.shape), np.float32)
    blocks = BlockSizes("5 km", {"5 km": block, "scene": scene})
    both, labels = precision_changes(before, after, Sample(truth, "abc", block, by_size=blocks))
    alone, _ = precision_changes(before, after, Sample(truth, "abc", scene))
    assert both.paired.error == pytest.approx(alone.paired.error)
    assert both.paired.ci == pytest.approx(alone.paired.ci)
    assert both.paired.interval == "paired-cluster-jackknife-t (12 clusters by scene, 12.0 effective)"
    assert [one.clusters for one in both.paired.by_size] == [96, 12]
    assert all(label.paired.by_size for label in labels)
