"""Published figures stand beside measured ones; a difference needs the whole protocol key."""

from __future__ import annotations

from dataclasses import replace

import generated_results as made
import pytest
from changed_results import changed

from senbench.report.leaderboard import published_beside
from senbench.report.leaderboard.entries import Tables, reduce
from senbench.results import published

ROW = {
    "source": "a paper",
    "year": "2024",
    "dataset": "eurosat",
    "split": "all",
    "n": "300",
    "metric": "top-1 %",
    "arch": "ViT-B-32",
    "model": "CLIP",
    "weights": "",
    "activation": "quickgelu",
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
        "dataset": data,
        "model": {"id": "clip-vit-b-32", "synthetic": False, "activation": "quickgelu"},
        "resolved": {"overrides": tuple(overrides)},
    }
    return reduce(changed(result, **{**facts, **change}), None, Tables())


def beside(row, *entries):
    (found,) = published_beside.compare(replace(published.read(), rows=(row,)), entries)
    return found


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
        ("activation", ""),
        ("activation", "gelu"),
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


@pytest.mark.parametrize(
    ("model", "arch", "activation", "own"),
    [
        ("CLIP", "ViT-B-16", "gelu", "quickgelu"),
        ("CLIP", "ViT-B-16", "gelu (presumed)", "quickgelu"),
        ("CLIP", "ViT-B-16", "quickgelu", None),
        ("CLIP", "ViT-B-16", "", None),
        ("RemoteCLIP", "ViT-B-32", "gelu", None),  # its release leaves the activation open: two cards
        ("CLIP", "no such", "gelu", None),
    ],
)
def test_another_activation_than_the_card_has_is_told(model, arch, activation, own):
    assert beside({**ROW, "model": model, "arch": arch, "activation": activation}).own_activation == own


def test_no_shipped_figure_has_a_difference_to_the_standard_protocol():
    entry = measured(protocol="standard")
    assert all(b.difference is None for b in published_beside.compare(published.read(), [entry]))
