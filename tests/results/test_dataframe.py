"""Results as a data frame: one row per run, whatever its task."""

from __future__ import annotations

import pytest
import runs

import senbench
from senbench.results import store


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return runs.three(tmp_path_factory.mktemp("three"))


def test_load_results(three):
    frame = senbench.load_results(three)
    assert list(frame["model"]) == ["best", "far", "near"]
    for r, (_, row) in zip(store.load_all(three), frame.iterrows(), strict=True):
        assert row["value"] == row["top1"] == r.metrics["top1"].value
        assert (row["top1_low"], row["top1_high"]) == r.metrics["top1"].ci
        assert row["run_id"] == r.run_id
        assert row["n"] == 200
        assert row["line_chance"] == pytest.approx(1 / 3)
    assert frame["complete"].all()
    assert frame["top5"].isna().all()


def test_load_results_of_both_tasks(tmp_path):
    runs.run(tmp_path, "a")
    runs.run(tmp_path, "b", 0.3, runs.multi())
    frame = senbench.load_results(str(tmp_path)).set_index("model")
    assert frame.loc["a", "headline"] == "top1"
    assert frame.loc["b", "value"] == frame.loc["b", "map_macro"]
    assert frame.isna().loc["a", "map_macro"]
