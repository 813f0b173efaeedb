"""Blessing: who, when, why, the noise that is allowed, and what is no baseline."""

from __future__ import annotations

import getpass
import shutil
import socket
from pathlib import Path

import pytest
import runs
from gates import again, fails, gate, one_worse_in_two_classes, result, worse
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.errors import UsageError
from senbench.gate import baseline
from senbench.gate.bless import bless


def test_measured_noise_bounds_the_tolerance_and_is_the_default(tmp_path) -> None:
    result(tmp_path / "results")
    result(tmp_path / "repeat", one_worse_in_two_classes())
    with pytest.raises(UsageError, match="too large for numeric noise"):
        result(tmp_path / "far", worse(60))
        bless(tmp_path / "results", tmp_path / "base.json", "x", tmp_path / "far")
    bless(tmp_path / "results", tmp_path / "base.json", "x", tmp_path / "repeat")
    (run,) = baseline.read(tmp_path / "base.json").runs
    assert run.noise_measured
    assert 2 / 600 <= run.noise <= 0.01
    shutil.rmtree(tmp_path / "results")
    result(tmp_path / "results", one_worse_in_two_classes())
    assert gate(tmp_path, "--margin", "3").exit_code == 0
    fails(tmp_path, "must be at least the numeric noise", "--tolerance", "0.001")


def test_bless_says_who_when_why_and_keeps_the_history(place) -> None:
    words = ["baseline", "bless", "--results", str(place / "results"), "--out", str(place / "base.json")]
    again(place, worse(60))
    got = CliRunner().invoke(application(), [*words, "--why", " new  prompts ", "--who", " Ada "])
    assert got.exit_code == 0, got.output
    first, second = baseline.read(place / "base.json").history
    assert (first.why, second.why, first.who, second.who) == ("the first", "new prompts", None, "Ada")
    assert first.runs == {"Given custom stub standard": "added"}
    assert list(second.runs.values()) == ["changed"]
    assert second.when.endswith("+00:00")
    assert gate(place).exit_code == 0


def test_bless_refuses(place) -> None:
    with pytest.raises(UsageError, match="--why has 0 characters"):
        bless(place / "results", place / "new.json", "  ")
    with pytest.raises(UsageError, match=r"--repeat .* is --results"):
        bless(place / "results", place / "new.json", "x", place / "results")
    with pytest.raises(UsageError, match="no results under"):
        bless(place / "nothing", place / "new.json", "x")
    result(place / "results", weights="1" * 64)
    with pytest.raises(UsageError, match="are the same run"):
        bless(place / "results", place / "new.json", "x")
    again(place, change={"n_expected": 700})  # tiles are missing that nobody left out on purpose
    with pytest.raises(UsageError, match="is incomplete"):
        bless(place / "results", place / "new.json", "x")
    assert not (place / "new.json").exists()
    (place / "base.json").write_text("{")
    again(place)
    with pytest.raises(UsageError, match="is not JSON"):
        bless(place / "results", place / "base.json", "x")


def test_trials_are_left_out_and_it_is_said(place, tmp_path) -> None:
    said: list[str] = []
    runs.run(place / "results", "trial", tiles=runs.located(60), limit=30)
    new = bless(place / "results", place / "new.json", "x", say=said.append)
    assert [run.model for run in new.runs] == ["Given"]
    assert said == ["1 trial run (--limit) left out: incomplete, they cannot be a baseline"]
    runs.run(tmp_path, "trial", tiles=runs.located(60), limit=30)
    with pytest.raises(UsageError, match=r"trial runs \(--limit\) only"):
        bless(tmp_path, place / "other.json", "x")


def test_a_baseline_holds_no_name_that_was_not_given(place, monkeypatch) -> None:
    for name in ("USER", "LOGNAME", "GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(name, "grace-hopper")
    bless(place / "results", place / "new.json", "x")
    text = (place / "new.json").read_text()
    assert "grace-hopper" not in text
    private = {getpass.getuser(), socket.gethostname(), str(place), str(Path.home())}
    assert not [word for word in private if len(word) > 4 and word in text]
