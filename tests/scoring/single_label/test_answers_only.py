"""Figures of answers without scores equal scikit-learn's; what needs scores is undefined, with the reason."""

from __future__ import annotations

import json

import numpy as np
import pytest
from sklearn import metrics as reference

from senbench.scoring.sample import Sample
from senbench.scoring.single_label.answers_only import NEED_SCORES, evaluate_answers, spread_out

KEYS = tuple("abcdefg")


def drawn(n=500, c=7):
    rng = np.random.default_rng(3)
    return rng.integers(0, c, n), rng.integers(0, c, n)


def like_scikit_learn(made, labels, answers):
    assert made.metrics["top1"].value == pytest.approx(reference.accuracy_score(labels, answers), abs=1e-12)
    balanced = reference.balanced_accuracy_score(labels, answers)
    assert made.metrics["balanced_accuracy"].value == pytest.approx(balanced, abs=1e-12)
    f1 = reference.f1_score(labels, answers, average="macro")
    assert made.metrics["f1_macro"].value == pytest.approx(f1, abs=1e-12)
    assert np.array_equal(made.confusion, reference.confusion_matrix(labels, answers))


def test_figures_equal_scikit_learn_and_the_others_say_why_they_are_missing():
    labels, answers = drawn()
    made = evaluate_answers(answers, Sample(labels, KEYS), "predictions")
    like_scikit_learn(made, labels, answers)
    assert {name for name, metric in made.metrics.items() if metric.value is None} == set(NEED_SCORES)
    assert {made.metrics[name].interval for name in NEED_SCORES} == {"none: predictions carry no scores"}
    assert made.metrics["top1"].ci is not None and made.ties == 0
    assert np.array_equal(made.scores.argmax(axis=1), answers)


def test_a_confusion_matrix_gives_the_figures_of_the_images_that_it_counts():
    labels, answers = drawn()
    again = spread_out(reference.confusion_matrix(labels, answers))
    assert sorted(zip(*again, strict=True)) == sorted(zip(labels, answers, strict=True))
    made = evaluate_answers(again[1], Sample(again[0], KEYS), "confusion")
    like_scikit_learn(made, labels, answers)
    assert made.metrics["top5"].interval == "none: a confusion matrix carries no scores"


@pytest.mark.shared
def test_recorded_predictions_give_scikit_learns_figures(shared):
    with np.load(shared / "recorded" / "clip-vit-b-32_eurosat_few-shot_predictions.npz") as held:
        labels, names = held["labels"].astype(int), tuple(held["class_names"].tolist())
        sets = {name: held[name].astype(int) for name in held.files if name.endswith("shot")}
    assert len(sets) == 10
    for answers in sets.values():
        like_scikit_learn(evaluate_answers(answers, Sample(labels, names), "predictions"), labels, answers)


@pytest.mark.shared
def test_recorded_matrices_give_the_recorded_figures(shared):
    held = json.loads((shared / "recorded" / "eurosat_zero_shot_confusion_matrices.json").read_text())
    assert len(held["matrices"]) == 5
    for one in held["matrices"].values():
        labels, answers = spread_out(np.array(one["matrix"]))
        made = evaluate_answers(answers, Sample(labels, tuple(held["classes"])), "confusion")
        like_scikit_learn(made, labels, answers)
        for name, key in (("top1", "micro"), ("balanced_accuracy", "balanced"), ("f1_macro", "f1_macro")):
            assert made.metrics[name].value == pytest.approx(one[key], abs=1e-9)
