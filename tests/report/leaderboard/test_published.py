"""Published figures stand beside measured ones; a difference needs the whole protocol key."""

from __future__ import annotations

import generated_results as made
import pytest

from senbench.models import registry
from senbench.report.leaderboard import published
from senbench.report.leaderboard.entries import Tables, reduce

ROW = {
    "source": "a paper",
    "year": "2024",
    "dataset": "eurosat",
    "split": "all",
    "n": "300",
    "metric": "top-1 %",
    "arch": "ViT-B-32",
    "model": "CLIP",
    "prompts": "clip (3 templates, CLIP class names)",
    "value": "40.0",
    "protocol": "clip-benchmark",
    "note": "",
}


def measured(overrides=(), **change):
    result, _ = made.one("made-scenes", 0, "clip")
    data = {"id": "eurosat-rgb", "split": "all", "class_names": "clip", "synthetic": False}
    facts = {
        "protocol": "clip-benchmark",
        "dataset": {**result.dataset, **data},
        "model": {**result.model, "id": "clip-vit-b-32", "synthetic": False},
        "resolved": {**result.resolved, "overrides": list(overrides)},
    }
    return reduce(result.model_copy(update={**facts, **change}), None, Tables())


def beside(row, *entries):
    (found,) = published.compare([row], published.read()[1], entries)
    return found


def test_the_shipped_figures_are_all_there_and_name_models_that_exist():
    rows, models = published.read()
    assert len(rows) == 208
    assert set(rows[0]) == set(published.COLUMNS)
    assert set(models.values()) <= set(registry.cards())
    stated = {(r["model"], r["arch"]) for r in rows}
    assert {(model, arch) for model, arch, _ in models} <= stated
    assert all(float(r["value"]) > 0 and r["source"] for r in rows)


def test_a_difference_where_everything_matches():
    entry = measured()
    found = beside(ROW, entry)
    assert found.unlike == ()
    assert found.difference == pytest.approx(entry.value - 0.4)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("split", "VTAB test"),
        ("n", ""),
        ("n", "5400"),
        ("metric", "as Table 1"),
        ("prompts", "generic"),
        ("protocol", "senclip-paper"),
    ],
)
def test_no_difference_where_one_part_differs_or_is_not_told(name, value):
    found = beside({**ROW, name: value}, measured())
    assert found.entry is not None
    assert found.difference is None
    assert [what.split(":")[0] for what in found.unlike] == [name]


def test_no_difference_for_a_run_that_changes_the_protocol():
    entry = measured(overrides=["ensemble"])
    assert beside(ROW, entry).difference is None


@pytest.mark.parametrize("change", [{"complete": False}, {"model": {"id": "clip-vit-b-32", "synthetic": True}}])
def test_incomplete_and_synthetic_runs_stand_beside_nothing(change):
    assert beside(ROW, measured(**change)).entry is None


def test_no_shipped_figure_has_a_difference_to_the_standard_protocol():
    entry = measured(protocol="standard")
    rows, models = published.read()
    assert all(b.difference is None for b in published.compare(rows, models, [entry]))


def test_weights_decide_which_release_a_figure_is_of():
    models = published.read()[1]
    row = {**ROW, "model": "OpenCLIP", "note": "weights laion400m_e32"}
    assert published.compare([row], models, [measured()])[0].model is None
