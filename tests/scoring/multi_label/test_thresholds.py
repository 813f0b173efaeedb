"""From scores to label sets: against scikit-learn and naive searches."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scored import evaluate
from sklearn.metrics import f1_score

from senbench.errors import UsageError
from senbench.scoring.multi_label.thresholds import Thresholds, above_image_mean, tune_thresholds


def sample(n: int = 120, seed: int = 0, decimals: int | None = None):
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 4)) < [0.6, 0.4, 0.2, 0.05]
    truth[0] = True
    scores = rng.normal(0.2, 0.05, (n, 4)) + 0.05 * truth
    return (scores if decimals is None else np.round(scores, decimals)).astype(np.float32), truth


@pytest.mark.parametrize("decimals", [None, 2, 1])
@pytest.mark.parametrize("missing", [False, True])
def test_f1_equals_scikit_learn(decimals: int | None, missing: bool) -> None:
    scores, truth = sample(decimals=decimals)
    thresholds = tune_thresholds(*sample(seed=1, decimals=decimals), "elsewhere")
    if missing:
        truth[:, 3] = False
        scores[:, 2] = -1  # never above the mean: true but not predicted
        scores[:, 3] = -2  # neither: left out of the macro mean
        truth[:5, 2] = True
    got = evaluate(scores, truth, thresholds=thresholds).metrics
    predicted = {
        "at_mean": scores > scores.astype(np.float64).mean(axis=1, keepdims=True),
        "tuned": scores >= thresholds.values,
    }
    for how, mask in predicted.items():
        for average in ("macro", "micro"):
            expected = f1_score(truth, mask, average=average, zero_division=np.nan)
            assert got[f"f1_{average}_{how}"].value == pytest.approx(expected), (how, average)


def test_mean_is_of_the_image_not_of_the_class() -> None:
    """Over images per class the cut would depend on the evaluated set: access level 2."""
    scores = np.array([[5, 4, 0, 0], [1, 0.9, 0, 0]], np.float32)
    expected = [[True, True, False, False]] * 2
    np.testing.assert_array_equal(above_image_mean(scores), expected)
    np.testing.assert_array_equal(above_image_mean(scores[1:]), expected[1:])


def test_equal_scores_predict_nothing() -> None:
    for value in (0.1, 1 / 3, 0.7):
        assert not above_image_mean(np.full((3, 19), value, np.float32)).any()


def f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    return 2 * (truth & predicted).sum() / (truth.sum() + predicted.sum())


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([None, 2, 1]))
def test_tuned_threshold_is_the_best_of_all(seed: int, decimals: int | None) -> None:
    scores, truth = sample(40, seed, decimals)
    got = tune_thresholds(scores, truth, "here")
    for k in range(4):
        tried = {float(t): f1(truth[:, k], scores[:, k] >= t) for t in np.unique(scores[:, k])}
        assert got.f1[k] == pytest.approx(max(tried.values()))
        best = [t for t, reached in tried.items() if reached > got.f1[k] - 1e-12]
        assert float(got.values[k]) == max(best)


def test_label_without_a_positive_in_validation_is_never_predicted_and_named() -> None:
    scores, truth = sample(seed=1)
    truth[:, 1] = False
    thresholds = tune_thresholds(scores, truth, "elsewhere")
    assert np.isinf(thresholds.values[1])
    assert np.isnan(thresholds.f1[1])
    got = evaluate(*sample(), thresholds=thresholds)
    assert any("never predicted" in w and "b" in w for w in got.warnings)
    assert [entry.threshold is None for entry in got.per_label] == [False, True, False, False]


def test_every_figure_carries_average_threshold_and_level() -> None:
    thresholds = tune_thresholds(*sample(seed=1), "val, 120 images")
    got = evaluate(*sample(), thresholds=thresholds).metrics
    assert {name: (m.average, m.access_level) for name, m in got.items() if name.startswith("f1")} == {
        "f1_macro_at_mean": ("macro", 0),
        "f1_micro_at_mean": ("micro", 0),
        "f1_macro_tuned": ("macro", 3),
        "f1_micro_tuned": ("micro", 3),
    }
    assert got["f1_macro_tuned"].threshold == "tuned on val, 120 images"
    assert "mean of the image" in got["f1_micro_at_mean"].threshold
    assert "oracle" in got["r_precision_micro"].threshold
    assert got["map_macro"].threshold is None
    assert all(m.average and m.access_level is not None for m in got.values())
    level2 = evaluate(*sample(), thresholds=thresholds, postprocess="column-mean").metrics
    assert level2["f1_macro_at_mean"].access_level == 2
    assert level2["f1_macro_at_mean"].ci is None
    assert level2["f1_macro_tuned"].access_level == 3


def test_without_a_validation_set_there_are_no_tuned_figures() -> None:
    figure = evaluate(*sample()).metrics["f1_micro_tuned"]
    assert figure.value is None
    assert figure.interval == "none: no thresholds tuned on a validation set"


def test_f1_intervals_hold_the_value() -> None:
    scores, truth = sample()
    thresholds = tune_thresholds(*sample(seed=1), "elsewhere")
    for clusters in (None, np.arange(120) % 12):
        got = evaluate(scores, truth, thresholds=thresholds, clusters=clusters).metrics
        for name in ("f1_macro_at_mean", "f1_micro_at_mean", "f1_macro_tuned", "f1_micro_tuned"):
            low, high = got[name].ci
            assert 0 <= low < got[name].value < high <= 1, name


def test_wrong_thresholds_are_one_clear_line() -> None:
    with pytest.raises(UsageError, match="3 thresholds for 4 labels"):
        evaluate(*sample(), thresholds=Thresholds(np.zeros(3, np.float32), "x", np.zeros(3)))
    with pytest.raises(UsageError, match="threshold of label 'c' is not a number"):
        evaluate(*sample(), thresholds=Thresholds(np.array([0, 0, np.nan, 0], np.float32), "x", np.zeros(4)))
    scores, truth = sample()
    scores[7, 2] = np.nan
    for call in (lambda: tune_thresholds(scores, truth, "x"), lambda: evaluate(scores, truth)):
        with pytest.raises(UsageError, match="scores of image 7 are not finite"):
            call()
