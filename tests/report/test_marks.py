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
from rich.console import Console

from senbench.cli import compare as compare_command
from senbench.cli.tables import run_table
from senbench.report.citation.citation import cite
from senbench.report.comparison import page as comparison_page
from senbench.report.comparison.two_results import compare
from senbench.report.export.formats import FORMATS
from senbench.report.leaderboard import page, site
from senbench.results import qualifications, store
from senbench.schema.blocks import PixelFacts

FIELDS = {
    "unknown-origin": {"model": {"weights": {"sha256": "1" * 64}, "weights_sha256": "0" * 64}},
    "as-fetched": {"model": {"weights": {"repo": "a/b"}, "weights_revision": "c0ffee"}},
    "unverified-card": {"model": {"weights": {"sha256": "1" * 64}, "weights_sha256": "1" * 64, "verified": False}},
    "unknown-model": {},
    "synthetic-model": {"model": {"synthetic": True}},
    "contaminated": {"contamination": "images"},
    "incomplete": {"complete": False},
    "synthetic-tiles": {"dataset": {"synthetic": True}},
    "pixels-accepted": {"dataset": {"pixels": PixelFacts(implausible=("99 % saturated",))}},
    "clipped-values": {"dataset": {"below_offset_share": 0.2}},
    "prompts-selected": {"prompts": {"provenance": {"selected_on": {"dataset": "a", "split": "b"}}}},
    "prompts-cut": {"prompts": {"cut": 3}},
    "overrides": {"resolved": {"overrides": ("ensemble",)}},
    "precision": {"environment": {"dtype": "bfloat16"}},
    "level": {"access_level": 2},
    "at-chance": {"lines": {"chance": 0.999}},
    "iid": {"dataset": {"id": "eurosat-rgb"}},
    "clipped-ece": {},
    "ties": {"ties": 7},
}
UNRANKED = {"unknown-origin", "incomplete", "overrides", "precision", "contaminated"}


def save(folder, code):
    """One result with a qualification, and what it says."""
    truth, given, clusters = answers.draw(n=120, wrong=20)
    path = answers.save(folder / "results", answers.one_hot(given), truth, clusters)
    result = changed(store.load(path), **FIELDS[code])
    if code == "iid":
        headline = result.metrics[result.headline].model_copy(update={"interval": "iid-bootstrap"})
        result = result.model_copy(update={"metrics": {**result.metrics, result.headline: headline}})
    if code == "clipped-ece":
        note = result.metrics["ece"].model_copy(update={"note": "below zero, shown as 0"})
        result = result.model_copy(update={"metrics": {**result.metrics, "ece": note}})
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


SURFACES = {
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


def plain(text):
    """Words alone: no markup, no breaks of lines, no escapes."""
    return re.sub(r"[\\\s{}]+", " ", markup.unescape(text)).replace(" _", "_")


@pytest.mark.parametrize("code", FIELDS)
@pytest.mark.parametrize("surface", SURFACES)
def test_every_surface_shows_every_label(surface, code, tmp_path, monkeypatch, capsys):
    path, result = save(tmp_path, code)
    (one,) = (found for found in qualifications.qualifications(result) if found.code == code)
    if surface == "export model-index" and code in ("incomplete", "contaminated"):
        return  # left out altogether
    text = plain(SURFACES[surface](path, result, tmp_path, monkeypatch, capsys)).lower()
    # a paragraph has sentences in place of labels
    said = one.sentence if surface == "cite methods" else one.label
    assert plain(said).lower() in text
    assert qualifications.ranked(result) is (code not in UNRANKED)
    if code == "unknown-origin":
        assert "weights of unknown origin under card" in text or surface.startswith(("api/boards", "compare"))


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
