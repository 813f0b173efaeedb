"""Metrics from sums over images, under any weighting, against scikit-learn on the repeated images."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.scoring.postprocess import probabilities
from senbench.scoring.single_label.metrics import label_ranks
from senbench.scoring.single_label.sums import NAMES, bounds, image_rows, reliability, statistic


def sample(seed: int, n: int = 60, c: int = 7):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, c, n)
    scores = (rng.normal(0, 0.05, (n, c)) + 0.06 * np.eye(c)[labels]).astype(np.float32)
    probs = probabilities(scores, 30.0)
    return labels, scores, probs, image_rows(labels, scores.argmax(1), label_ranks(scores, labels) < 5, c, probs)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_statistic_of_weighted_sums_is_that_of_the_repeated_images(seed: int) -> None:
    import sklearn.metrics as sk

    labels, scores, probs, rows = sample(seed)
    times = np.random.default_rng(seed).multinomial(60, [1 / 60] * 60)
    images = np.repeat(np.arange(60), times)
    truth, predicted, every = labels[images], scores.argmax(1)[images], np.arange(7)
    got = statistic(times @ rows, 7)
    value = dict(zip(NAMES, got, strict=False))
    assert value["top1"] == pytest.approx(sk.accuracy_score(truth, predicted))
    assert value["top5"] == pytest.approx(sk.top_k_accuracy_score(truth, scores[images], k=5, labels=every))
    assert value["nll"] == pytest.approx(sk.log_loss(truth, probs[images], labels=every))
    one_hot = np.eye(7)[truth]
    assert value["brier"] == pytest.approx(np.square(probs[images] - one_hot).sum(axis=1).mean())
    recall = [np.nan if not (truth == k).any() else (predicted[truth == k] == k).mean() for k in every]
    np.testing.assert_allclose(got[len(NAMES) :], recall)
    assert value["balanced_accuracy"] == pytest.approx(np.nanmean(recall))
    occurring = np.union1d(truth, predicted)
    f1 = sk.f1_score(truth, predicted, average="macro", labels=occurring, zero_division=0)
    assert value["f1_macro"] == pytest.approx(f1)


def test_many_weightings_at_once_and_without_probabilities() -> None:
    labels, scores, _, rows = sample(0)
    plain = image_rows(labels, scores.argmax(1), label_ranks(scores, labels) < 5, 7, None)
    assert plain.shape == (60, 3 * 7 + 2)
    weights = np.random.default_rng(0).integers(0, 3, (4, 60))
    both = statistic(weights @ rows, 7)
    np.testing.assert_allclose(both, [statistic(w @ rows, 7) for w in weights])
    np.testing.assert_allclose(np.delete(both, [4, 5, 6], axis=1), statistic(weights @ plain, 7))


def test_reliability_bins_hold_all_images_and_their_accuracy() -> None:
    labels, scores, probs, rows = sample(1, n=300)
    bins = reliability(rows.sum(axis=0))
    assert [b.n for b in bins] == [20] * 15
    assert sum(b.n * b.accuracy for b in bins) == pytest.approx((scores.argmax(1) == labels).sum())
    confidence = np.sort(probs.max(axis=1)).reshape(15, 20).mean(axis=1)
    assert [b.confidence for b in bins] == pytest.approx(confidence.tolist())


def test_losses_have_their_own_ranges() -> None:
    got = bounds(len(NAMES) + 3, calibrated=True)
    upper = dict(zip(NAMES, got[:, 1], strict=False))
    assert (upper.pop("nll"), upper.pop("brier")) == (np.inf, 2)
    assert set(upper.values()) == {1}
    assert (got[:, 0] == 0).all()
    assert (bounds(4 + 3, calibrated=False) == [0, 1]).all()
