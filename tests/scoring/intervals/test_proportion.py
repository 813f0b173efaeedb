"""Intervals of proportions: the formula, the ends of the range, and coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from clustered_images import unequal
from scipy import stats
from scored import evaluate

from senbench.scoring.intervals.interval import Interval
from senbench.scoring.intervals.proportion import ClusterCounts, near_end, proportion, wilson


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (1, 20), (49, 50), (50, 50), (150, 300), (598, 600)])
def test_wilson_is_scipys(hits: int, n: int) -> None:
    own = stats.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((own.low, own.high), abs=1e-12)


def test_the_ends_do_not_collapse_but_reach_what_was_seen() -> None:
    assert wilson(0.0, 20)[0] == 0.0
    assert wilson(1.0, 20)[1] == 1.0
    assert wilson(0.0, 20)[1] == pytest.approx(1 - wilson(1.0, 20)[0]) == pytest.approx(0.161, abs=1e-3)


def test_only_few_hits_or_misses_are_near_the_end() -> None:
    assert near_end(0.71, 100)
    assert near_end(0.29, 100)
    assert not near_end(0.7, 100)
    assert not near_end(0.5, 60)


def test_what_has_no_interval_gets_none() -> None:
    nothing = Interval(None, "none: 3 clusters, 5 are needed")
    assert proportion(0.9, 20, nothing, None, resampled=False) is nothing


def counts(hits, n=40):
    return ClusterCounts(np.full(len(hits), n), np.array(hits))


def test_clusters_widen_and_certainty_falls_back_on_their_number() -> None:
    error, alike = 0.03, counts([36, 40] * 5)
    got = proportion(0.95, 400, Interval((0.9, 1.0), "", error=error), alike, resampled=False)
    effective = 0.95 * 0.05 / error**2
    assert got.ci == pytest.approx(wilson(0.95, effective, stats.t.ppf(0.975, 9)))
    assert got.label == (
        "cluster-wilson-t (10 clusters, 10.0 effective, 53 of 400 images effective, 9.0 degrees of freedom)"
    )
    sure = proportion(1.0, 400, Interval((1.0, 1.0), "", error=0.0), counts([40] * 10), resampled=False)
    assert sure.ci == pytest.approx(wilson(1.0, 10, stats.t.ppf(0.975, 9)))
    assert proportion(0.95, 400, Interval((0.9, 1.0), "", error=1e-4), alike, resampled=False).ci == pytest.approx(
        wilson(0.95, 400, stats.t.ppf(0.975, 9))
    )


def test_few_clusters_with_misses_leave_few_degrees_of_freedom() -> None:
    one = counts([20, *[40] * 9])  # u = -18 and nine times 2
    u = np.array([-18.0, *[2.0] * 9])
    assert one.degrees(0.95) == pytest.approx((u**2).sum() ** 2 / (u**4).sum() + 1)
    assert 2 < one.degrees(0.95) < 2.3
    assert counts([0, 40, 40]).degrees(2 / 3) == 2.0  # never more than G* - 1
    assert counts([40] * 10).degrees(1.0) == 9.0
    assert ClusterCounts(np.array([40, 0, 40]), np.array([40, 0, 39])).effective == 2.0


def test_recalls_and_accuracies_near_the_end_get_it_and_say_so() -> None:
    labels = np.repeat([0, 1], [50, 8])
    scores = np.eye(2, dtype=np.float32)[labels]
    got = evaluate(scores, labels)
    assert got.per_class[0].recall_ci == pytest.approx(wilson(1.0, 50))
    assert got.per_class[0].recall_interval == "iid-wilson"
    assert got.per_class[1].recall_ci is None
    assert got.per_class[1].recall_interval == "none: fewer than 10 images with the class"
    assert (got.metrics["top1"].ci, got.metrics["top1"].interval) == (wilson(1.0, 58), "iid-wilson")
    old = evaluate(scores, labels, wilson=False)
    assert old.per_class[0].recall_ci == (1.0, 1.0)
    assert old.per_class[0].recall_interval == ""
    assert old.metrics["top1"].interval == "iid-bootstrap"


def test_predictions_that_depend_on_the_sample_count_as_fewer_images() -> None:
    wide = proportion(0.9, 100, Interval((0.7, 1.0), "", error=0.06), None, resampled=True)
    assert wide.label == "iid-wilson (25 of 100 images effective)"
    assert wide.ci == pytest.approx(wilson(0.9, 25))


@pytest.mark.slow
@pytest.mark.parametrize("n", [20, 50, 300, 600])
@pytest.mark.parametrize("p", [0.95, 0.98, 0.997])
def test_coverage_of_recalls_near_one(n: int, p: float) -> None:
    """Through the whole evaluation for each possible number of hits, weighted by its probability."""
    labels = np.repeat([0, 1], [n, 12])
    share = 0.0
    for hits in range(n, max(n - 60, -1), -1):
        predicted = labels.copy()
        predicted[: n - hits] = 1
        low, high = evaluate(np.eye(2, dtype=np.float32)[predicted], labels).per_class[0].recall_ci
        share += stats.binom.pmf(hits, n, p) * (low <= p <= high)
    assert share >= (0.85 if p == 0.997 else 0.91), share


@pytest.mark.slow
@pytest.mark.parametrize(
    ("g", "alike", "p", "least"),
    [(30, 0.05, 0.95, 0.93), (30, 0.2, 0.98, 0.92), (60, 0.05, 0.98, 0.93), (12, 0.2, 0.95, 0.92)],
)
def test_coverage_of_recalls_over_clusters(g: int, alike: float, p: float, least: float) -> None:
    """Unequal clusters whose own recall varies (beta, intraclass correlation `alike`); the jackknife covers less."""
    hits = jackknife = 0
    for seed in range(300):
        rng = np.random.default_rng(seed)
        clusters = unequal(rng, g)
        own = rng.beta(p * (1 / alike - 1), (1 - p) * (1 / alike - 1), g)[clusters]
        labels = np.zeros(len(clusters), np.int64)
        scores = np.eye(2, dtype=np.float32)[(rng.random(len(labels)) > own).astype(int)]
        low, high = evaluate(scores, labels, clusters=clusters).per_class[0].recall_ci
        hits += low <= p <= high
        low, high = evaluate(scores, labels, clusters=clusters, wilson=False).per_class[0].recall_ci
        jackknife += low <= p <= high
    assert hits >= least * 300, hits
    assert hits > jackknife
