"""Metrics from counts and probabilities against scikit-learn, and the debiasing by simulation."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from senbench.scoring.single_label import metrics as m


def test_debiasing_removes_the_noise_of_a_calibrated_model() -> None:
    rng = np.random.default_rng(0)
    plain, debiased = [], []
    for _ in range(300):
        confidence = rng.uniform(0.3, 1, 600)
        correct = rng.random(600) < confidence
        bins = np.eye(15)[m.equal_mass_bins(confidence)]
        size, sums, hits = bins.sum(0), confidence @ bins, correct @ bins
        debiased.append(m.debiased_squared_error(size, sums, hits))
        plain.append((size * ((sums - hits) / size) ** 2).sum() / size.sum())
    assert np.mean(plain) > 0.003
    assert abs(np.mean(debiased)) < 0.0005


def test_bins_have_equal_mass_and_keep_equal_values_together() -> None:
    rng = np.random.default_rng(0)
    counts = np.bincount(m.equal_mass_bins(rng.random(1000)), minlength=15)
    assert counts.min() >= 66
    assert counts.max() <= 67
    tied = np.repeat([0.2, 0.5, 0.9], [10, 40, 50])
    assert len(np.unique(m.equal_mass_bins(tied))) == 3


def counts(seed: int = 0, n: int = 80, c: int = 5):
    rng = np.random.default_rng(seed)
    return rng.integers(0, c - 1, n), rng.integers(1, c, n)  # class 0 is never predicted, the last never true


def test_confusion_and_rates_equal_scikit_learn() -> None:
    import sklearn.metrics as sk

    labels, predicted = counts()
    table = m.confusion(labels, predicted, 5)
    np.testing.assert_array_equal(table, sk.confusion_matrix(labels, predicted, labels=np.arange(5)))
    precision, recall, f1 = m.class_rates(np.diag(table), table.sum(axis=0), table.sum(axis=1))
    expected = sk.precision_recall_fscore_support(labels, predicted, labels=np.arange(5), zero_division=np.nan)
    np.testing.assert_allclose(precision, expected[0])
    np.testing.assert_allclose(recall, expected[1])
    np.testing.assert_allclose(f1, expected[2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert m.mean_defined(recall) == pytest.approx(sk.balanced_accuracy_score(labels, predicted))


def test_the_mean_of_nothing_is_undefined() -> None:
    got = m.mean_defined(np.array([[1.0, np.nan, 3.0], [np.nan] * 3]))
    assert got[0] == 2
    assert np.isnan(got[1])


def test_ranks_count_better_classes_and_earlier_ties() -> None:
    scores = np.array([[3, 1, 3, 2], [0, 0, 0, 0]], np.float32)
    assert m.label_ranks(scores, np.array([2, 3])).tolist() == [1, 3]
    assert m.label_ranks(scores, np.array([3, 0])).tolist() == [2, 0]


def test_losses_of_a_certain_mistake_are_finite() -> None:
    probs, labels = np.array([[0.0, 1.0], [0.25, 0.75]]), np.array([0, 1])
    assert m.negative_log_likelihood(probs, labels).tolist() == pytest.approx([-np.log(m.TINY), -np.log(0.75)])
    assert m.brier(probs, labels).tolist() == pytest.approx([2.0, 2 * 0.25**2])
