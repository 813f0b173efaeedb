"""Multi-label metrics from average precisions and sums, under any weighting, against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multi_hot import sample
from sklearn.metrics import f1_score, label_ranking_average_precision_score

from senbench.scoring.multi_label.ranking import Ranking, top_k_hits
from senbench.scoring.multi_label.sums import DEFINITIONS, NAMES, bounds, image_rows, statistic
from senbench.scoring.postprocess import probabilities


def totals(seed: int, times: np.ndarray):
    """Scores, labels, and the totals when image i counts times[i] times."""
    scores, truth = sample(len(times), seed)
    probs = probabilities(scores, 30.0, -7.0)
    logits = 30.0 * scores.astype(np.float64) - 7.0
    rows = image_rows(scores, truth, top_k_hits(scores, truth)[0], logits, scores > 0.2, scores > 0.25)
    whole = Ranking.of(scores.ravel(), truth.ravel(), np.repeat(np.arange(len(times)), 6))
    weights = times.astype(np.float32)
    precision = [r.average_precision(weights) for r in (*Ranking.of_labels(scores, truth), whole)]
    return scores, truth, probs, np.concatenate([precision, times @ rows])


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_statistic_of_weighted_sums_is_that_of_the_repeated_images(seed: int) -> None:
    times = np.random.default_rng(seed).multinomial(60, [1 / 60] * 60)
    scores, truth, probs, summed = totals(seed, times)
    got = statistic(summed, 6)
    value = dict(zip(NAMES, got, strict=False))
    images = np.repeat(np.arange(60), times)
    s, t, p = scores[images], truth[images], probs[images]
    some = t.any(axis=1)
    assert value["lrap"] == pytest.approx(label_ranking_average_precision_score(t[some], s[some]))
    for how, cut in (("at_mean", 0.2), ("tuned", 0.25)):
        for average in ("macro", "micro"):
            expected = f1_score(t, s > np.float32(cut), average=average, zero_division=np.nan)
            assert value[f"f1_{average}_{how}"] == pytest.approx(expected), (how, average)
    hits, k = top_k_hits(s, t)[0], t.sum(axis=1)
    assert value["r_precision_micro"] == pytest.approx(hits.sum() / k.sum())
    assert value["r_precision_samples"] == pytest.approx((hits[some] / k[some]).mean())
    assert value["nll"] == pytest.approx(-np.log(np.where(t, p, 1 - p)).mean())
    assert value["brier"] == pytest.approx(np.square(p - t).mean())
    assert value["map_macro"] == pytest.approx(np.nanmean(got[len(NAMES) :]))


def test_every_metric_has_a_definition_a_place_and_a_range() -> None:
    assert len(statistic(totals(0, np.ones(60, int))[3], 6)) == len(DEFINITIONS) + 6 == len(bounds(len(NAMES) + 6))
    assert [name for name, (_, high) in zip(NAMES, bounds(len(NAMES)), strict=True) if high > 1] == ["nll"]
    assert {name for name, d in DEFINITIONS.items() if d.access_level == 3} == {"f1_macro_tuned", "f1_micro_tuned"}


def test_rows_without_thresholds_or_probabilities_leave_their_sums_at_zero() -> None:
    scores, truth = sample(30)
    rows = image_rows(scores, truth, top_k_hits(scores, truth)[0], None, scores > 0.2, None)
    assert rows.shape == (30, 8 + 5 * 6)
    assert not rows[:, 6:8].any()
    assert not rows[:, 8 + 3 * 6 :].any()


def test_certain_and_wrong_costs_its_log_odds() -> None:
    """1 - p would round to 0 at a log-odds of 40, and the loss to 708 nats."""
    scores, truth = np.array([[1.0, -1.0]], np.float32), np.array([[False, True]])
    got = image_rows(scores, truth, np.array([0]), 40.0 * scores.astype(np.float64), scores > 0, None)
    assert got[0, 6] == pytest.approx(40.0)
    assert got[0, 7] == pytest.approx(1.0)
    right = image_rows(scores, ~truth, np.array([1]), 40.0 * scores.astype(np.float64), scores > 0, None)
    assert right[0, 6] == pytest.approx(np.exp(-40.0), rel=1e-9)
