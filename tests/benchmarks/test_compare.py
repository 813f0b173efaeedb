"""Kept ratios: what warns, what fails, and what is not judged."""

from __future__ import annotations

import importlib.util
import json

import pytest
from places import ROOT

spec = importlib.util.spec_from_file_location("compare", ROOT / "benchmarks" / "compare.py")
compare = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compare)


def measured(tmp_path, ratios, cpu="A CPU", seconds=1.0):
    """A file as pytest-benchmark writes it."""
    found = [
        {"group": "text", "name": name, "stats": {"median": seconds}, "extra_info": {"ratio": ratio}}
        for name, ratio in ratios.items()
    ]
    found.append({"group": "text", "name": "of no ratio", "extra_info": {}})
    path = tmp_path / "new.json"
    path.write_text(json.dumps({"machine_info": {"senbench": {"cpu": cpu, "threads": 2}}, "benchmarks": found}))
    return str(path)


def run(tmp_path, ratios, *options, **how):
    return compare.main([measured(tmp_path, ratios, **how), "--baselines", str(tmp_path / "kept"), *options])


@pytest.mark.parametrize(
    ("ratio", "word", "code"),
    [(2.0, "ok", 0), (1.81, "ok", 0), (1.79, "warns", 0), (1.61, "warns", 0), (1.59, "FAILS", 1)],
)
def test_a_fall_warns_below_nine_tenths_and_fails_below_eight(tmp_path, capsys, ratio, word, code):
    assert run(tmp_path, {"a": 2.0, "b": 3.0}, "--keep") == 0
    assert run(tmp_path, {"a": ratio, "b": 3.5}) == code
    said = capsys.readouterr().out.splitlines()
    assert any(line.startswith(word) and "text: a" in line for line in said)
    assert any(line.startswith("ok") and "text: b: 3.50, kept 3.00" in line for line in said)


def test_seconds_are_never_judged(tmp_path):
    run(tmp_path, {"a": 2.0}, "--keep")
    assert run(tmp_path, {"a": 2.0}, seconds=100.0) == 0


def test_another_machine_is_not_judged(tmp_path, capsys):
    run(tmp_path, {"a": 2.0}, "--keep")
    assert run(tmp_path, {"a": 0.1}, cpu="Another") == 0
    assert "nothing is kept for this machine (another-2-threads.json)" in capsys.readouterr().out


def test_a_part_of_the_benchmarks_is_judged_by_itself_and_keeps_the_rest(tmp_path, capsys):
    run(tmp_path, {"a": 2.0, "b": 3.0}, "--keep")
    assert run(tmp_path, {"a": 2.0, "c": 1.0}) == 0
    said = capsys.readouterr().out
    assert "text: b: not run" in said and "text: c: 1.00, nothing is kept" in said
    run(tmp_path, {"c": 1.0}, "--keep")
    assert json.loads(next((tmp_path / "kept").iterdir()).read_text()) == {
        "text: a": 2.0,
        "text: b": 3.0,
        "text: c": 1.0,
    }
