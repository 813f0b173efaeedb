"""How many labels reach a zero-shot figure: what is drawn, what it is held against, and what a run makes of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import runs
import stubs

import senbench
from senbench.errors import UsageError
from senbench.evaluation.labels_saved import LabelsSaved
from senbench.evaluation.outcome import LabelledSplit
from senbench.scoring.classifier import Classifier, unit
from senbench.scoring.few_shot import METHODS
from senbench.scoring.sample import Sample

KEYS = ("a", "b", "c")
CENTRES = 2 * np.random.default_rng(8).normal(size=(3, 12))


def drawn(n, seed, clusters=None):
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return unit(CENTRES[labels] + 2.2 * rng.normal(size=(n, 12))), Sample(labels, KEYS, clusters)


def study(pool_clusters=None, clusters=None, shots=(1, 4), n_pool=90):
    rows, sample = drawn(n_pool, 1, pool_clusters)
    images, evaluated = drawn(120, 2, clusters)
    return LabelsSaved(LabelledSplit(rows, sample, "train", n_pool, "0"), images, evaluated, shots)


def zero_shot(noise):
    rng = np.random.default_rng(3)
    texts = np.repeat(CENTRES, 2, axis=0) + noise * rng.normal(size=(6, 12))
    return Classifier.of(texts, np.repeat(np.arange(3), 2), 3)


def against(saved, noise=1.0):
    classifier = zero_shot(noise)
    predictions = classifier.scores(saved.images).argmax(axis=1)
    return saved.against(classifier, predictions), predictions == saved.sample.labels


def test_gains_are_paired_with_the_zero_shot_predictions():
    found, right = against(study())
    assert [(one.method, one.shots) for one in found.figures] == [(name, k) for name in METHODS for k in (1, 4)]
    for one in found.figures:
        assert one.value == pytest.approx(np.mean(one.draws))
        assert one.gain == pytest.approx(one.value - right.mean())
        assert one.ci[0] <= one.value <= one.ci[1]
        assert one.gain_ci[0] <= one.gain <= one.gain_ci[1]


def test_only_tip_adapter_depends_on_the_prompts():
    saved = study()
    good, bad = (against(saved, noise)[0].figures for noise in (0.0, 40.0))
    same = [one.method for one, other in zip(good, bad, strict=True) if one.draws == other.draws]
    assert "tip-adapter" not in same
    assert len(same) == 6


def test_images_in_places_of_evaluated_ones_are_not_drawn():
    pool = np.repeat(["p1", "p2", "p3"], 30)
    saved = study(pool, np.repeat(["p2", "q"], 60))
    found, _ = against(saved)
    assert (found.n_pool, found.left_out, found.separation) == (60, 30, "spatial")
    assert "p2" not in saved.drawable.sample.clusters
    assert against(study())[0].separation == "random"
    assert against(study(pool))[0].separation == "random"


def test_too_few_images_are_refused_with_the_class():
    with pytest.raises(UsageError, match=r"--shots 16: train has 10 tiles of class a that can be drawn; ask for fewer"):
        against(study(shots=(1, 16), n_pool=30))
    near = study(np.repeat(["p1", "p2"], 45), np.full(120, "p1"), shots=(16,))
    with pytest.raises(UsageError, match="since those in places of evaluated tiles are left out"):
        against(near)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"shots": (1, 2)}, "--shots draws labelled tiles from the split of --anchors"),
        ({"shots": (1,), "anchors": "train", "tiles": "multi"}, "--shots is for one class per tile"),
    ],
)
def test_a_run_refuses_before_anything_is_embedded(monkeypatch, options, found):
    monkeypatch.setattr("senbench.evaluation.embed.Embedder.images", None)
    tiles = runs.multi() if options.pop("tiles", None) else stubs.tiles()
    with pytest.raises(UsageError, match=found):
        senbench.evaluate(stubs.StubEncoder(), tiles, runs.PROMPTS, results=None, **options)


@pytest.mark.parametrize(
    ("evaluated", "drawn_from", "separation"),
    [
        ("spatial-test", "spatial-train", "spatial list"),
        ("random-test", "spatial-train", "random"),
        ("spatial-test", "random-train", "random"),
        ("spatial-test", "file:mine.txt", "random"),
        ("", "spatial-train", "random"),
    ],
)
def test_lists_that_are_separate_by_longitude_are_not_called_random(evaluated, drawn_from, separation):
    saved = replace(study(), split=evaluated)
    assert replace(saved, pool=replace(saved.pool, split=drawn_from)).separation == separation


def test_without_other_labels_halves_predict_each_other():
    saved = replace(study(), pool=None)
    found, _ = against(saved)
    assert (found.separation, found.n_pool, found.left_out) == ("halves", 120, 0)
    located = replace(saved, sample=replace(saved.sample, clusters=np.arange(120) % 20))
    assert against(located)[0].separation == "spatial halves"
    with pytest.raises(UsageError, match="--shots 32: half of the evaluated images has 20 tiles of class a"):
        against(replace(saved, shots=(1, 32)))
