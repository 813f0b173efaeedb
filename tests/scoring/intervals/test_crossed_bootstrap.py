"""Draws against a slow implementation that repeats prompts and images as often as they are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from senbench.scoring.classifier import class_scores, unit
from senbench.scoring.intervals.crossed_bootstrap import DRAWS, MIN_DRAWS, Units, cell_draws, draws_for, prompt_weights
from senbench.scoring.sample import Sample

N, D, C, R = 90, 6, 3, 12
COUNTS = (4, 7, 5)
SEEDS = (11, 12, 13)
KEYS = ("a", "b", "c")


def small(seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, C, N)
    prototypes = rng.normal(size=(C, D))
    images = unit(0.6 * prototypes[labels] + rng.normal(size=(N, D)))
    texts = [unit(0.6 * prototypes[k] + rng.normal(size=(n, D))) for k, n in enumerate(COUNTS)]
    clusters = rng.integers(0, 9, N)
    return images, texts, labels, clusters


def repeated(images, texts, prompt_times, image_times):
    """Scores of images and prompts written out as often as they are drawn."""
    rows = np.concatenate([np.repeat(block, times, axis=0) for block, times in zip(texts, prompt_times, strict=True)])
    text_class = np.repeat(np.arange(C), COUNTS)
    return class_scores(np.repeat(images, image_times, axis=0), rows, text_class, C)


@pytest.mark.parametrize("clustered", [True, False])
@pytest.mark.parametrize("multi", [True, False])
def test_every_draw_equals_brute_force(clustered, multi):
    images, texts, labels, clusters = small()
    truth = np.stack([labels == k for k in range(C)], 1) if multi else labels
    if multi:
        truth[::4, 0] = True
    units = Units.of(Sample(truth, KEYS, clusters if clustered else None), R, seed=3)
    found = cell_draws(images, texts, prompt_weights(texts, SEEDS, R, seed=3), truth, units)
    once = [np.ones(n, int) for n in COUNTS]
    drawn = [
        np.random.default_rng([3, own]).multinomial(n, [1 / n] * n, R) for n, own in zip(COUNTS, SEEDS, strict=True)
    ]

    def figures(scores, target):
        if multi:
            each = [average_precision_score(target[:, k], scores[:, k]) for k in range(C)]
            return [np.mean(each), *each]
        right = scores.argmax(axis=1) == target
        return [right.mean(), *(right[target == k].mean() for k in range(C))]

    for r in range(R):
        times = units.times[units.codes, r].astype(int)
        of_draw = [d[r] for d in drawn]
        assert all(t.sum() == n for t, n in zip(of_draw, COUNTS, strict=True))
        for part, prompts, how_often in (
            (found.prompts, of_draw, np.ones(N, int)),
            (found.images, once, times),
            (found.crossed, of_draw, times),
        ):
            target = np.repeat(truth, how_often, axis=0)
            expected = figures(repeated(images, texts, prompts, how_often), target)
            np.testing.assert_allclose(part[r], expected, atol=1e-6)


def test_whole_clusters_are_drawn_and_the_same_for_every_cell():
    clusters = np.repeat(["b", "a", "c"], [3, 2, 4])
    first, second = (Units.of(Sample(np.zeros(9, int), "a", clusters), 50, seed=1) for _ in range(2))
    np.testing.assert_array_equal(first.times, second.times)
    assert (first.times.sum(axis=0) == 3).all()
    assert first.codes.tolist() == [1, 1, 1, 0, 0, 2, 2, 2, 2]
    assert (Units.of(Sample(np.zeros(9, int), "a", clusters), 50, seed=2).times != first.times).any()


def test_one_seed_draws_alike_and_another_does_not():
    texts = [unit(np.random.default_rng(k).normal(size=(8, D))) for k in range(3)]
    same = [texts[0], texts[0], texts[0]]
    a, b, c = prompt_weights(same, (5, 5, 6), 40, seed=0)
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()
    np.testing.assert_array_equal(a[:, 0], np.full(8, a[0, 0]))


def test_large_multi_label_sets_get_fewer_draws():
    assert draws_for(np.zeros(500_000, int)) == DRAWS
    assert draws_for(np.zeros((1000, 19), bool)) == DRAWS
    assert draws_for(np.zeros((120_000, 19), bool)) == MIN_DRAWS


def test_a_class_that_no_draw_holds_is_undefined():
    images, texts, labels, _ = small()
    found = cell_draws(
        images,
        texts,
        prompt_weights(texts, SEEDS, R, 0),
        np.where(labels == 2, 1, labels),
        Units.of(Sample(labels, KEYS), R, 0),
    )
    assert np.isnan(found.crossed[:, 3]).all()
    assert not np.isnan(found.crossed[:, 0]).any()


def test_tied_classes_go_to_the_first_of_them():
    """Images of two classes with the same prompts: those of the first are right, those of the second wrong."""
    images, texts, labels, _ = small()
    twins = [texts[0], texts[1], texts[0]]
    weights = prompt_weights(twins, (11, 12, 11), R, seed=0)
    found = cell_draws(images, twins, weights, labels, Units.of(Sample(labels, KEYS), R, 0))
    for draws in (found.prompts, found.images, found.crossed):
        assert (draws[:, 1] > 0).all()
        assert (draws[:, 3] == 0).all()
