"""Results reduced to what a page shows: a stranger's by name or not at all, each run once."""

from __future__ import annotations

import json

import generated_results as made
import pytest

from senbench.errors import UsageError
from senbench.report.leaderboard import page
from senbench.results import store


@pytest.mark.parametrize("broken", [{"model": {}}, {"prompts": {"id": "x"}}, {"dataset": {"id": "x"}}])
def test_a_strangers_result_without_its_parts_is_refused_by_name(tmp_path, broken):
    result, rest = made.one("made-scenes", 0, "generic", 60)
    folder = made.save(tmp_path, result, rest)
    data = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(data | broken))
    with pytest.raises(UsageError, match=folder.name):
        page.write(tmp_path, tmp_path / "index.html")


def test_two_folders_of_one_run_are_refused(tmp_path):
    result, rest = made.one("made-scenes", 0, "generic", 60)
    made.save(tmp_path, result, rest).rename(tmp_path / "copy")
    made.save(tmp_path, result, rest)
    with pytest.raises(UsageError, match="same run id"):
        page.write(tmp_path, tmp_path / "index.html")


def test_reliability_bins_give_the_calibration_error(tmp_path):
    result, rest = made.one("made-scenes", 0, "generic", 400)
    made.save(tmp_path, result, rest)
    bins = store.load_all(tmp_path)[0].reliability
    assert sum(b.n for b in bins) == 400
    assert sum(b.n * b.accuracy for b in bins) / 400 == pytest.approx(result.metrics["top1"].value)
    squares = [b.n * ((b.confidence - b.accuracy) ** 2 - b.accuracy * (1 - b.accuracy) / (b.n - 1)) for b in bins]
    assert max(sum(squares) / 400, 0) ** 0.5 == pytest.approx(result.metrics["ece"].value)
