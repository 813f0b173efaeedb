"""Kept ratios: what warns, what fails, and what is not judged."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys

import pytest
from places import ROOT

spec = importlib.util.spec_from_file_location("compare", ROOT / "benchmarks" / "compare.py")
compare = importlib.util.module_from_spec(spec)
spec.loader.exec_module(compare)


def measured(tmp_path, ratios, cpu="A CPU", seconds=1.0):
    """A file as pytest-benchmark writes it."""
    found = [
        {
            "group": "text",
            "name": name,
            "fullname": f"test_text.py::{name}",
            "stats": {"median": seconds},
            "extra_info": {"ratio": ratio},
        }
        for name, ratio in ratios.items()
    ]
    found.append({"group": "text", "name": "of no ratio", "fullname": "test_text.py::x", "extra_info": {}})
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


def test_medians_of_several_runs_are_kept_and_the_best_is_judged(tmp_path):
    files = []
    for k, ratio in enumerate((2.0, 9.0, 3.0)):
        (tmp_path / str(k)).mkdir()
        files.append(measured(tmp_path / str(k), {"a": ratio}))
    kept = ("--baselines", str(tmp_path / "kept"))
    assert compare.main([*files, "--keep", *kept]) == 0
    assert json.loads(next((tmp_path / "kept").iterdir()).read_text()) == {"text: a": 3.0}
    assert compare.main([files[0], *kept]) == 1
    assert compare.main([files[0], files[2], *kept]) == 0


@pytest.mark.parametrize(
    ("again", "code", "times"),
    [([2.0], 0, 1), ([1.0, 1.9], 0, 2), ([1.0, 1.0, 2.0], 1, 2), ([None, 2.0], 0, 2)],
    ids=str,
)
def test_what_fell_is_measured_again_before_it_fails(tmp_path, monkeypatch, capsys, again, code, times):
    asked = []

    def measured_now(places):
        asked.append(places)
        found = again[len(asked) - 1]
        return {} if found is None else {"text: a": found}

    monkeypatch.setattr(compare, "measured", measured_now)
    run(tmp_path, {"a": 2.0, "b": 3.0}, "--keep")
    assert run(tmp_path, {"a": 1.0, "b": 3.0}, "--again") == code
    assert asked == [["test_text.py::a"]] * times
    assert run(tmp_path, {"a": 1.0, "b": 3.0}) == 1 and len(asked) == times
    assert "measured again: text: a" in capsys.readouterr().out


SLOWED = """
from senbench.models import onednn

def pytest_runtest_setup():
    for name in ("product", "product_added"):
        real = getattr(onednn, name)
        def slow(*words, real=real):
            return [real(*words) for _ in range(3)][-1]
        setattr(onednn, name, slow)
"""


@pytest.mark.slow
def test_a_slower_product_fails(tmp_path):
    """The block of ViT-B/32 with every product made three times, against itself as it is."""
    (tmp_path / "slowed.py").write_text(SLOWED)
    block = str(ROOT / "benchmarks" / "test_image_stage.py::test_block")
    codes = []
    for k, plugin in enumerate(([], ["-p", "slowed"])):
        file = tmp_path / f"{k}.json"
        command = [sys.executable, "-m", "pytest", block, *plugin, "--benchmark-json", str(file)]
        done = subprocess.run(command, cwd=tmp_path, env=slowly(tmp_path), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout
        keep = [] if k else ["--keep"]
        codes.append(compare.main([str(file), "--baselines", str(tmp_path / "kept"), *keep]))
        # slowed, the choice between kernels falls on torch's, whose ratio is too low as well
        if not k and json.loads(file.read_text())["benchmarks"][0]["extra_info"]["kernels"] != "onednn":
            pytest.skip("oneDNN's products are not the faster ones here")
    assert codes == [0, 1]


def slowly(folder):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}  # no benchmark in a worker
    return {**kept, "PYTHONPATH": str(folder)}
