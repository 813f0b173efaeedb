"""Column mean as the release does it, probabilities, ties, access levels."""

from __future__ import annotations

import numpy as np
import pytest

from senbench.errors import UsageError
from senbench.scoring import postprocess as p

KEYS = ("Forest", "River", "SeaLake")


def cosines(n: int = 500, level: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal([level, level + 0.02, level + 0.05], 0.02, (n, 3)).astype(np.float32)


def test_column_mean_equals_torch_in_float32() -> None:
    import torch

    scores = cosines(27_000)
    logits = torch.from_numpy(scores)
    released = (logits / (logits.mean(0) + 1e-6)).numpy()
    got, warnings = p.column_mean(scores, KEYS)
    assert got.dtype == np.float32
    assert not warnings
    np.testing.assert_allclose(got, released, rtol=3e-7)
    assert (got.argmax(1) == released.argmax(1)).all()


def test_column_mean_changes_predictions() -> None:
    scores = cosines()
    assert (scores.argmax(1) != p.column_mean(scores, KEYS)[0].argmax(1)).mean() > 0.2


@pytest.mark.parametrize("mean", [-0.01, 0.0])
def test_column_mean_refuses_a_mean_at_or_below_zero(mean: float) -> None:
    scores = np.array([[0.2, 0.25 + mean, 0.3], [0.2, -0.25 + mean, 0.3]], np.float32)
    with pytest.raises(UsageError, match=rf"'River' is {mean:.3g}"):
        p.column_mean(scores, KEYS)


def test_column_mean_warns_near_zero() -> None:
    scores = np.array([[0.2, 0.26, 0.3], [0.2, -0.25, 0.3]], np.float32)
    _, warnings = p.column_mean(scores, KEYS)
    assert len(warnings) == 1
    assert "'River'" in warnings[0]
    assert "standard error" in warnings[0]


def test_column_mean_does_not_warn_of_spread_alone() -> None:
    scores = np.tile(np.array([[0.2, 0.3, 0.3], [0.2, -0.2, 0.3]], np.float32), (50, 1))
    assert scores[:, 1].std() > scores[:, 1].mean() > scores[:, 1].std() / 10
    assert not p.column_mean(scores, KEYS)[1]


def test_softmax_and_sigmoid() -> None:
    scores = cosines(4)
    soft = p.probabilities(scores, 100.0)
    expected = np.exp(100.0 * scores.astype(float))
    np.testing.assert_allclose(soft, expected / expected.sum(1, keepdims=True), rtol=1e-6)
    sigmoid = p.probabilities(scores, 100.0, -25.0)
    np.testing.assert_allclose(sigmoid, 1 / (1 + np.exp(-(100.0 * scores.astype(float) - 25))), rtol=1e-6)


def test_probabilities_do_not_overflow() -> None:
    extreme = np.array([[1.0, -1.0]], np.float32)
    for bias in (None, -16.0):
        probs = p.probabilities(extreme, 1e5, bias)
        assert np.isfinite(probs).all()
        np.testing.assert_allclose(probs, [[1, 0]], atol=1e-12)


def test_ties_go_to_the_first_class_and_are_counted() -> None:
    scores = np.array([[1, 1, 0], [0, 1, 1], [0, 0, 1], [2, 2, 2], [3, 1, 1]], np.float32)
    predictions, ties = p.predict(scores)
    assert predictions.tolist() == [0, 1, 2, 0, 0]
    assert ties == 3  # the tie below the best score of the last row does not count


def test_access_levels() -> None:
    assert p.access_level("norm-mean-norm", "none") == 0
    assert p.access_level("max", "none") == 0
    assert p.access_level("norm-mean-norm", "column-mean") == 2
    assert p.access_level("dap", "none") == 2


def test_how_scores_are_made_is_checked_once() -> None:
    with pytest.raises(UsageError, match=r"unknown ensembling rule 'mean'; available: norm-mean-norm"):
        p.Scoring("mean")
    with pytest.raises(UsageError, match=r"unknown post-processing 'softmax'; available: none, column-mean"):
        p.Scoring(postprocess="softmax")
    assert [p.Scoring(rule).access_level for rule in ("max", "dap")] == [0, 2]


def test_scores_are_finished_as_asked() -> None:
    scores = cosines()
    final, warnings = p.Scoring().finish(scores, KEYS)
    assert final is scores
    assert warnings == []
    divided, _ = p.Scoring(postprocess="column-mean").finish(scores, KEYS)
    np.testing.assert_array_equal(divided, p.column_mean(scores, KEYS)[0])


def test_log_softmax_equals_scipy_for_huge_logits() -> None:
    from scipy.special import log_softmax

    logits = np.random.default_rng(0).normal(0, 1e4, (5, 2, 3)).astype(np.float32)
    np.testing.assert_allclose(p.log_softmax(logits), log_softmax(logits.astype(np.float64), axis=-1))


@pytest.mark.parametrize("scale", [1e300, float("inf"), float("nan"), -1.0, 0.0])
def test_a_scale_that_no_model_has_is_named(scale):
    with pytest.raises(UsageError, match=r"^logit_scale is .*; expected the multiplier of the cosine, above 0"):
        p.Scoring("prob-mean", logit_scale=scale)
