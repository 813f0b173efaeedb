"""LaTeX tables: marks with their reasons, and names that stay text."""

from __future__ import annotations

import json
import re

import pytest
import runs
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import folders

from senbench.errors import UsageError
from senbench.report.export import formats, latex
from senbench.results.standings import standings


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    runs.run(folder, runs.HOSTILE, prompts={k: [f"{k} {runs.HOSTILE_PROMPT}"] for k in runs.stubs.CLASSES})
    runs.run(folder, "@SUM(1)", 0.2)
    return folder


def test_incomplete_changed_and_contaminated_are_marked_and_never_best(tmp_path):
    runs.run(tmp_path, "a", 0.5)
    runs.run(tmp_path, "b", 0.4)
    for name, change in (("c", {"complete": False}), ("d", {"contamination": "images"}), ("e", {"resolved": ...})):
        r = runs.run(tmp_path, name, 0.0)
        path = tmp_path / r.run_id / "result.json"
        data = json.loads(path.read_text())
        data |= {k: v for k, v in change.items() if v is not ...}
        if name == "e":
            data["resolved"]["overrides"] = ["ensemble"]
        path.write_text(json.dumps(data))
    (board,) = standings(*folders(tmp_path))
    assert [r.model.id for r in board.results][:2] == ["b", "a"]
    assert board.best == board.results[0].run_id
    text = latex.table(board)
    marks = {one.code: mark for mark, one in latex.marks(board).items()}
    for name, code, why in (
        ("c", "incomplete", "incomplete, not ranked"),
        ("d", "contaminated", "not zero-shot, not ranked"),
        ("e", "overrides", "changed: ensemble, not ranked"),
    ):
        row = next(line for line in text.splitlines() if line.startswith(f"    {name}$"))
        assert marks[code] in row
        assert f"{marks[code]}: {why}." in text
    with pytest.raises(UsageError, match="nothing to put"):
        bad = [r for r in board.results if r.model.id in "cd"]
        formats.FORMATS["model-index"](bad, {})


def test_a_name_stays_in_its_latex_cell(hostile):
    text = formats.to_latex(*folders(hostile))
    (row,) = [line for line in text.splitlines() if "cmd" in line]
    assert len(re.findall(r"(?<!\\)&", row)) == 4
    assert r"\input" not in text
    assert re.search(r"(?<!\\)%", row) is None
    assert row.rstrip().endswith(r"\\")


@given(st.text(alphabet=st.sampled_from('ab \\{}%$&#_^~<>|"\n\x00\u202e') | st.characters(codec="utf-8")))
@settings(max_examples=50, deadline=None)
def test_escape_leaves_no_command_comment_or_open_brace(text):
    escaped = latex.escape(text)
    assert escaped.count("{") == escaped.count("}")
    assert "\n" not in escaped
    bare = re.sub(r"\\text[a-z]+\{\}|\\[&%$#_]", "", escaped)
    assert not set(bare) & set("\\{}%$&#_^~")
