"""Predictions that depend on the whole sample, made anew in every resample."""

from __future__ import annotations

import numpy as np
import pytest
from clustered_images import coverage, sample, truths
from scored import evaluate

from senbench.scoring import classifier
from senbench.scoring.classifier import Classifier
from senbench.scoring.intervals.bootstrap import FixedSums, bootstrap_weights
from senbench.scoring.intervals.repredicted import dap_prior, repredicted
from senbench.scoring.postprocess import Scoring, column_mean
from senbench.scoring.sample import Sample
from senbench.scoring.single_label.evaluate import zero_shot
from senbench.scoring.single_label.sums import image_rows, statistic

KEYS = ("a", "b", "c")


def dap(texts, text_class, n_classes, scale) -> Classifier:
    return Classifier.of(texts, text_class, n_classes, Scoring("dap", logit_scale=scale))


def test_resampled_totals_equal_scoring_the_resample() -> None:
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 50)
    weights = next(iter(bootstrap_weights(50, 20, seed=1)))
    got = statistic(repredicted(scores, labels, None).resampled(weights), 3)
    for row, w in zip(got, weights.astype(int), strict=True):
        chosen = np.repeat(np.arange(50), w)
        figures = evaluate(scores[chosen], labels[chosen], postprocess="column-mean").metrics
        assert row[0] == pytest.approx(figures["top1"].value)
        assert row[2] == pytest.approx(figures["balanced_accuracy"].value)
        assert row[3] == pytest.approx(figures["f1_macro"].value)


def test_column_mean_resamples_are_not_those_of_fixed_predictions() -> None:
    """Bootstrapping the post-processed scores as if they were fixed is the mistake."""
    scores, labels = sample(np.random.default_rng(0), 50)
    weights = next(iter(bootstrap_weights(50, 200, seed=1)))
    predicted = column_mean(scores, KEYS)[0].argmax(1)
    rows = image_rows(labels, predicted, np.ones(50, bool), 3, None).astype(np.float32)
    fixed = FixedSums(rows).resampled(weights)[:, :3].sum(1)
    anew = repredicted(scores, labels, None).resampled(weights)[:, :3].sum(1)
    assert (fixed != anew).mean() > 0.3


def test_dap_prior_equals_scoring_the_resample() -> None:
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(40, 6)), rng.normal(size=(9, 6))
    text_class = np.repeat([0, 1, 2], 3)
    weights = next(iter(bootstrap_weights(40, 5, seed=1)))
    model = dap(texts, text_class, 3, 15.0)
    prior, scores = dap_prior(model, images), model.scores(images)
    free = scores + prior(np.ones((1, 40), np.float32))
    for w in weights:
        chosen = np.repeat(np.arange(40), w.astype(int))
        expected = classifier.class_scores(images[chosen], texts, text_class, 3, "dap", logit_scale=15.0)
        np.testing.assert_allclose((free - prior(w[None]))[chosen], expected, atol=1e-3)


def test_totals_of_the_whole_sample_are_its_figures() -> None:
    """Tied classes, top-5 and the prior's sign, which only the sample as a whole shows exactly."""
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(80, 4)) + 0.8, rng.normal(size=(14, 4)) + 0.8
    texts[2:4] = texts[:2]  # classes 0 and 1 tie everywhere
    texts[12:] = texts[10:12]  # and so do classes 5 and 6
    text_class, labels = np.repeat(np.arange(7), 2), rng.integers(0, 7, 80)
    ones = np.ones((1, 80), np.float32)
    for rule, postprocess in (("norm-mean-norm", "column-mean"), ("dap", "none")):
        scores = classifier.class_scores(images, texts, text_class, 7, rule, logit_scale=3.0)
        figures = evaluate(scores, labels, rule=rule, postprocess=postprocess)
        assert figures.ties > 0
        prior = dap_prior(dap(texts, text_class, 7, 3.0), images) if rule == "dap" else None
        got = statistic(repredicted(scores, labels, prior).resampled(ones), 7)[0]
        for j, name in enumerate(("top1", "top5", "balanced_accuracy", "f1_macro")):
            assert got[j] == pytest.approx(figures.metrics[name].value), (rule, name)


@pytest.mark.slow
def test_column_mean_coverage() -> None:
    plain = ("top1", "balanced_accuracy", "f1_macro")
    truth = truths(*sample(np.random.default_rng(9), 1_000_000), plain, postprocess="column-mean")
    got = coverage(lambda rng: (*sample(rng, 300), None), truth, 150, postprocess="column-mean")
    assert all(0.90 <= share <= 0.99 for share in got.values()), got


def test_resamples_with_a_column_mean_below_zero_are_counted() -> None:
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 30)
    few = scores.copy()
    few[:, 2] = rng.normal(0, 0.1, 30)
    few[:, 2] += 0.03 - few[:, 2].mean()
    assert "undefined)" in evaluate(few, labels, postprocess="column-mean").metrics["top1"].interval
    few[:, 2] += 0.004 - few[:, 2].mean()
    figure = evaluate(few, labels, postprocess="column-mean").metrics["top1"]
    assert figure.ci is None
    assert figure.interval.startswith("none: undefined in ")


def test_dap_gets_intervals_only_where_its_prior_can_be_recomputed() -> None:
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(60, 6)), rng.normal(size=(9, 6))
    text_class, labels = np.repeat([0, 1, 2], 3), rng.integers(0, 3, 60)
    got = zero_shot(dap(texts, text_class, 3, 15.0), images, Sample(labels, KEYS))
    assert got.metrics["top1"].ci is not None
    assert got.access_level == 2
    alone = evaluate(got.scores, labels, rule="dap")
    assert alone.metrics["top1"].ci is None
    assert alone.metrics["top1"].value == got.metrics["top1"].value
    assert "p(t)" in alone.metrics["top1"].interval


def test_leaving_out_a_cluster_predicts_anew_without_its_images() -> None:
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 60)
    codes, totals = rng.integers(0, 5, 60), repredicted(scores, labels, None)
    left_out = statistic(totals.without(codes, 5), 3)
    for g in range(5):
        keep = codes != g
        figures = evaluate(scores[keep], labels[keep], postprocess="column-mean").metrics
        assert left_out[g, 0] == pytest.approx(figures["top1"].value)
