"""What the gate says, in every format; names in it stay text."""

from __future__ import annotations

import pytest
from gates import again, edit, gate, worse

from senbench.gate import verdict
from senbench.gate.comparison import Problem, Row, Verdict


@pytest.mark.parametrize("form", ["text", "json", "github"])
def test_every_format_fails_alike(place, form) -> None:
    again(place, worse(60))
    got = gate(place, "--format", form)
    assert got.exit_code == 1
    assert "changed beyond the numeric noise" in got.output
    (place / "base.json").write_text("{")
    got = gate(place, "--format", form)
    assert got.exit_code == 1
    assert "is not JSON" in got.output


def test_summary_and_annotations_hold_hostile_names_as_text(place, tmp_path, monkeypatch) -> None:
    evil = "a|b\n::error::x<img src=x onerror=alert(1)>](http://x) @all `c`"
    edit(place / "base.json", lambda data: data["runs"][0].update(model=evil))
    target = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    got = gate(place, "--format", "github")
    assert got.exit_code == 1
    assert all(line.startswith(("::error title=senbench check", "::notice title=")) for line in got.stdout.splitlines())
    text = target.read_text()
    assert "<img" not in text
    assert "](http" not in text
    (row,) = [line for line in text.splitlines() if line.startswith("| a")]
    assert row.replace("\\|", "").count("|") == 9
    assert "90.00" in row


def test_summary_shows_before_and_after(place, tmp_path, monkeypatch) -> None:
    again(place, worse(60))
    target = tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(target))
    assert gate(place, "--format", "github").exit_code == 1
    text = target.read_text()
    assert text.startswith("### \N{CROSS MARK} check failed\\: 2 problems in 1 guarded run")
    assert "| 90.00 | 80.00 | -10.00 |" in text
    assert gate(place).exit_code == 1
    assert target.read_text() == text, "a summary is written for --format github alone"


def test_an_annotation_is_one_line_whatever_a_message_holds() -> None:
    bad = Problem("settings", "100 % of\n::error::x", "a: run")
    found = Verdict([Row("a: run", "top1", 0.5, 0.25, n=4)], [bad], ["a note\n::error::y"])
    lines = verdict.github(found).splitlines()
    assert lines == [
        "::error title=senbench check%3A settings::a: run: 100 %25 of ::error::x",
        "::notice title=senbench check::a note ::error::y",
        "::error title=senbench check::check failed: 1 problem in 1 guarded run",
    ]
    assert verdict.as_json(found)["runs"][0] | {"n": 0} == {
        "run": "a: run",
        "metric": "top1",
        "before": 0.5,
        "after": 0.25,
        "difference": None,
        "ci": None,
        "interval": None,
        "flipped": None,
        "n": 0,
    }
