"""Jackknife over clusters: by hand, coverage by simulation, and what must not get an interval."""

from __future__ import annotations

import numpy as np
import pytest
from clustered_images import coverage, sample, truths, unequal
from scipy import stats
from scored import evaluate

from senbench.errors import UsageError
from senbench.scoring.intervals.clustered import (
    effective_clusters,
    jackknife,
    jackknife_error,
    leave_out_weights,
    sums_by_cluster,
    too_few,
)


@pytest.mark.slow
def test_cluster_coverage_and_that_of_ignoring_clusters() -> None:
    """Thirty unequal, correlated clusters: the jackknife covers, intervals that take images as units do not."""
    rng = np.random.default_rng(9)
    big = unequal(rng, 20_000)
    truth = truths(*sample(rng, len(big), big), ("top1", "balanced_accuracy", "f1_macro"))

    def draw(rng: np.random.Generator):
        clusters = unequal(rng, 30)
        return (*sample(rng, len(clusters), clusters), clusters)

    clustered = coverage(draw, truth, 300)
    assert all(share >= 0.90 for share in clustered.values()), clustered
    ignored = coverage(lambda rng: (*draw(rng)[:2], None), truth, 200)
    assert all(share < 0.75 for share in ignored.values()), ignored


def test_identical_images_in_clusters_have_their_size_as_design_effect() -> None:
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 100)
    figures = evaluate(
        np.repeat(scores, 8, axis=0), np.repeat(labels, 8), clusters=np.repeat(np.arange(100), 8)
    ).metrics
    effect = float(figures["top1"].interval.split("design effect ")[1].rstrip(")"))
    assert effect == pytest.approx(8, rel=0.2)
    narrow = evaluate(scores, labels).metrics["top1"].ci
    wide = figures["top1"].ci
    assert wide[1] - wide[0] == pytest.approx(narrow[1] - narrow[0], rel=0.1)


def test_one_cluster_or_one_image_gives_the_reason_and_no_error() -> None:
    scores, labels = sample(np.random.default_rng(0), 100)
    figure = evaluate(scores, labels, clusters=["33UUP"] * 100).metrics["top1"]
    assert figure.value is not None
    assert figure.ci is None
    assert figure.interval == "none: all images are in one cluster"
    assert evaluate(scores[:1], labels[:1]).metrics["top1"].interval == "none: a single image"


def test_clusters_must_be_one_per_image() -> None:
    scores, labels = sample(np.random.default_rng(0), 20)
    with pytest.raises(UsageError, match=r"clusters have shape \(19,\)"):
        evaluate(scores, labels, clusters=np.arange(19))


def test_per_class_intervals_need_ten_units() -> None:
    labels = np.repeat([0, 1, 2], [9, 10, 81])
    scores = sample(np.random.default_rng(0), 100)[0]
    assert [entry.recall_ci is not None for entry in evaluate(scores, labels).per_class] == [False, True, True]
    clusters = np.where(labels == 1, 0, np.arange(100) % 20)  # ten images of class 1, all in one place
    assert [entry.recall_ci is not None for entry in evaluate(scores, labels, clusters=clusters).per_class] == [
        False,
        False,
        True,
    ]


def test_reasons_by_number_of_clusters() -> None:
    assert too_few(1) == "none: all images are in one cluster"
    assert too_few(4) == "none: 4 clusters, 5 are needed"
    assert too_few(5) == ""


def test_sums_and_weights_leave_out_the_images_of_each_cluster() -> None:
    rng = np.random.default_rng(0)
    codes, rows = rng.integers(0, 6, 50), rng.normal(size=(50, 3)).astype(np.float32)
    weights = np.concatenate(list(leave_out_weights(codes, 6)))
    assert weights.dtype == np.float32
    for g in range(6):
        np.testing.assert_array_equal(weights[g], codes != g)
        np.testing.assert_allclose(sums_by_cluster(rows, codes, 6)[g], rows[codes == g].sum(axis=0), rtol=1e-5)


def test_effective_clusters_are_all_of_them_where_sizes_are_equal() -> None:
    assert effective_clusters(np.full(7, 3)) == pytest.approx(7)
    assert effective_clusters(np.array([6, 2])) == pytest.approx(64 / 40)


def test_equal_clusters_of_a_mean_are_the_ordinary_t_interval() -> None:
    values = np.random.default_rng(0).normal(0.5, 0.1, 20)
    left_out = (values.sum() - values) / 19
    assert jackknife_error(left_out) == pytest.approx(stats.sem(values))
    got = jackknife(left_out, values.mean(), float(values.var(ddof=1) / 40), np.array([0.0, 1.0]), 20.0)
    low, high = stats.t.interval(0.95, 19, values.mean(), stats.sem(values))
    assert got.ci == pytest.approx((low, high))
    assert got.design_effect == pytest.approx(2)
    assert got.label == "cluster-jackknife-t (20 clusters, 20.0 effective, design effect 2.00)"


def test_an_undefined_value_without_some_cluster_gives_no_interval() -> None:
    left_out = np.array([0.5, np.nan, 0.4, np.nan, 0.6])
    got = jackknife(left_out, 0.5, 0.01, np.array([0.0, 1.0]), 5.0)
    assert (got.ci, got.undefined) == (None, 2)
    assert got.label == "none: undefined with 2 of 5 clusters left out"
    assert jackknife(np.full(5, 0.5), 0.5, float("nan"), np.array([0.0, 1.0]), 5.0).design_effect is None
