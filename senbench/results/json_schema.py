"""JSON Schema of a result, generated from its records."""

from __future__ import annotations

import ast
import inspect
import json
from itertools import pairwise
from textwrap import dedent
from typing import TYPE_CHECKING, Any

from senbench.schema.record import Record
from senbench.schema.result import READABLE, RunResult

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDRESS = "docs/schema/result.schema.json"
"""Path of the published schema in the repository."""


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of `result.json`, with the docstrings of the fields as descriptions."""
    made = RunResult.model_json_schema()
    records = {record.__name__: record for record in _records(Record)}
    for name, part in {RunResult.__name__: made, **made["$defs"]}.items():
        below = _below_fields(records[name])
        for field, facts in part.get("properties", {}).items():
            part["properties"][field] = dict(sorted({**facts, "description": below[field]}.items()))
    made["properties"]["schema_version"] = {"enum": list(READABLE), "title": "Schema Version", "type": "integer"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "senbench result",
        **{key: value for key, value in made.items() if key != "title"},
    }


def text() -> str:
    """Return the schema as published."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _records(record: type[Record]) -> Iterator[type[Record]]:
    """Yield a record class and all its subclasses."""
    yield record
    for kind in record.__subclasses__():
        yield from _records(kind)


def _below_fields(record: type[Record]) -> dict[str, str]:
    """Return the docstring of each field; in pydantic, reading them would take 5 % of a cached run's time."""
    (definition,) = ast.parse(dedent(inspect.getsource(record))).body
    descriptions: dict[str, str] = {}
    for base in record.__bases__:
        descriptions |= _below_fields(base) if issubclass(base, Record) else {}
    for pair in pairwise(getattr(definition, "body", ())):
        match pair:
            case ast.AnnAssign(target=ast.Name(id=field)), ast.Expr(value=ast.Constant(value=str(text))):
                descriptions[field] = inspect.cleandoc(text)
    return descriptions
