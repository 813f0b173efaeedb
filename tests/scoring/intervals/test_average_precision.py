"""Intervals of average precision over images and clusters: brute force, first order, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from multi_hot import sample
from scored import evaluate

from senbench.scoring.intervals import average_precision
from senbench.scoring.intervals.average_precision import image_variance, spread
from senbench.scoring.intervals.bootstrap import bootstrap_weights
from senbench.scoring.intervals.interval import Statistic
from senbench.scoring.multi_label.ranking import Ranking
from senbench.scoring.single_label.metrics import mean_defined


def test_independent_variance_is_the_jackknife_over_images() -> None:
    scores, truth = sample()
    labels = scores[:, :1].astype(float)
    ranked = (Ranking.of(scores[:, 0], truth[:, 0]), Ranking.of(scores[:, 3], truth[:, 3]))

    def statistic(totals: np.ndarray) -> np.ndarray:
        return np.stack([mean_defined(totals[..., :2]), totals[..., 2] / 200], axis=-1)

    def left_out(i: int) -> np.ndarray:
        weights = (np.arange(200) != i).astype(np.float32)
        return statistic(np.array([*(r.average_precision(weights) for r in ranked), labels.sum() - labels[i, 0]]))

    totals = np.array([*(r.average_precision(np.ones(200, np.float32)) for r in ranked), labels.sum()])
    expected = np.var([left_out(i) for i in range(200)], axis=0) * 199
    got = image_variance(np.stack([r.influence(200) for r in ranked], axis=1), labels, statistic, totals)
    assert got[0] == pytest.approx(expected[0], rel=0.05)  # a derivative in place of leaving out
    assert got[1] == pytest.approx(expected[1])


def test_many_clusters_are_left_out_to_first_order() -> None:
    """Far more clusters than a table of all of them at every positive could hold: near the exact interval."""
    scores, truth = sample(2000)
    clusters = np.arange(2000) // 8
    exact = evaluate(scores, truth, clusters=clusters)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(average_precision, "MAX_CLUSTERS", 249)
        near = evaluate(scores, truth, clusters=clusters)
    assert near.resampled == {}
    for name, figure in exact.metrics.items():
        if figure.ci:
            assert near.metrics[name].ci == pytest.approx(figure.ci, abs=0.03 * (figure.ci[1] - figure.ci[0])), name
    alone = evaluate(*sample(20_000), clusters=np.arange(20_000))
    assert alone.clustering.design_effect == pytest.approx(1, rel=0.01)


@pytest.mark.parametrize(
    ("clusters", "reason"),
    [(1, "none: all images are in one cluster"), (2, "none: 2 clusters, 5 are needed"), (4, "none: 4 clusters, 5 a")],
)
def test_few_clusters_give_the_reason_and_no_error(clusters: int, reason: str) -> None:
    scores, truth = sample()
    got = evaluate(scores, truth, clusters=np.arange(200) % clusters)
    plain = evaluate(scores, truth)
    for name, figure in got.metrics.items():
        assert figure.value == plain.metrics[name].value
        assert figure.ci is None
        assert figure.interval.startswith(reason) or figure.value is None
    assert all(entry.ci is None for entry in got.per_label)
    assert (got.clustering.clusters, got.clustering.design_effect) == (clusters, None)
    assert (got.replicates, got.resampled) == ({}, {})


@pytest.mark.slow
def test_coverage_of_average_precision() -> None:
    """Repeated positives bias a resample's average precision upwards (0.80 covered here uncentred)."""
    big = evaluate(*sample(100_000, seed=99), clusters=np.zeros(100_000)).metrics
    hits = {"map_macro": 0, "map_micro": 0, "r_precision_micro": 0}
    for seed in range(200):
        figures = evaluate(*sample(200, seed=seed)).metrics
        for name in hits:
            low, high = figures[name].ci
            hits[name] += low <= big[name].value <= high
    assert hits["map_macro"] >= 174, hits  # the rarest label has ten positives
    assert min(hits["map_micro"], hits["r_precision_micro"]) >= 184, hits


def test_values_without_each_cluster_and_of_resamples_are_those_of_their_images() -> None:
    from sklearn.metrics import average_precision_score

    scores, truth = sample(150)
    clusters = np.array(["T1", "T3", "T2", "T5", "T4", "T9"])[np.random.default_rng(0).integers(0, 6, 150)]
    hits = truth.sum(axis=1, keepdims=True).astype(float)
    macro_and_sum = Statistic(
        lambda t: np.stack([mean_defined(t[..., :6]), t[..., 6]], axis=-1), np.array([[0, 1], [0, np.inf]])
    )
    found = spread(Ranking.of_labels(scores, truth), hits, macro_and_sum, clusters=clusters)
    assert list(found.sizes) == sorted(found.sizes)
    assert found.resampled.shape == (1000, 2)
    assert found.estimate[0] == pytest.approx(average_precision_score(truth, scores, average="macro"))
    for name, row in zip(found.sizes, found.replicates, strict=True):
        keep = clusters != name
        assert found.sizes[name] == 150 - keep.sum()
        assert row[0] == pytest.approx(average_precision_score(truth[keep], scores[keep], average="macro"))
        assert row[1] == hits[keep].sum()
    assert (
        spread(Ranking.of_labels(scores, truth), hits, macro_and_sum, clusters=clusters, resample=False).resampled
        is None
    )


def test_resamples_of_images_are_centred_on_the_estimate() -> None:
    """Repeated positives bias a resample's average precision upwards."""
    scores, truth = sample(200)
    macro = Statistic(lambda totals: mean_defined(totals)[..., None], np.array([[0.0, 1.0]]))
    rankings = Ranking.of_labels(scores, truth)
    found = spread(rankings, np.zeros((200, 0)), macro)
    drawn = np.concatenate(list(bootstrap_weights(200, average_precision.IMAGE_RESAMPLES, 0)))
    values = np.array([np.mean([r.average_precision(w) for r in rankings]) for w in drawn])
    assert values.mean() > found.estimate[0] + 0.005
    centred = np.quantile(values, [0.025, 0.975]) + found.estimate[0] - values.mean()
    assert found.intervals[0].ci == pytest.approx(tuple(centred), abs=1e-6)
    assert found.left_out == {}
    assert found.sizes == {}
