"""The page: a pure function of the results, nothing from outside, nothing a name could inject."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
import stubs
from places import ROOT

import senbench
from senbench.report.leaderboard import page

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


def test_nothing_half_written(results, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "document", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        page.write(results, tmp_path / "x" / "index.html")
    assert not (tmp_path / "x").exists()


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


def test_the_committed_page_is_the_one_of_the_committed_results(tmp_path):
    leaderboard = ROOT / "leaderboard"
    built = page.write(leaderboard / "results", tmp_path / "index.html").read_text()
    same = built == (leaderboard / "index.html").read_text()
    assert same, "run `senbench report --results leaderboard/results` and commit leaderboard/index.html"
