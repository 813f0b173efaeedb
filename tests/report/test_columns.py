"""Columns, titles and lines name metrics that results have."""

from __future__ import annotations

import pytest
import runs
import stubs

from senbench.report.columns import COLUMNS, LINES, RAW, TITLES


@pytest.mark.parametrize(("task", "tiles"), [("single-label", stubs.tiles), ("multi-label", runs.multi)])
def test_every_column_and_line_is_of_a_metric_of_its_task(tmp_path, task, tiles):
    result = runs.run(tmp_path, tiles=tiles())
    assert result.dataset.task == task
    for _, name in COLUMNS[task]:
        assert name in result.metrics
    for name in result.lines:
        assert LINES[name] in result.metrics, name
    assert set(RAW) <= set(result.metrics)
    assert result.headline in TITLES


def test_titles_are_of_one_line_and_distinct():
    assert len(set(TITLES.values())) == len(TITLES)
    assert not any("\n" in title for title in TITLES.values())
