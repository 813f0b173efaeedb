"""Every surface shows the label of every qualification; a new code or a new surface cannot forget."""

from __future__ import annotations

import html as markup
import inspect
import json
import re
from pathlib import Path

import answers
import pytest
from changed_results import changed
from qualified import FIELDS, UNRANKED, qualified
from rich.console import Console

from senbench.cli import compare as compare_command
from senbench.cli import explain as explain_command
from senbench.cli import reproduce as reproduce_command
from senbench.cli.tables import run_table
from senbench.gate import verdict
from senbench.gate.bless import bless
from senbench.gate.comparison import check
from senbench.report.citation.citation import cite
from senbench.report.comparison import page as comparison_page
from senbench.report.comparison.two_results import compare
from senbench.report.export.formats import FORMATS
from senbench.report.leaderboard import page, site
from senbench.results import qualifications, store
from senbench.studies import published_tables
from senbench.studies.explain_difference import explain
from senbench.studies.reproduction import lines


def save(folder, code):
    """One result with a qualification, and what it says."""
    truth, given, clusters = answers.draw(n=120, wrong=20)
    path = answers.save(folder / "results", answers.one_hot(given), truth, clusters)
    sound = store.load(path)
    baseline = bless(path.parent, folder / "baseline.json", "sound")
    assert baseline.runs
    result = qualified(sound, code)
    (path / "result.json").write_text(json.dumps(result.model_dump(mode="json")))
    return path, store.load(path)


def table(width):
    def shown(path, result, tmp_path, monkeypatch, capsys):
        monkeypatch.setattr(run_table, "make_console", lambda stderr: Console(width=width, highlight=False))
        run_table.print_table([result], stderr=False)
        return capsys.readouterr().out

    return shown


def export(form):
    return lambda path, result, *_: FORMATS[form]([result], {result.run_id: path})


def cited(part):
    return lambda path, result, *_: cite([result], {result.run_id: path}, (part,))


def board(path, result, tmp_path, *_):
    return page.write(path.parent, tmp_path / "index.html").read_text()


def published(name):
    def shown(path, result, tmp_path, *_):
        site.publish(path.parent, tmp_path / "site")
        return (tmp_path / "site" / name.format(result.run_id)).read_text()

    return shown


def compared(path, result, tmp_path, monkeypatch, capsys):
    compare_command._show(compare(path, path))
    return capsys.readouterr().err


def gate(path, result, tmp_path, *_):
    found = check(tmp_path / "baseline.json", path.parent)
    return verdict.text(found)


def explained(path, result, tmp_path, monkeypatch, capsys):
    explain_command.show(explain(path, path))
    return capsys.readouterr().out


def reproduced(path, result, tmp_path, monkeypatch, capsys):
    (cell,) = published_tables.select("senclip-table1:eurosat/vit-b-32/ground/avgpool")
    reproduce_command._table([cell], lines(cell, result, own_list=False))
    return capsys.readouterr().out


SURFACES = {
    "check": gate,
    "explain": explained,
    "explain --json": lambda path, *_: json.dumps(explain(path, path).as_json(), ensure_ascii=False),
    "reproduce": reproduced,
    "terminal": table(220),
    "narrow terminal": table(100),
    "board": board,
    "page of a run": published("runs/{}.html"),
    "api/index.json": published("api/index.json"),
    "api/boards.json": published("api/boards.json"),
    "compare": compared,
    "compare --html": lambda path, *_: comparison_page.render(compare(path, path), {}),
    "compare --json": lambda path, *_: json.dumps(compare(path, path).as_json(), ensure_ascii=False),
    "cite methods": cited("methods"),
    "cite table": cited("table"),
    "cite bibtex": cited("bibtex"),
    "cite checklist": cited("checklist"),
    **{f"export {form}": export(form) for form in FORMATS},
}


IN_SENTENCES = {
    *("terminal", "narrow terminal", "compare", "compare --html"),
    *("explain", "explain --json", "reproduce"),
}
"""Surfaces with a line for each qualification."""
TWICE = {"compare", "compare --html", "explain", "explain --json"}
"""Surfaces of two results, here of one with itself."""

NAMELESS = ("api/boards", "compare", "explain", "reproduce")
"""Surfaces that name runs or published figures, and no model by its card alone."""


def plain(text):
    """Words alone: no markup, no breaks of lines, no escapes."""
    return re.sub(r"[\\\s{}]+", " ", markup.unescape(text)).replace(" _", "_")


@pytest.mark.parametrize("code", FIELDS)
@pytest.mark.parametrize("surface", SURFACES)
def test_every_surface_shows_every_label(surface, code, tmp_path, monkeypatch, capsys):
    path, result = save(tmp_path, code)
    (one,) = (found for found in qualifications.qualifications(result) if found.code == code)
    if surface == "export model-index" and code in ("incomplete", "contaminated", "few-shot"):
        return  # left out altogether
    text = plain(SURFACES[surface](path, result, tmp_path, monkeypatch, capsys)).lower()
    # where there is room for sentences, they stand in place of labels
    said = {"cite methods": one.sentence}.get(surface, one.line if surface in IN_SENTENCES else one.label)
    assert plain(said).lower() in text
    if surface in IN_SENTENCES:
        assert text.count(plain(one.sentence).lower()) == len(TWICE & {surface}) + 1
    assert qualifications.ranked(result) is (code not in UNRANKED)
    if code == "unknown-origin" and not surface.startswith(NAMELESS):
        assert "weights of unknown origin under card" in text


def test_every_code_is_tried():
    source = inspect.getsource(qualifications)
    assert set(re.findall(r'Qualification\(\s*"([a-z-]+)"', source)) <= set(FIELDS)


def test_a_paper_of_a_card_is_no_source_of_other_weights(tmp_path):
    _, result = save(tmp_path, "unknown-origin")
    known = changed(result, model={"family": "x", "citation": "Doe 2031"})
    pinned = changed(known, model={"weights_sha256": "1" * 64})
    assert "doe 2031" in cite([pinned], {}, ("bibtex",)).lower()
    assert "doe 2031" not in cite([known], {}, ("bibtex",)).lower()


def test_committed_results_are_shown_with_their_labels():
    root = Path(__file__).parents[2] / "leaderboard"
    text = (root / "index.html").read_text()
    for result, _ in store.each(root / "results"):
        assert all(label in text for label in qualifications.labels(result))
