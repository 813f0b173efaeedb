"""The page: a pure function of the results, nothing from outside, nothing a name could inject."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest
import stubs

import senbench
from senbench.report import page
from senbench.results import store

EVIL = "</script><img src=x onerror=alert(1)>"


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "results"
    for name in ("stub", EVIL):
        for style in ("a", "the"):
            prompts = {k: [f"{style} {k.lower()} {EVIL}"] for k in stubs.CLASSES}
            senbench.evaluate(stubs.StubEncoder(name), stubs.tiles(), prompts, results=str(folder))
    return folder


def test_same_results_same_bytes(results, tmp_path):
    first = page.write(results, tmp_path / "a.html").read_bytes()
    assert page.write(results, tmp_path / "b.html").read_bytes() == first


def test_nothing_from_outside_and_no_script(results, tmp_path):
    text = page.write(results, tmp_path / "index.html").read_text()
    assert "http" not in text.replace("http-equiv", "")
    assert "<script" not in text
    assert not re.search(r"<[^>]*\s(style|on\w+)=", text)  # inline style or handler attributes
    style = re.search(r"<style>(.*?)</style>", text, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src &#39;sha256-{digest}" in text or f"style-src 'sha256-{digest}'" in text
    assert "default-src 'none'" in text


def test_hostile_names_are_text(results, tmp_path):
    text = page.write(results, tmp_path / "index.html").read_text()
    assert "<img src=x" not in text
    assert "&lt;img src=x" in text


def test_every_figure_has_its_interval_and_lines(results, tmp_path):
    text = page.write(results, tmp_path / "index.html").read_text()
    assert text.count("<td>chance</td>") == 0  # a line spans columns, it is no run
    assert '<td colspan="3">chance</td>' in text
    assert '<td colspan="3">majority</td>' in text
    assert "i.i.d." in text


def test_nothing_half_written(results, tmp_path, monkeypatch):
    monkeypatch.setattr(page, "render", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        page.write(results, tmp_path / "x" / "index.html")
    assert not (tmp_path / "x").exists()


def test_command_reproduces_the_spec(results):
    found = next(r for r in store.load_all(results) if r.model["id"] == "stub")
    words = page.command(found)
    assert words.startswith("senbench run --model StubEncoder --prompts")
    hostile = found.model_copy(update={"resolved": {**found.resolved, "model": EVIL}})
    assert "'" in page.command(hostile)  # quoted for the shell
