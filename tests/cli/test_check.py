"""`senbench baseline bless` and `senbench check`: exit codes, the three forms, and the step summary."""

from __future__ import annotations

import json

import pytest
import runs
from outcomes import refused


@pytest.fixture(scope="module")
def blessed(tmp_path_factory):
    """A model's results, and those of a worse one in its place."""
    root = tmp_path_factory.mktemp("gate")
    for name, share in (("good", 0.05), ("bad", 0.5)):
        (root / name).mkdir()
        runs.run(root / name, "model", share, runs.located(60), cache=False)
    return root


@pytest.fixture
def baseline(senbench, blessed, tmp_path):
    done = senbench(
        "baseline", "bless", "--why", "the first", "--out", tmp_path / "b.json", "--results", blessed / "good"
    )
    assert done.code == 0, done.err
    assert "new: " in done.err or "added: " in done.err
    assert done.err.splitlines()[-1].endswith(": the first")
    return tmp_path / "b.json"


def test_the_same_results_pass(senbench, baseline, blessed):
    done = senbench("check", "--baseline", baseline, "--results", blessed / "good")
    assert done.code == 0, done.out
    found = json.loads(senbench("check", "--baseline", baseline, "--results", blessed / "good", "--format", "json").out)
    assert found["passed"] is True


def test_worse_results_fail_in_every_form(senbench, baseline, blessed, tmp_path, monkeypatch):
    words = ("check", "--baseline", baseline, "--results", blessed / "bad")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert senbench(*words).code == 1
    assert not (tmp_path / "summary.md").exists()  # for --format github alone
    assert json.loads(senbench(*words, "--format", "json").out)["passed"] is False
    done = senbench(*words, "--format", "github")
    assert (done.code, "::error" in done.out) == (1, True)
    assert (tmp_path / "summary.md").read_text()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    done = senbench(*words, "--format", "github")
    assert f"step summary {tmp_path} cannot be written" in done.err


def test_an_unreadable_baseline_fails_with_what_to_do(senbench, baseline, blessed, tmp_path):
    results = ("--results", blessed / "good")
    done = senbench("check", "--baseline", tmp_path / "none.json", *results)
    assert (done.code, done.err) == (1, "")
    assert "none.json: No such file or directory; write one with `senbench baseline bless" in done.out
    (tmp_path / "cut.json").write_text(baseline.read_text()[:50])
    done = senbench("check", "--baseline", tmp_path / "cut.json", *results)
    assert done.code == 1
    assert "cut.json" in done.out
    refused(senbench("baseline", "bless", "--why", "", "--out", tmp_path / "b", *results), 2, "--why")
