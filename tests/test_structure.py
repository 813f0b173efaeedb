"""The house: rooms, names and parameters as counted, floors as import-linter holds them, the page of the docs."""

from __future__ import annotations

import ast
import graphlib
import importlib.util
import os
import re
import subprocess
import sys
import tomllib
import zipfile

import pytest
from places import ROOT

SPEC = importlib.util.spec_from_file_location("structure", ROOT / "tools" / "structure.py")
structure = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(structure)


@pytest.mark.parametrize("figure", structure.figures(), ids=lambda figure: figure.name)
def test_the_house_keeps_its_bounds(figure):
    assert figure.bound is None or figure.value <= figure.bound, "\n".join(figure.cases)


def test_no_modules_import_each_other_in_a_circle_of_types_neither():
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in (ROOT / "senbench").rglob("*.py")
        if not path.name.startswith("__")
    }
    graph = {}
    for name, path in modules.items():
        taken = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.ImportFrom) and n.module]
        named = {f"{node.module}.{alias.name}" for node in taken for alias in node.names}
        graph[name] = ({node.module for node in taken} | named) & modules.keys() - {name}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_no_room_imports_from_a_floor_above():
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:]
    assert "0 broken" in done.stdout


def test_the_table_of_the_docs_is_that_of_the_contract_and_the_rooms():
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d*) \| `([a-z_/.]+)` \| (.+) \|$", page, re.MULTILINE)
    assert rows == structure.table()


def steps(title: str) -> list[tuple[str, str]]:
    """The numbered calls below a line of docs/design.md: file, function."""
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    part = page.split(title, 1)[1].lstrip()
    return re.findall(r"^\d+\. `([a-z_0-9/.]+):(\w+)`", part.split("\n\n", 1)[0], re.MULTILINE)


@pytest.fixture(scope="module")
def called(tmp_path_factory):
    """Every call of a function of the package in a run from a zip, in order."""
    root = tmp_path_factory.mktemp("run")
    archive = root / "EuroSAT.zip"
    with zipfile.ZipFile(archive, "w") as made:
        for tile in sorted((ROOT / "tests" / "data" / "eurosat").rglob("*.jpg"))[::3]:
            made.write(tile, tile.relative_to(ROOT / "tests" / "data" / "eurosat").as_posix())
    script = f"""
import sys, threading
calls = []
def follow(frame, event, given):
    path = frame.f_code.co_filename
    if event == "call" and "/senbench/" in path:
        calls.append((path.rpartition("/senbench/")[2], frame.f_code.co_name))
from senbench.evaluation.grid import run
from senbench.schema.run_spec import RunSpec
spec = RunSpec(models=("mini",), prompts=("ground",), datasets=("eurosat-rgb",), data_dir={str(archive)!r},
               offline=True, device="cpu", results={str(root / "results")!r})
threading.setprofile(follow); sys.setprofile(follow)
run(spec)
sys.setprofile(None)
for file, name in calls: print(file, name)
"""
    own = {**os.environ, "SENBENCH_HOME": str(root / "home")}  # nothing is kept there
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=own)
    return [tuple(line.split()) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("title", "most"),
    [
        ("One tile, from the zip to its score:", 25),
        ("One prompt, from the `.j2` file to its row in the classifier:", 12),
    ],
)
def test_a_run_goes_the_ways_of_the_docs(called, title, most):
    listed = steps(title)
    assert 10 < len(listed) <= most
    following = iter(called)
    assert [step for step in listed if step not in following] == []  # each after the one before it


def test_every_room_stands_on_one_floor():
    layers = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]["layers"]
    rooms = [room.strip() for layer in layers for room in layer.split("|")]
    assert len(rooms) == len(set(rooms))
    there = {path.name for path in (ROOT / "senbench").iterdir() if (path / "__init__.py").is_file()}
    assert there <= set(rooms)


def test_the_count_of_code_leaves_out_what_is_no_code():
    text = (
        '"""Module."""\n\n# why\nX = """a\nb"""  # it counts\n\n\ndef f():\n    """Doc\n    string."""\n    return 1\n'
    )
    assert structure.code_lines(text) == 4
