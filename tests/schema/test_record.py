"""Every record is frozen, refuses misspelt fields, and says in a text what each field holds."""

from __future__ import annotations

import ast
import importlib
import pkgutil

import pytest
from places import ROOT
from pydantic import ValidationError

import senbench
from senbench.schema.blocks import ResultBlock
from senbench.schema.record import Record


class Point(Record):
    x: int
    note: str = ""


def test_a_misspelt_field_is_refused_by_name():
    with pytest.raises(ValidationError, match=r"nota\n  Extra inputs are not permitted"):
        Point(x=1, nota="here")


def test_a_record_cannot_be_changed():
    point = Point(x=1)
    with pytest.raises(ValidationError, match="Instance is frozen"):
        point.x = 2
    assert point.model_copy(update={"x": 2}) == Point(x=2)
    assert point == Point(x=1)


def test_equal_records_count_as_one():
    assert len({Point(x=1), Point(x=1), Point(x=2)}) == 2


def records() -> list[type[Record]]:
    for module in pkgutil.walk_packages(senbench.__path__, "senbench."):
        text = (ROOT / f"{module.name.replace('.', '/')}.py") if not module.ispkg else None
        if text is not None and "import Record" in text.read_text(encoding="utf-8"):
            importlib.import_module(module.name)
    found, todo = [], [Record]
    while todo:
        todo += (more := todo.pop().__subclasses__())
        found += more
    return [record for record in found if record.__module__.startswith("senbench.")]


def test_every_record_of_the_package_is_frozen_and_closed():
    found = records()
    assert len(found) > 20
    for record in found:
        kept = "allow" if issubclass(record, ResultBlock) else "forbid"  # what another version wrote survives
        assert (record.model_config["frozen"], record.model_config["extra"]) == (True, kept), record


def undescribed(text: str) -> list[str]:
    """Fields of records that no text follows."""
    missing = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id == "Record" for b in node.bases):
            for field, after in zip(node.body, [*node.body[1:], None], strict=True):
                told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and after.value.value
                if isinstance(field, ast.AnnAssign) and not told:
                    missing.append(f"{node.name}.{ast.unparse(field.target)}")
    return missing


def test_every_field_has_its_text():
    assert undescribed("class A(Record):\n    a: int\n    'Said.'\n    b: int = 3\n") == ["A.b"]
    for path in sorted((ROOT / "senbench").rglob("*.py")):
        assert undescribed(path.read_text(encoding="utf-8")) == [], path
