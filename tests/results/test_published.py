"""The published figures: all there, each of a model that exists, and refused where the files are missing."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter, defaultdict

import pytest

from senbench.errors import UnavailableError
from senbench.models import registry
from senbench.results import published


def test_the_shipped_figures_are_all_there_and_name_models_that_exist():
    found = published.read()
    assert len(found.rows) == 571
    assert set(found.rows[0]) == set(published.COLUMNS)
    assert set(found.models.values()) <= set(registry.cards())
    stated = {(r["model"], r["arch"]) for r in found.rows}
    assert {(model, arch) for model, arch, _ in found.models} <= stated
    assert all(float(r["value"]) > 0 and r["source"] for r in found.rows)


def test_weights_decide_which_release_a_figure_is_of():
    found = published.PublishedFigures((), {("CLIP", "B", ""): "clip", ("CLIP", "B", "laion"): "open"})
    row = {"model": "CLIP", "arch": "B", "weights": ""}
    assert found.model_of(row) == "clip"
    assert found.model_of({**row, "weights": "laion"}) == "open"
    assert found.model_of({**row, "weights": "others"}) is None
    open_clip = {"model": "OpenCLIP", "arch": "ViT-B-32", "weights": "laion400m_e32"}
    assert published.read().model_of(open_clip) is None


def test_missing_files_say_what_to_do(tmp_path):
    with pytest.raises(UnavailableError, match="install senbench again"):
        published.read(tmp_path)


def test_what_explains_a_figure_is_stated_in_one_way():
    rows = published.read().rows
    assert {row["activation"] for row in rows} == {"", "quickgelu", "gelu", f"gelu{published.PRESUMED}"}
    assert {row["printed_as"] for row in rows if row["metric"] == "mean per-class recall %"} == {
        "mean_per_class_recall",
        "Overall Accuracy (the later notebook)",
    }
    for row in rows:
        assert None not in row.values()
        assert row["model"].partition(" ")[0] == row["model"]  # the tag of weights has a column of its own
        assert all("{c}" in template for template in row["templates"].split(" | ") if template)
        if row["class_names"]:
            assert len(row["class_names"].split(", ")) == 10
        if row["split_list"]:
            assert f"{int(row['n'] or 0):,} names" in row["split_list"] or not row["metric"].startswith("top-1")


def test_recalls_give_the_accuracies_that_stand_beside_them():
    """Weighted by the tiles of the classes they are top-1, unweighted the mean recall: no row has the other's name."""
    shares = defaultdict(dict)
    for row in published.read().rows:
        key = [row[name] for name in ("source", "arch", "model", "protocol", "prompts", "class_names", "split")]
        shares[tuple(key)][row["metric"]] = float(row["value"]), int(row["n"] or 0)
    checked = Counter()
    for figures in shares.values():
        recalls = [figure for metric, figure in figures.items() if metric.startswith("recall of ")]
        if len(recalls) != 10:
            continue
        top1 = sum(value * n for value, n in recalls) / sum(n for _, n in recalls)
        for metric, expected in (("top-1 %", top1), ("mean per-class recall %", sum(v for v, _ in recalls) / 10)):
            if metric in figures:
                assert figures[metric][0] == pytest.approx(expected, abs=2e-4)
                checked[metric] += 1
    assert checked == {"top-1 %": 11, "mean per-class recall %": 5}


@pytest.mark.shared
def test_every_recorded_figure_is_there_as_it_was_recorded(shared):
    ours = Counter((r["source"], r["metric"], r["arch"], r["value"], r["n"], r["year"]) for r in published.read().rows)
    for name in ("published.csv", "recorded/published-more.csv"):
        with (shared / name).open(encoding="utf-8", newline="") as stream:
            theirs = [
                (r["source"], r["metric"], r["arch"], r["value"], r["n"], r["year"]) for r in csv.DictReader(stream)
            ]
        for row in theirs:
            ours[row] -= 1
    assert set(ours.values()) == {0}


@pytest.mark.shared
def test_split_lists_are_the_recorded_ones(shared):
    lists = {row["split_list"] for row in published.read().rows if row["split_list"]}
    assert len(lists) == 10
    for stated in lists:
        name, names, sha256 = stated.split(", ") if stated.count(", ") == 2 else (None, None, None)
        raw = (shared / "recorded" / "splits" / name).read_bytes()
        assert names == f"{len(raw.split()):,} names"
        assert sha256 == f"sha256 {hashlib.sha256(raw).hexdigest()[:12]}"
