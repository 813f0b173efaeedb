"""The data of a page: every figure with its interval, what runs share once."""

from __future__ import annotations

import json
import re

import pytest
import stubs

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


def test_every_figure_has_its_interval_and_the_lines_are_there(html):
    data = held(html)
    row = dict(zip(data["columns"], data["runs"][0], strict=True))
    value, low, high, label = row["figures"]["top1"]
    assert low <= value <= high
    assert data["words"][label] == "iid-wilson"
    assert set(data["boards"][0]["lines"]) == {"chance", "majority"}


def test_prompts_of_several_runs_are_kept_once(html):
    data = held(html)
    assert len(data["packs"]) == 2
    assert len(data["runs"]) == 4
