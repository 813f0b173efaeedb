"""The page: a pure function of the results, nothing from outside, nothing a name could inject."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import generated_results as made
import pytest
import stubs
from changed_results import changed
from hypothesis import given
from hypothesis import strategies as st
from places import ROOT

import senbench
from senbench.errors import UsageError
from senbench.report.citation.rerun_command import command
from senbench.report.html import script_json
from senbench.report.leaderboard import page
from senbench.results import store

EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page") / "results"
    for name in ("stub", EVIL):
        for style in ("a", "the"):
            prompts = {k: [f"{style} {k.lower()} {EVIL}"] for k in stubs.CLASSES}
            senbench.evaluate(stubs.StubEncoder(name), stubs.tiles(), prompts, results=str(folder))
    return folder


@pytest.fixture(scope="module")
def html(results, tmp_path_factory):
    return page.write(results, tmp_path_factory.mktemp("page") / "index.html").read_text()


def held(html: str) -> dict:
    return json.loads(re.search(r'id="data">(.*?)</script>', html, re.S)[1])


def test_same_results_same_bytes(results, html, tmp_path):
    assert page.write(results, tmp_path / "b.html").read_text() == html


def test_nothing_from_outside_and_everything_inline_is_hashed(html):
    markup = re.sub(r"<script.*?</script>", "", html, flags=re.S)
    assert not re.search(r"<(link|iframe|object|embed|base)\b|\ssrc=|url\(|@import|http:|https:", markup)
    script = re.search(r"<script>(.*?)</script>", html, re.S)[1]
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\(|fetch\(|XMLHttp|import\(", script
    )
    assert not re.search(r"<[^>]*\s(style|on\w+)=", markup)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for tag, rule in (("style", "style-src"), ("script", "script-src")):
        text = re.search(rf"<{tag}>(.*?)</{tag}>", html, re.S)[1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"


def test_hostile_names_are_data(html):
    assert "<img" not in html
    assert html.count("</script>") == 2  # the data and the script
    data = held(html)
    assert any(card["id"] == EVIL for card in data["models"])
    assert any(word.endswith(EVIL) for word in data["words"])


@given(st.text())
def test_any_text_survives_a_script_element(text):
    shown = script_json({text: text})
    assert not re.search("[<>&\u2028\u2029]", shown)
    assert json.loads(shown) == {text: text}


def test_a_number_that_json_has_not_is_refused():
    with pytest.raises(UsageError, match="JSON has not"):
        script_json([float("nan")])


def test_every_figure_has_its_interval_and_the_lines_are_there(html):
    data = held(html)
    row = dict(zip(data["columns"], data["runs"][0], strict=True))
    value, low, high, label = row["figures"]["top1"]
    assert low <= value <= high
    assert data["words"][label] == "iid-bootstrap"
    assert set(data["boards"][0]["lines"]) == {"chance", "majority"}


def test_prompts_of_several_runs_are_kept_once(html):
    data = held(html)
    assert len(data["packs"]) == 2
    assert len(data["runs"]) == 4


def test_reliability_bins_give_the_calibration_error(tmp_path):
    result, rest = made.one("made-scenes", 0, "generic", 400)
    made.save(tmp_path, result, rest)
    bins = store.load_all(tmp_path)[0].reliability
    assert sum(b.n for b in bins) == 400
    assert sum(b.n * b.accuracy for b in bins) / 400 == pytest.approx(result.metrics["top1"].value)
    squares = [b.n * ((b.confidence - b.accuracy) ** 2 - b.accuracy * (1 - b.accuracy) / (b.n - 1)) for b in bins]
    assert max(sum(squares) / 400, 0) ** 0.5 == pytest.approx(result.metrics["ece"].value)


def test_nothing_half_written(results, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "document", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        page.write(results, tmp_path / "x" / "index.html")
    assert not (tmp_path / "x").exists()


def test_command_reproduces_the_spec(results):
    found = next(r for r in store.load_all(results) if r.model.id == "stub")
    words = command(found)
    assert words.startswith("senbench run --model StubEncoder --prompts")
    hostile = changed(found, resolved={"model": EVIL})
    assert "'" in command(hostile)  # quoted for the shell
    exact = changed(found, spec={"exact": True, "dn_offset": "1000"})
    assert command(exact).endswith("--dn-offset 1000 --exact")
    for place, shown in (("/data/x", "DIR"), ("~/x", "DIR"), ("data/x", "data/x")):
        there = changed(found, spec={"data_dir": place, "weights": None})
        assert f"--data-dir {shown}" in command(there)


@pytest.mark.parametrize("place", ["data", "/home/me/data"])
def test_publishing_says_that_results_hold_paths(results, tmp_path, place):
    from typer.testing import CliRunner

    from senbench.cli.main import application

    for about in results.glob("*/result.json"):
        data = json.loads(about.read_text())
        about.write_text(json.dumps({**data, "spec": {**data["spec"], "data_dir": place, "results": "results"}}))
    words = ["report", "--results", str(results), "--publish", str(tmp_path / "site")]
    done = CliRunner().invoke(application(), words)
    assert done.exit_code == 0
    assert ("holds paths of this machine" in done.output) == (place != "data")
    pages = [path.read_text() for path in (tmp_path / "site").rglob("*.html")]
    assert pages and not any("/home/me" in page for page in pages)


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


def test_the_committed_page_is_the_one_of_the_committed_results(tmp_path):
    leaderboard = ROOT / "leaderboard"
    built = page.write(leaderboard / "results", tmp_path / "index.html").read_text()
    same = built == (leaderboard / "index.html").read_text()
    assert same, "run `senbench report --results leaderboard/results` and commit leaderboard/index.html"
