"""Intervals over images: brute force, coverage by simulation, and what must not get one."""

from __future__ import annotations

import numpy as np
import pytest
from clustered_images import coverage, sample, truths
from scored import evaluate

from senbench.scoring.intervals import bootstrap
from senbench.scoring.intervals.bootstrap import bootstrap_weights
from senbench.scoring.single_label.sums import image_rows, statistic


def test_bootstrap_draws_n_images_with_replacement() -> None:
    for n in (1, 7, 1000, 70_000):
        blocks = list(bootstrap.bootstrap_weights(n, 30, seed=3))
        weights = np.concatenate(blocks)
        assert weights.shape == (30, n)
        assert (weights.sum(axis=1) == n).all()
    assert weights.var() == pytest.approx(1, abs=0.01)  # Poisson-like counts
    again = np.concatenate(list(bootstrap.bootstrap_weights(n, 30, seed=3)))
    np.testing.assert_array_equal(weights, again)


def _fixed(scores, labels) -> bootstrap.FixedSums:
    rows = image_rows(labels, scores.argmax(1), np.ones(len(labels), bool), 3, None)
    return bootstrap.FixedSums(rows.astype(np.float32))


def test_resampled_totals_equal_scoring_the_resample() -> None:
    """The interval's resamples are what one gets from repeating the images and scoring from the start."""
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 50)
    weights = next(iter(bootstrap.bootstrap_weights(50, 20, seed=1)))
    got = statistic(_fixed(scores, labels).resampled(weights), 3)
    for row, w in zip(got, weights.astype(int), strict=True):
        chosen = np.repeat(np.arange(50), w)
        figures = evaluate(scores[chosen], labels[chosen]).metrics
        assert row[0] == pytest.approx(figures["top1"].value)
        assert row[2] == pytest.approx(figures["balanced_accuracy"].value)
        assert row[3] == pytest.approx(figures["f1_macro"].value)


def test_resamples_are_one_stream_of_draws_whatever_the_blocks() -> None:
    rng = np.random.default_rng(5)
    want = [np.bincount(rng.integers(0, 50, 50, dtype=np.uint32), minlength=50) for _ in range(300)]
    blocks = list(bootstrap_weights(50, 300, 5))
    assert len(blocks) > 2
    np.testing.assert_array_equal(np.concatenate(blocks), want)


@pytest.mark.parametrize("n", [1, 2, 40, 41, 2000])
def test_percentiles_are_those_of_numpy(n: int) -> None:
    draws = np.random.default_rng(n).random(n)
    got = bootstrap._percentile(draws, 0.5, np.array([0.0, 1.0]), recentre=False)
    assert got.ci == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=1e-12)
    some = np.append(draws, [np.nan] * (n // 20))
    assert bootstrap._percentile(some, 0.5, np.array([0.0, 1.0]), recentre=False)[:3:2] == (got.ci, n // 20)


def test_leaving_out_a_cluster_equals_deleting_its_images() -> None:
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 60)
    codes = rng.integers(0, 5, 60)
    totals = _fixed(scores, labels)
    left_out = totals.without(codes, 5)
    for g in range(5):
        keep = (codes != g).astype(np.float32)[None]
        np.testing.assert_allclose(left_out[g], totals.resampled(keep)[0])


@pytest.mark.slow
def test_iid_coverage() -> None:
    names = ("top1", "balanced_accuracy", "f1_macro", "nll", "brier")
    truth = truths(*sample(np.random.default_rng(9), 1_000_000), names, logit_scale=12.0)
    got = coverage(lambda rng: (*sample(rng, 300), None), truth, 300, logit_scale=12.0)
    assert all(0.92 <= share <= 0.975 for share in got.values()), got
    # The root of a debiased square: at least nominal, and not vacuous.
    truth = truths(*sample(np.random.default_rng(9), 1_000_000), ("ece",), logit_scale=25.0)
    got = coverage(lambda rng: (*sample(rng, 600), None), truth, 150, logit_scale=25.0)
    assert got["ece"] >= 0.92


def test_labels_say_how_the_interval_was_made() -> None:
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 300)
    clusters = np.array([f"33UU{g:02d}" for g in rng.integers(0, 12, 300)])
    assert evaluate(scores, labels).metrics["top1"].interval == "iid-bootstrap"
    label = evaluate(scores, labels, clusters=clusters).metrics["top1"].interval
    assert label.startswith("cluster-jackknife-t (12 clusters, ")
    assert "effective" in label
    assert "design effect" in label


def test_intervals_stay_in_range_and_around_the_value() -> None:
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 40)
    for clusters in (None, rng.integers(0, 3, 40)):
        for postprocess in ("none", "column-mean"):
            got = evaluate(scores, labels, logit_scale=50.0, clusters=clusters, postprocess=postprocess)
            for name, figure in got.metrics.items():
                if figure.ci:
                    assert 0 <= figure.ci[0] <= figure.value <= figure.ci[1], name
                    assert figure.ci[1] <= {"nll": np.inf, "brier": 2}.get(name, 1), name


def test_losses_may_exceed_one() -> None:
    scores, labels = sample(np.random.default_rng(0), 200)
    figures = evaluate(scores, (labels + 1) % 3, logit_scale=100.0).metrics
    for name in ("nll", "brier"):
        low, high = figures[name].ci
        assert 1 < low < figures[name].value < high


def test_perfect_predictions_warn_of_the_zero_width() -> None:
    labels = np.arange(30) % 3
    got = evaluate(np.eye(3, dtype=np.float32)[labels], labels)
    assert got.metrics["balanced_accuracy"].ci == (1.0, 1.0)
    assert got.metrics["top1"].ci == pytest.approx((30 / (30 + 1.959964**2), 1.0))
    assert any("zero width" in w for w in got.warnings)


def test_seed_fixes_the_interval() -> None:
    scores, labels = sample(np.random.default_rng(0), 200)
    a, b, c = (evaluate(scores, labels, seed=s).metrics["f1_macro"].ci for s in (1, 1, 2))
    assert a == b != c
