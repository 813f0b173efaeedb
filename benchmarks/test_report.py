"""The leaderboard of 200 made-up results, against reading their files."""

from __future__ import annotations

import json

import generated_results
import pytest

from senbench.report.leaderboard.page import write

pytestmark = pytest.mark.benchmark(group="report")


def test_leaderboard(against, tmp_path):
    """Limit: the JSON of every result, parsed."""
    generated_results.write(tmp_path / "results", 10, generated_results.STYLES[:5], generated_results.DATASETS)
    files = list((tmp_path / "results").glob("*/result.json"))
    read = lambda: [json.loads(file.read_text()) for file in files]  # noqa: E731
    against(lambda: write(tmp_path / "results", tmp_path / "page.html"), read, what="parsing the results", rounds=3)
