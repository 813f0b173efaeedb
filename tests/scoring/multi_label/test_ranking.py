"""Weighted average precision, its derivative, and the ranking of labels within an image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multi_hot import sample

from senbench.scoring.multi_label.ranking import Ranking, label_ranking, top_k_hits


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1, 2, 6]))
def test_weighted_average_precision_equals_scikit_learn(seed: int, decimals: int) -> None:
    from sklearn.metrics import average_precision_score

    scores, truth = sample(60, seed, decimals)
    weights = np.random.default_rng(seed).integers(0, 4, 60).astype(np.float32)
    if (weights * truth[:, 0]).any():
        got = Ranking.of(scores[:, 0], truth[:, 0]).average_precision(weights)
        assert got == pytest.approx(average_precision_score(truth[:, 0], scores[:, 0], sample_weight=weights))


def test_ties_at_place_k_are_counted() -> None:
    scores = np.array([[1, 1, 0], [2, 1, 1], [1, 1, 1], [1, 1, 0]], np.float32)
    truth = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 1], [0, 0, 0]], bool)
    hits, ties = top_k_hits(scores, truth)
    assert hits.tolist() == [1, 1, 3, 0]
    assert ties == 1
    none = top_k_hits(np.ones((1, 3), np.float32), np.zeros((1, 3), bool))  # no place k: nothing to tie
    assert (none[0].tolist(), none[1]) == ([0], 0)


def test_label_ranking_takes_ties_at_the_worst_rank() -> None:
    got = label_ranking(np.array([[1, 1, 0]], np.float32), np.array([[True, False, False]]))
    assert got.tolist() == [0.5]


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_influence_is_the_derivative(decimals: int | None) -> None:
    scores, truth = sample(60, decimals=decimals)
    whole = Ranking.of(scores.ravel(), truth.ravel(), np.repeat(np.arange(60), 6))
    for ranking in (*Ranking.of_labels(scores, truth), whole):
        got = ranking.influence(60)
        assert got.sum() == pytest.approx(0, abs=1e-12)
        for image in range(60):
            up, down = np.ones(60), np.ones(60)
            up[image], down[image] = 1 + 1e-4, 1 - 1e-4
            slope = (ranking.average_precision(up) - ranking.average_precision(down)) / 2e-4
            assert got[image] == pytest.approx(slope, abs=1e-7)


def test_influence_without_a_positive_is_undefined() -> None:
    assert np.isnan(Ranking.of(np.ones(3, np.float32), np.zeros(3, bool)).influence(3)).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([None, 2, 1]))
def test_label_ranking_of_each_image_equals_scikit_learn(seed: int, decimals: int | None) -> None:
    from sklearn.metrics import label_ranking_average_precision_score

    scores, truth = sample(12, seed, decimals)
    for got, s, t in zip(label_ranking(scores, truth), scores, truth, strict=True):
        if t.any():
            assert got == pytest.approx(label_ranking_average_precision_score(t[None], s[None]))
        else:
            assert np.isnan(got)


def test_average_precision_without_a_weighted_positive_is_undefined() -> None:
    ranking = Ranking.of(np.array([0.3, 0.2, 0.1], np.float32), np.array([True, False, False]))
    assert ranking.average_precision(np.ones(3, np.float32)) == 1
    assert np.isnan(ranking.average_precision(np.array([0, 1, 1], np.float32)))
