"""From embeddings to what a result records: the same figures as from the scores, thresholds from elsewhere."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score

from senbench.errors import UsageError
from senbench.evaluation.outcome import LabelledSplit, outcome
from senbench.scoring.classifier import Classifier, class_scores
from senbench.scoring.multi_label.groups import INSIDE, OUTSIDE
from senbench.scoring.postprocess import Scoring, column_mean
from senbench.scoring.sample import Sample

KEYS, NAMES = ("F", "R", "S"), ("forest", "river", "sea")
TEXT_CLASS = np.repeat(np.arange(3), 4)
PROTOTYPES = np.random.default_rng(9).normal(size=(3, 8))
TEXTS = PROTOTYPES[TEXT_CLASS] + np.random.default_rng(8).normal(size=(12, 8)) + 0.8


def images_of(seed: int, n: int = 150):
    """Image embeddings with one class each, and with labels beside it."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    images = PROTOTYPES[labels] + rng.normal(size=(n, 8)) + 0.8
    return images, labels, np.eye(3, dtype=bool)[labels] | (rng.random((n, 3)) < 0.2)


def classifier(rule: str = "norm-mean-norm", postprocess: str = "none") -> Classifier:
    scoring = Scoring(rule, postprocess, logit_scale=10.0, logit_bias=-5.0)
    return Classifier.of(TEXTS, TEXT_CLASS, 3, scoring, names=NAMES, template_aligned=True)


def tuning(seed: int = 1) -> LabelledSplit:
    images, _, truth = images_of(seed)
    return LabelledSplit(images, Sample(truth, KEYS), "val", len(images), "0" * 64)


def test_single_label_figures_are_those_of_the_scores() -> None:
    images, labels, _ = images_of(0)
    got = outcome(classifier(), images, Sample(labels, KEYS))
    scores = class_scores(images, TEXTS, TEXT_CLASS, 3)
    np.testing.assert_array_equal(got.scores, scores)
    np.testing.assert_array_equal(got.predictions, scores.argmax(axis=1))
    assert got.metrics["top1"].value == pytest.approx((scores.argmax(axis=1) == labels).mean())
    assert [(c.key, c.name) for c in got.per_class] == list(zip(KEYS, NAMES, strict=True))


@pytest.mark.parametrize("postprocess", ["none", "column-mean"])
def test_thresholds_come_from_the_other_split_scored_and_finished_alike(postprocess: str) -> None:
    images, _, truth = images_of(0)
    other = tuning()
    got = outcome(classifier(postprocess=postprocess), images, Sample(truth, KEYS), other)

    def final(rows: np.ndarray) -> np.ndarray:
        scores = class_scores(rows, TEXTS, TEXT_CLASS, 3)
        return scores if postprocess == "none" else column_mean(scores, KEYS)[0]

    seen, evaluated = final(other.rows), final(images)
    for k, entry in enumerate(got.per_label):
        best = max(seen[:, k], key=lambda cut: f1_score(other.sample.labels[:, k], seen[:, k] >= cut))
        reached = f1_score(other.sample.labels[:, k], seen[:, k] >= np.float32(entry.threshold))
        assert reached == pytest.approx(f1_score(other.sample.labels[:, k], seen[:, k] >= best))
    assert [(entry.key, entry.name) for entry in got.per_label] == list(zip(KEYS, NAMES, strict=True))
    cuts = np.array([entry.threshold for entry in got.per_label], np.float32)
    assert got.metrics["f1_macro_tuned"].value == pytest.approx(f1_score(truth, evaluated >= cuts, average="macro"))
    assert got.metrics["f1_macro_tuned"].threshold == "tuned on val"
    assert outcome(classifier(), images, Sample(truth, KEYS)).metrics["f1_macro_tuned"].value is None


def test_thresholds_of_dap_are_refused() -> None:
    images, _, truth = images_of(0)
    with pytest.raises(UsageError, match="thresholds cannot be tuned for ensemble dap"):
        outcome(classifier("dap"), images, Sample(truth, KEYS), tuning())


def test_countries_give_groups_and_change_nothing_else() -> None:
    images, labels, truth = images_of(0)
    countries = np.where(np.arange(150) % 3 == 0, "Serbia", "Austria")
    with_them = outcome(classifier(), images, Sample(truth, KEYS, None, countries))
    assert [g.group for g in with_them.groups] == ["Austria", "Serbia", INSIDE, OUTSIDE]
    inside = countries == "Austria"
    expected = average_precision_score(truth[inside], with_them.scores[inside], average="macro")
    assert with_them.groups[0].map_macro.value == with_them.groups[2].map_macro.value == pytest.approx(expected)
    without = outcome(classifier(), images, Sample(truth, KEYS))
    assert without.groups == ()
    for name in {f.name for f in fields(without)} - {"scores", "groups"}:
        assert getattr(with_them, name) == getattr(without, name)
    assert outcome(classifier(), images, Sample(labels, KEYS, None, countries)).groups == ()


def test_the_seed_reaches_the_resamples_of_both_tasks() -> None:
    images, labels, truth = images_of(0)
    for target, name in ((labels, "f1_macro"), (truth, "map_macro")):
        a, b, c = (outcome(classifier(), images, Sample(target, KEYS), seed=s).metrics[name].ci for s in (1, 1, 2))
        assert a == b != c
