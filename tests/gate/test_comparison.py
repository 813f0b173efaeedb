"""The gate by sabotage: each failure is made on purpose, and must end in exit 1 with its message."""

from __future__ import annotations

import json
import shutil

import answers
import numpy as np
import pytest
from gates import ANSWERS, CLUSTERS, LABELS, again, edit, fails, gate, one_worse_in_two_classes, result, worse

from senbench.gate.bless import bless


def test_the_same_again_passes(place) -> None:
    again(place)
    got = gate(place)
    assert got.exit_code == 0, got.output
    assert "check passed: 1 run as in the baseline" in got.output
    assert json.loads(gate(place, "--format", "json").stdout)["passed"] is True


def test_one_changed_answer_is_changed_but_not_worse(place) -> None:
    again(place, worse(1))
    said = fails(place, "changed beyond the numeric noise (1e-06), and is not worse")
    assert "bless --why" in said
    assert "inferior" not in said


def test_a_gain_is_a_change_too(place) -> None:
    given = ANSWERS.copy()
    given[np.flatnonzero(given != LABELS)[:5]] = LABELS[np.flatnonzero(given != LABELS)[:5]]
    again(place, given)
    fails(place, "changed beyond the numeric noise")


def test_swapped_answers_that_leave_every_figure_alone_are_a_change(place) -> None:
    """One image of a class is lost and another of the same class and cluster gained: only the answers can tell."""
    given = ANSWERS.copy()
    for i in np.flatnonzero(given != LABELS):
        same = (LABELS[i] == LABELS) & (CLUSTERS[i] == CLUSTERS) & (given == LABELS)
        if same.any():
            j = np.flatnonzero(same)[0]
            given[i], given[j] = given[j], given[i]
            break
    else:
        pytest.fail("no such pair")
    again(place, given)
    said = fails(place, "share of images with another answer 0 -> 0.00333333")
    assert "top1 0." not in said


def test_a_change_of_the_intervals_alone_is_a_change(place, monkeypatch) -> None:
    from senbench.scoring.intervals import bootstrap

    monkeypatch.setattr(bootstrap, "effective_clusters", lambda sizes: 5.0)
    again(place)
    monkeypatch.undo()
    fails(place, "top1 interval low")


def test_a_drop_fails_both_questions(place) -> None:
    again(place, worse(60))
    said = fails(place, "not shown to be as good as before: difference -10.00 points")
    assert "changed beyond the numeric noise (1e-06):" in said


def test_a_drop_within_a_wide_tolerance_still_fails_non_inferiority(place) -> None:
    again(place, one_worse_in_two_classes())
    said = fails(place, "the lower end must be above -0.6", "--tolerance", "0.0055", "--margin", "0.6")
    assert "changed beyond" not in said
    assert gate(place, "--tolerance", "0.0055", "--margin", "3").exit_code == 0


def test_few_clusters_cannot_show_non_inferiority(tmp_path) -> None:
    few = CLUSTERS % 4
    answers.save(tmp_path / "results", answers.one_hot(ANSWERS), LABELS, few)
    bless(tmp_path / "results", tmp_path / "base.json", "few")
    assert gate(tmp_path).exit_code == 0, "nothing moved at all"
    shutil.rmtree(tmp_path / "results")
    answers.save(tmp_path / "results", answers.one_hot(worse(1)), LABELS, few)
    fails(tmp_path, "it cannot be tested: none: 4 clusters, 5 are needed")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": {**answers.PROMPTS, "Lake": ["a lake "]}}, "prompts.hash changed"),
        ({"weights": "1" * 64}, "model.weights_sha256 changed: 000000000000 -> 111111111111"),
        ({"change": {"split": "other"}}, "dataset.split changed: all -> other"),
        ({"change": {"radiometry": "dn2000"}, "accept_pixels": True}, "dataset.radiometry changed"),
        ({"postprocess": "column-mean"}, "postprocess changed: none -> column-mean"),
    ],
)
def test_changed_settings_fail_without_a_new_version(place, options, message) -> None:
    again(place, **options)
    said = fails(place, message)
    assert "without a new version" in said


def test_class_names_changed(place) -> None:
    path = next((place / "results").iterdir()) / "result.json"
    edit(path, lambda data: data["dataset"].update(class_names="clip"))
    fails(place, "dataset.class_names changed")


def test_a_new_version_allows_other_settings_if_the_figures_stay(place) -> None:
    again(place, prompts={**answers.PROMPTS, "Lake": ["a lake "]})
    edit(place / "base.json", lambda data: data["runs"][0].update(senbench_version="0.0.9"))
    path = next((place / "results").iterdir()) / "result.json"
    assert gate(place).exit_code == 0, gate(place).output
    assert "with senbench 0.0.9 ->" in gate(place).output
    assert path.exists()


def test_a_missing_run(place) -> None:
    shutil.rmtree(place / "results")
    answers.save(
        place / "results", answers.one_hot(ANSWERS), LABELS, CLUSTERS, change={"info": answers.stubs.info(id="other")}
    )
    fails(place, "no readable result of this run")


def test_no_results_at_all(place) -> None:
    shutil.rmtree(place / "results")
    fails(place, "no results under")


def test_two_results_of_one_run_are_not_chosen_from(place) -> None:
    result(place / "results", weights="1" * 64)
    fails(place, "2 results of this run")


def test_an_incomplete_run(place) -> None:
    again(place, change={"n_expected": 700})
    fails(place, "incomplete: 600 of 700 images evaluated")


def test_another_number_of_images(place) -> None:
    shutil.rmtree(place / "results")
    answers.save(place / "results", answers.one_hot(ANSWERS[:599]), LABELS[:599], CLUSTERS[:599])
    fails(place, "n is 599, the baseline has 600")


def test_other_images_of_the_same_number(place) -> None:
    again(place, change={"ids": tuple(f"other_{i:04}" for i in range(600))})
    fails(place, "other images or labels")


def test_other_clusters(place) -> None:
    shutil.rmtree(place / "results")
    answers.save(place / "results", answers.one_hot(ANSWERS), LABELS, np.roll(CLUSTERS, 1))
    fails(place, "in other clusters than before")


def test_tolerance_below_the_noise_or_above_the_margin(place) -> None:
    fails(place, "--tolerance 0 must be at least the numeric noise", "--tolerance", "0")
    fails(place, "below the margin", "--tolerance", "0.02")
    fails(place, "--tolerance nan", "--tolerance", "nan")
    for margin in ("0", "-1", "nan", "inf"):
        fails(place, "--margin", "--margin", margin)
    assert json.loads(gate(place, "--margin", "nan", "--format", "json").stdout)["passed"] is False


def test_a_run_nobody_guards_is_said_and_passes(place) -> None:
    other = {"info": answers.stubs.info(id="other")}
    answers.save(place / "results", answers.one_hot(ANSWERS), LABELS, CLUSTERS, change=other)
    got = gate(place)
    assert got.exit_code == 0, got.output
    assert "is not guarded" in got.output
