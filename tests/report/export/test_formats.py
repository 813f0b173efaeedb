"""Tables of results: the right figures, marks that tests earn, and names that stay names."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
import runs
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import folders
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.errors import UsageError
from senbench.report.export import formats
from senbench.results.standings import standings


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return runs.three(tmp_path_factory.mktemp("three"))


def test_best_in_bold_and_only_the_close_one_marked(three):
    (board,) = standings(*folders(three))
    by_id = {r.run_id: r.model.id for r in board.results}
    assert by_id[board.best] == "best"
    assert {by_id[run] for run in board.tied} == {"near"}
    assert board.tests == "mcnemar-exact (200 images)"
    text = formats.to_latex(*folders(three))
    (best,), (near,), (far,) = (
        [line for line in text.splitlines() if line.startswith(f"    {name}$")] for name in by_id.values()
    )
    assert r"\textbf{" in best
    assert best.count(r"\textbf") == text.count(r"\textbf") == 1
    assert near.count("$^{=}$") == 1
    assert "$^{=}$" not in far + best
    shown = formats.to_markdown(*folders(three))
    assert re.search(r"^\| best \| custom \| \*\*9\d\.\d \[", shown, re.M)
    assert re.search(r"^\| near .* = \|", shown, re.M)
    assert not re.search(r"^\| far .* = \|", shown, re.M)


def test_a_folder_copied_under_another_name_is_still_tested(three, tmp_path):
    import shutil

    for k, path in enumerate(sorted(three.glob("*/result.json"))):
        shutil.copytree(path.parent, tmp_path / "r" / f"copy{k}")
    command = ["export", "--format", "md", "--results", str(tmp_path / "r")]
    shown = CliRunner().invoke(application(), command)
    assert "tests: mcnemar-exact" in shown.output
    shutil.copytree(tmp_path / "r" / "copy0", tmp_path / "r" / "twin")
    refused = CliRunner().invoke(application(), command)
    assert isinstance(refused.exception, UsageError)
    assert "same run id" in str(refused.exception)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    runs.run(folder, runs.HOSTILE, prompts={k: [f"{k} {runs.HOSTILE_PROMPT}"] for k in runs.stubs.CLASSES})
    runs.run(folder, "@SUM(1)", 0.2)
    return folder


def test_no_cell_is_a_formula(hostile):
    rows = list(csv.DictReader(io.StringIO(formats.to_csv(*folders(hostile)))))
    assert {row["model"] for row in rows} == {f"'{runs.HOSTILE}", "'@SUM(1)"}
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row.values() if cell)
    found = json.loads(formats.to_json(*folders(hostile)))
    assert {row["model"] for row in found} == {runs.HOSTILE, "@SUM(1)"}
    assert [float(row["value"]) for row in rows] == [row["value"] for row in found]


def test_a_negative_figure_is_no_formula():
    assert formats.guarded(-0.5) == -0.5
    assert formats.guarded("-0.5") == "'-0.5"


def test_a_name_stays_in_its_markdown_cell(hostile):
    text = formats.to_markdown(*folders(hostile))
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 2
    assert len({len(re.findall(r"(?<!\\)\|", row)) for row in rows}) == 1
    assert "<" not in re.sub(r"\\<", "", text)


@given(st.text())
@settings(max_examples=50, deadline=None)
def test_a_text_is_one_cell_of_csv_and_starts_no_formula(text):
    cell = formats.guarded(text)
    assert not str(cell).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))
    assert str(cell).lstrip("'") == text.lstrip("'")
