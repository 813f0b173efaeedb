"""Every single-label figure against scikit-learn or a naive loop."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import evaluate

from senbench.errors import UsageError
from senbench.scoring.postprocess import probabilities
from senbench.scoring.sample import Sample
from senbench.scoring.single_label.evaluate import score_single_label
from senbench.scoring.single_label.metrics import label_ranks

KEYS = tuple("abcdefg")


def sample(n: int = 300, c: int = 7, seed: int = 0, signal: float = 0.06):
    rng = np.random.default_rng(seed)
    labels = rng.choice(c, n, p=np.arange(1, c + 1) / np.arange(1, c + 1).sum())
    scores = rng.normal(0.25, 0.05, (n, c)) + signal * np.eye(c)[labels]
    return scores.astype(np.float32), labels


@pytest.mark.parametrize("seed", range(3))
def test_equals_scikit_learn(seed: int) -> None:
    import sklearn.metrics as sk

    scores, labels = sample(seed=seed)
    got = evaluate(scores, labels, logit_scale=30.0)
    value = {name: figure.value for name, figure in got.metrics.items()}
    predicted, probs, every = scores.argmax(1), probabilities(scores, 30.0), np.arange(7)
    assert value["top1"] == pytest.approx(sk.accuracy_score(labels, predicted))
    assert value["top5"] == pytest.approx(sk.top_k_accuracy_score(labels, scores, k=5, labels=every))
    assert value["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(labels, predicted))
    assert value["f1_macro"] == pytest.approx(sk.f1_score(labels, predicted, average="macro", labels=every))
    assert value["nll"] == pytest.approx(sk.log_loss(labels, probs, labels=every))
    brier = sk.brier_score_loss(labels, probs, labels=every, scale_by_half=False)
    assert value["brier"] == pytest.approx(brier)
    np.testing.assert_array_equal(got.confusion, sk.confusion_matrix(labels, predicted, labels=every))
    precision, recall, f1, support = sk.precision_recall_fscore_support(labels, predicted, labels=every)
    for k, entry in enumerate(got.per_class):
        assert (entry.precision, entry.recall, entry.f1) == pytest.approx((precision[k], recall[k], f1[k]))
        assert (entry.support, entry.predicted) == (support[k], (predicted == k).sum())
    assert got.lines == {"chance": pytest.approx(1 / 7), "majority": np.bincount(labels).max() / 300}


def test_classes_without_support_or_prediction_follow_scikit_learn() -> None:
    """Class 2 is predicted and has no image, class 3 neither, class 4 has images and is never predicted."""
    import sklearn.metrics as sk

    labels = np.array([0, 0, 1, 1, 1, 4])
    predicted = np.array([0, 2, 1, 1, 0, 1])
    got = evaluate(np.eye(5, dtype=np.float32)[predicted], labels)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        balanced = sk.balanced_accuracy_score(labels, predicted)
        f1 = sk.f1_score(labels, predicted, average="macro", labels=np.arange(5), zero_division=np.nan)
    assert got.metrics["balanced_accuracy"].value == pytest.approx(balanced)
    assert got.metrics["f1_macro"].value == pytest.approx(f1)
    assert [e.f1 for e in got.per_class] == [pytest.approx(0.5), pytest.approx(2 / 3), 0.0, None, 0.0]
    assert [e.recall for e in got.per_class] == [0.5, pytest.approx(2 / 3), None, None, 0.0]
    assert [e.precision for e in got.per_class] == [0.5, pytest.approx(2 / 3), 0.0, None, None]
    assert any("2 of 5 classes have no image" in w for w in got.warnings)


def test_top5_breaks_ties_by_class_order() -> None:
    scores = np.zeros((7, 7), np.float32)
    got = evaluate(scores, np.arange(7))
    assert got.metrics["top5"].value == pytest.approx(5 / 7)
    assert got.metrics["top1"].value == pytest.approx(1 / 7)
    assert got.ties == 7
    assert label_ranks(scores, np.arange(7)).tolist() == list(range(7))


def test_top5_is_null_up_to_five_classes() -> None:
    got = evaluate(*sample(c=5))
    assert got.metrics["top5"].value is None
    assert "5 classes" in got.metrics["top5"].interval


def naive_ece(confidence: np.ndarray, correct: np.ndarray, bins: int = 15) -> float:
    order = np.argsort(confidence, kind="stable")
    total = 0.0
    for part in np.array_split(order, bins):
        accuracy = correct[part].mean()
        gap = (confidence[part].mean() - accuracy) ** 2 - accuracy * (1 - accuracy) / (len(part) - 1)
        total += len(part) / len(order) * gap
    return max(total, 0.0) ** 0.5


@pytest.mark.parametrize("scale", [5.0, 30.0, 200.0])
def test_ece_equals_naive_loop(scale: float) -> None:
    scores, labels = sample(n=300)  # 15 bins of 20
    got = evaluate(scores, labels, logit_scale=scale).metrics["ece"].value
    probs = probabilities(scores, scale)
    assert got == pytest.approx(naive_ece(probs.max(1), probs.argmax(1) == labels), abs=1e-12)


def test_calibration_is_null_where_there_are_no_probabilities() -> None:
    scores, labels = sample()
    cases = [
        ({}, "no logit scale"),
        ({"logit_scale": 100.0, "postprocess": "column-mean"}, "column-mean"),
        ({"logit_scale": 100.0, "rule": "max"}, "max"),
        ({"logit_scale": 100.0, "rule": "dap"}, "dap"),
    ]
    for options, word in cases:
        figures = evaluate(scores, labels, **options).metrics
        for name in ("nll", "brier", "ece"):
            assert figures[name].value is None
            assert figures[name].ci is None
            assert word in figures[name].interval
    assert evaluate(scores[:20], labels[:20], logit_scale=100.0).metrics["ece"].value is None


def test_prob_mean_scores_are_probabilities_already() -> None:
    scores, labels = sample()
    probs = probabilities(scores, 30.0).astype(np.float32)
    direct = evaluate(scores, labels, logit_scale=30.0).metrics["nll"].value
    assert evaluate(probs, labels, rule="prob-mean", logit_scale=30.0).metrics["nll"].value == pytest.approx(
        direct, rel=1e-5
    )


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_order_of_images_does_not_matter(seed: int) -> None:
    scores, labels = sample(n=90, c=6, seed=seed)
    scores = np.round(scores, 2)  # many ties, in scores and in confidences
    order = np.random.default_rng(seed).permutation(len(labels))
    a, b = (evaluate(scores[i], labels[i], logit_scale=20.0) for i in (slice(None), order))
    for name, figure in a.metrics.items():
        assert b.metrics[name].value == pytest.approx(figure.value, abs=1e-9)
    assert a.ties == b.ties


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(["none", "column-mean"]))
def test_repeating_every_image_changes_no_value(seed: int, postprocess: str) -> None:
    scores, labels = sample(n=60, c=6, seed=seed)
    a = evaluate(scores, labels, postprocess=postprocess)
    b = evaluate(np.tile(scores, (2, 1)), np.tile(labels, 2), postprocess=postprocess)
    for name in ("top1", "top5", "balanced_accuracy", "f1_macro"):
        assert b.metrics[name].value == pytest.approx(a.metrics[name].value)


def test_bad_input_is_one_clear_line() -> None:
    scores, labels = sample()
    bad = scores.copy()
    bad[17, 2] = np.nan
    cases = [
        ((scores[:0], labels[:0]), "N >= 1"),
        ((bad, labels), "image 17 are not finite"),
        ((scores, labels[:5]), "one per image"),
        ((scores, labels.astype(float)), "integers"),
        ((scores, labels + 1), r"1\.\.7; expected 0\.\.6"),
        ((scores, labels - 1), r"-1\.\."),
    ]
    for args, message in cases:
        with pytest.raises(UsageError, match=message):
            evaluate(*args)
    with pytest.raises(UsageError, match="7 score columns, 6 class keys"):
        score_single_label(scores, Sample(labels, KEYS[:6]), class_names=KEYS)
    with pytest.raises(UsageError, match="'mean'"):
        evaluate(scores, labels, rule="mean")
    with pytest.raises(UsageError, match="'softmax'"):
        evaluate(scores, labels, postprocess="softmax")


def test_final_scores_and_predictions_are_kept() -> None:
    scores, labels = sample()
    got = evaluate(scores, labels, postprocess="column-mean")
    assert (got.scores.argmax(1) == got.predictions).all()
    assert not np.allclose(got.scores, scores)
    assert got.access_level == 2
    assert np.sum(got.confusion) == got.n == 300


def test_recalls_of_rare_classes_have_no_interval_and_names_are_those_given() -> None:
    scores, labels = sample()
    labels = np.where(labels == 0, np.where(np.arange(300) < 20, 0, 1), labels)
    rare = np.bincount(labels, minlength=7) < 10
    assert rare.tolist() == [True] + [False] * 6
    got = evaluate(scores, labels, class_names=[f"class {key}" for key in KEYS]).per_class
    assert [entry.recall_ci is None for entry in got] == rare.tolist()
    assert [(entry.key, entry.name) for entry in got] == [(key, f"class {key}") for key in KEYS]
    assert [entry.name for entry in evaluate(scores, labels).per_class] == list(KEYS)


def test_the_usual_calibration_error_and_the_note_of_a_clipped_one() -> None:
    rng = np.random.default_rng(0)
    scores = (rng.random((600, 4)) * 0.2).astype(np.float32)
    probs = probabilities(scores, 20.0)
    labels = (probs.cumsum(axis=1) < rng.random((600, 1))).sum(axis=1).clip(max=3)
    got = evaluate(scores, labels, logit_scale=20.0)
    confidence, right = probs.max(axis=1), probs.argmax(axis=1) == labels
    bins = np.ceil(confidence * 15)
    gaps = [abs((confidence - right)[bins == b].sum()) for b in range(1, 16)]
    assert got.metrics["ece_l1"].value == pytest.approx(sum(gaps) / 600)
    assert (got.metrics["ece_l1"].ci, got.metrics["ece_l1"].note) == (None, None)
    clipped = [r for seed in range(20) if (r := _calibrated(seed)).metrics["ece"].value == 0]
    assert clipped
    for one in clipped:
        assert "no perfect calibration" in one.metrics["ece"].note
        assert one.metrics["ece_l1"].value > 0
        assert any(w.startswith("ece: clipped at 0") for w in one.warnings)
    assert evaluate(scores, labels).metrics["ece_l1"].interval == "none: no logit scale"


def _calibrated(seed: int):
    rng = np.random.default_rng(seed)
    scores = (rng.random((600, 4)) * 0.2).astype(np.float32)
    probs = probabilities(scores, 20.0)
    labels = (probs.cumsum(axis=1) < rng.random((600, 1))).sum(axis=1).clip(max=3)
    return evaluate(scores, labels, logit_scale=20.0, seed=seed)
