"""`senbench doctor`: what it prints, and the exit code that a script reads."""

from __future__ import annotations

import json

import machines
import pytest


@pytest.fixture
def quick(monkeypatch):
    """No processes: torch, torchvision and plug-ins are sound."""
    machines.sound(monkeypatch)


def test_a_sound_machine_has_no_problem(quick, senbench):
    done = senbench("doctor", "--json")
    assert done.code == 0
    findings = json.loads(done.out)
    assert {f["topic"] for f in findings} >= {"versions", "device", "torchvision", "home", "weights", "cache", "hub"}
    assert {tuple(f) for f in findings} == {("topic", "state", "found", "remedy")}
    assert [f for f in findings if f["state"] == "problem"] == []


def test_a_package_that_is_missing(quick, monkeypatch, senbench):
    machines.without(monkeypatch, "torchgeo")
    done = senbench("doctor")
    assert done.code == 3
    assert "missing: torchgeo" in done.out
    assert "-> install torchgeo into" in done.out


def test_torch_that_cannot_be_imported(tmp_path, monkeypatch, senbench):
    machines.fake(tmp_path, "torch", "raise OSError('libtorch.so: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    done = senbench("doctor")
    assert done.code == 3
    assert "libtorch.so" in done.out
    assert "reinstall torch and torchvision together" in done.out
    said, problem = done.err.splitlines()
    assert said.startswith("importing torch")  # it may take a minute
    assert problem == "senbench: problems that stop runs: torch; see the findings"


def test_a_home_that_cannot_be_written(quick, monkeypatch, tmp_path, senbench):
    (tmp_path / "file").touch()
    monkeypatch.setenv("SENBENCH_HOME", str(tmp_path / "file" / "home"))
    done = senbench("doctor")
    assert done.code == 3
    assert "is no folder" in done.out
    assert "set SENBENCH_HOME" in done.out
