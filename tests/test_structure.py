"""The house: rooms, names and parameters as counted, floors as import-linter holds them, the page of the docs."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib

import pytest
from places import ROOT

SPEC = importlib.util.spec_from_file_location("structure", ROOT / "tools" / "structure.py")
structure = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(structure)


@pytest.mark.parametrize("figure", structure.figures(), ids=lambda figure: figure.name)
def test_the_house_keeps_its_bounds(figure):
    assert figure.bound is None or figure.value <= figure.bound, "\n".join(figure.cases)


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
