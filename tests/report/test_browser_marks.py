"""What the page makes of results of every qualification, in a real browser."""

from __future__ import annotations

from urllib.parse import quote

import generated_results as made
import pytest
from generated_results import real
from qualified import FIELDS, qualified
from tabs import Watched

from senbench.report.leaderboard import page
from senbench.report.leaderboard.entries import read_all
from senbench.report.leaderboard.tables import build
from senbench.results import qualifications

pytestmark = pytest.mark.browser
STYLES = ("generic", "aerial")
APART = {"unknown-origin", "incomplete", "overrides", "precision"}
"""Codes of results that stand in no comparison of the board; `contaminated` is compared among its kind."""


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A page of a sound model and one of each qualification, in two styles; run id -> result; board -> run ids."""
    folder, found = tmp_path_factory.mktemp("marks"), {}
    for number, code in enumerate(["sound", *FIELDS]):
        for style in STYLES:
            result, rest = made.one("made-scenes-located", number % 8, style, 200)
            model = result.model.model_copy(update={"id": f"model-{code}", "title": f"Model {code}"})
            result = real(result).model_copy(update={"run_id": f"{code}-{style}", "model": model})
            found[result.run_id] = qualified(result, code) if code in FIELDS else result
            made.save(folder / "r", found[result.run_id], rest)
    boards = {b.key: [e.result.run_id for e in b.entries] for b in build(read_all(folder / "r")[0])}
    return page.write(folder / "r", folder / "index.html").as_uri(), found, boards


def main(boards):
    """The board of most runs: those of another dataset or access level stand on their own."""
    return max(boards, key=lambda key: len(boards[key]))


def test_the_grid_leaves_out_what_the_list_ranks_nowhere(browser, board):
    address, results, boards = board
    watched = Watched(browser, address)
    tab = watched.open(f"#style=*&board={quote(main(boards))}")
    names = [text.partition("\n")[0] for text in tab.locator("table.grid tbody th").all_inner_texts()]
    wanted = {r.model.title for r in map(results.get, boards[main(boards)]) if not APART & qualifications.codes(r)}
    assert sorted(names) == sorted(wanted)
    assert names[-1] != "Model contaminated" and "Model sound" in names
    note = f"{len(STYLES) * len(APART)} runs that are ranked nowhere are left out."
    assert note in tab.locator("section[aria-labelledby=grid-title]").inner_text()
    tab.select_option("#grid", "generic")
    assert sorted(text.partition("\n")[0] for text in tab.locator("table.grid tbody th").all_inner_texts()) == sorted(
        wanted
    )
    watched.close()


def test_every_label_is_on_the_list_and_every_sentence_once_in_the_drawer(browser, board):
    address, results, boards = board
    watched = Watched(browser, address)
    for key, runs in boards.items():
        tab = watched.open(f"#style=*&board={quote(key)}")
        for run in runs:
            row = tab.locator(f'tr[data-run="{run}"]').inner_text()
            assert all(label in row for label in qualifications.labels(results[run])), run
    for run in (f"{code}-generic" for code in FIELDS):
        drawer = Watched(browser, address)
        text = drawer.open(f"#run={run}").locator("#drawer").inner_text()
        for one in qualifications.qualifications(results[run]):
            assert text.count(one.sentence) == 1, (run, one.code)
            assert one.label in text
        drawer.close()
    watched.close()


def test_answers_name_nobody_who_is_ranked_nowhere_and_no_label_of_an_interval(browser, board):
    address, _, boards = board
    watched = Watched(browser, address)
    text = watched.open(f"#board={quote(main(boards))}").locator(".answers").inner_text()
    assert not [code for code in (*APART, "contaminated", "at-chance") if f"Model {code}" in text]
    assert "intervals take clusters of tiles as samples (40 clusters" in text
    assert not [word for word in ("jackknife", "wilson", "bootstrap", "-t (") if word in text]
    watched.close()


@pytest.mark.parametrize("width", [390, 600, 820, 1100, 1440])
def test_the_answers_fill_their_box(browser, board, width):
    address, *_ = board
    watched = Watched(browser, address, viewport={"width": width, "height": 900})
    tab = watched.open()
    box = tab.locator(".answers").bounding_box()
    rows: dict[float, float] = {}
    for card in tab.locator(".answer").all():
        at = card.bounding_box()
        rows[at["y"]] = rows.get(at["y"], 1) + at["width"] + 1
    assert rows and all(abs(taken - box["width"]) < 3 for taken in rows.values()), rows
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    watched.close()
