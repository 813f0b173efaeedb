"""A pool of prompts against the ordinary scoring path, weighting by weighting."""

from __future__ import annotations

import numpy as np
import pytest
from prompt_pools import COUNTS, TEXT_CLASS, ordinary, repeated

from senbench.errors import UsageError
from senbench.prompts.pool import RULES, Pool, Truth
from senbench.scoring.classifier import class_scores


@pytest.mark.parametrize("rule", RULES)
def test_scores_are_those_of_the_repeated_prompts(data, rule):
    images, texts, _ = data
    pool = Pool.of(images, texts, TEXT_CLASS, 3, rule)
    rng = np.random.default_rng(1)
    for _ in range(20):
        weights = [rng.integers(0, 3, n) for n in COUNTS]
        weights = [np.maximum(w, np.eye(len(w), dtype=int)[0]) for w in weights]
        expected = class_scores(images, *repeated(texts, weights), 3, rule)
        found = np.column_stack([pool.column(c, w[:, None]) for c, w in enumerate(weights)])
        np.testing.assert_allclose(found, expected, atol=2e-6)


def test_mean_norm_is_another_rule_here(data):
    images, texts, _ = data
    first, second = (Pool.of(images, texts, TEXT_CLASS, 3, rule).scores() for rule in RULES[:2])
    assert np.abs(first - second).max() > 0.05


def test_prompts_given_in_any_order_meet_their_class(data):
    images, texts, _ = data
    order = np.random.default_rng(2).permutation(13)
    shuffled = Pool.of(images, texts[order], TEXT_CLASS[order], 3)
    np.testing.assert_allclose(shuffled.scores(), Pool.of(images, texts, TEXT_CLASS, 3).scores(), atol=1e-6)


def test_figures_are_those_of_a_run(data):
    images, texts, labels = data
    pool, truth = Pool.of(images, texts, TEXT_CLASS, 3), Truth(labels, 3)
    scores = pool.scores()
    figures = truth.figures([scores[:, c : c + 1] for c in range(3)])[0]
    scored = ordinary(images, texts, TEXT_CLASS, labels)
    for name in ("top1", "balanced_accuracy"):
        assert truth.summary(name, figures) == pytest.approx(scored.metrics[name].value, abs=1e-9)
    assert figures == pytest.approx([entry.recall for entry in scored.per_class])


def test_figures_of_several_labels_are_those_of_a_run(data):
    images, texts, labels = data
    several = np.eye(3, dtype=bool)[labels] | (np.random.default_rng(0).random((80, 3)) < 0.2)
    truth, scores = Truth(several, 3), Pool.of(images, texts, TEXT_CLASS, 3).scores()
    figures = truth.figures([scores[:, c : c + 1] for c in range(3)])[0]
    scored = ordinary(images, texts, TEXT_CLASS, several)
    assert truth.summary("map_macro", figures) == pytest.approx(scored.metrics["map_macro"].value, abs=1e-9)


def test_ties_go_to_the_class_that_comes_first():
    labels = np.array([0, 1, 2, 2])
    columns = [np.full((4, 1), 0.5, np.float32)] * 3
    truth = Truth(labels, 3)
    assert truth.figures(columns)[0].tolist() == [1, 0, 0]
    scores = np.concatenate(columns, axis=1)
    for c, expected in ((0, [1, 0, 0]), (1, [1, 0, 0]), (2, [1, 0, 0])):
        assert truth.replaced(scores, np.zeros(3), c, columns[0])[0].tolist() == expected
    below = np.full((4, 1), 0.4, np.float32)
    assert truth.replaced(scores, np.zeros(3), 0, below)[0].tolist() == [0, 1, 0]


@pytest.mark.parametrize("several", [False, True])
def test_a_replaced_column_gives_the_figures_of_the_whole(several):
    rng = np.random.default_rng(9)
    scores = rng.integers(0, 4, (60, 4)).astype(np.float32)  # many ties
    labels = rng.random((60, 4)) < 0.4 if several else rng.integers(0, 3, 60)  # class 3 has no image
    truth = Truth(labels, 4)
    figures = truth.figures([scores[:, c : c + 1] for c in range(4)])[0]
    for c in range(4):
        other = rng.integers(0, 4, (60, 5)).astype(np.float32)
        for j, row in enumerate(truth.replaced(scores, figures, c, other)):
            whole = scores.copy()
            whole[:, c] = other[:, j]
            np.testing.assert_array_equal(row, truth.figures([whole[:, k : k + 1] for k in range(4)])[0])
    if not several:
        assert np.isnan(figures[3])
        assert truth.summary("balanced_accuracy", figures) == pytest.approx(figures[:3].mean())


def test_rules_that_are_no_mean_are_refused(data):
    with pytest.raises(UsageError, match="'max' is not a mean of prompts"):
        Pool.of(data[0], data[1], TEXT_CLASS, 3, "max")


def test_prompts_that_cancel_out_are_refused():
    pool = Pool.of(np.eye(2), np.array([[1.0, 0], [-1, 0]]), np.zeros(2, int), 1)
    with pytest.raises(UsageError, match="no direction"):
        pool.scores()
