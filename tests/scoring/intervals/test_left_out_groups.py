"""Groups that are left out, and the intervals of predictions that are made anew without each."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from senbench.scoring.classifier import unit
from senbench.scoring.intervals import left_out_groups
from senbench.scoring.intervals.interval import Statistic
from senbench.scoring.intervals.left_out_groups import MOST_GROUPS, grouped
from senbench.scoring.intervals.repredicted import without_groups
from senbench.scoring.postprocess import Scoring
from senbench.scoring.sample import Sample
from senbench.scoring.single_label.evaluate import score_single_label
from senbench.scoring.transclip import Transduction

CLASSES = 4


def drawn(seed, n=240, per_cluster=1, spread=0.0):
    """Images of four classes that differ from place to place, with cosines of one fixed text classifier."""
    fixed = np.random.default_rng(11)
    centres = fixed.normal(size=(CLASSES, 16))
    texts = unit(centres + 1.2 * fixed.normal(size=(CLASSES, 16)))
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, n)
    clusters = np.arange(n) // per_cluster
    place = spread * rng.normal(size=(clusters.max() + 1, 16))
    rows = unit(centres[labels] + place[clusters] + 1.6 * rng.normal(size=(n, 16)))
    return rows, 0.1 * rows @ texts.T, labels, clusters


def scored(rows, cosines, labels, clusters=None, seed=0):
    sample = Sample(labels, [f"c{k}" for k in range(CLASSES)], clusters)
    together = Transduction.of(rows)
    return score_single_label(cosines, sample, Scoring(postprocess="transclip"), together=together, seed=seed)


@pytest.mark.parametrize("units", [3, 20, 57, 400])
def test_groups_are_whole_units_of_about_as_many_images(units):
    codes = np.random.default_rng(0).integers(0, units, 4000)
    groups = grouped(codes, seed=1)
    assert len(np.unique(groups)) == groups.max() + 1 == min(MOST_GROUPS, units)
    assert all(len(np.unique(groups[codes == unit])) == 1 for unit in range(units))
    assert np.ptp(np.bincount(groups)) <= np.bincount(codes).max()
    assert units <= MOST_GROUPS or not np.array_equal(groups, grouped(codes, seed=2))


def test_each_group_is_predicted_without_as_if_it_had_never_been():
    rows, cosines, labels, _ = drawn(1, n=80)
    codes = grouped(np.arange(80), 0)
    found = without_groups(Transduction.of(rows), cosines, labels, codes)
    for group in (0, 7, 19):
        kept = codes != group
        final = Transduction.of(rows[kept]).predict(cosines[kept])
        right = final.argmax(axis=1) == labels[kept]
        assert found[group, :CLASSES].sum() == right.sum()
        assert found[group, -1] == kept.sum()


def test_the_interval_says_how_it_was_made():
    rows, cosines, labels, clusters = drawn(2, per_cluster=4)
    assert scored(rows, cosines, labels).metrics["top1"].interval == (
        "group-jackknife-t (20 groups of 240 images, predicted anew)"
    )
    found = scored(rows, cosines, labels, clusters)
    assert found.metrics["top1"].interval == "group-jackknife-t (20 groups of 60 clusters, predicted anew)"
    low, high = found.metrics["top1"].ci
    assert low < found.metrics["top1"].value < high
    assert found.access_level == 2
    assert found.warnings[0].startswith("transclip changes ")


def test_none_where_units_are_too_few_or_images_too_many(monkeypatch):
    rows, cosines, labels, _ = drawn(3)
    assert scored(rows[:4], cosines[:4], labels[:4]).metrics["top1"].interval == "none: 4 images, 5 are needed"
    monkeypatch.setattr(left_out_groups, "MOST_CELLS", 900)
    found = scored(rows, cosines, labels).metrics["top1"]
    assert found.ci is None
    assert found.interval == "none: 20 predictions anew cost too much for 960 scores (at most 900)"


def test_of_means_it_is_the_usual_error():
    """With fixed predictions and as many groups as images, it is the standard error of a mean."""
    right = np.random.default_rng(4).random(20) < 0.6
    of_mean = Statistic(lambda totals: totals, np.array([[0.0, 1.0]]))
    without = [(right.sum() - right) / 19]
    [found] = left_out_groups.intervals(
        lambda codes: np.array(without).T[np.argsort(codes)],
        of_mean,
        np.array([right.mean()]),
        Sample(right.astype(int), ["a", "b"]),
        0,
    )
    half = 2.093024 * right.std(ddof=1) / 20**0.5
    assert found.ci == pytest.approx((max(0, right.mean() - half), min(1, right.mean() + half)), rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("per_cluster", "spread"), [(1, 0.0), (6, 0.5)])
def test_coverage(per_cluster, spread):
    make = partial(drawn, per_cluster=per_cluster, spread=spread)
    truth, inside = [], []
    for seed in range(240):
        rows, cosines, labels, clusters = make(seed)
        found = scored(rows, cosines, labels, None if per_cluster == 1 else clusters).metrics["top1"]
        truth.append(found.value)
        inside.append(found.ci)
    mean = np.mean(truth)
    assert 0.91 <= np.mean([low <= mean <= high for low, high in inside]) <= 0.995
