"""The published layout of a result: JSON Schema made from the records themselves."""

from __future__ import annotations

import ast
import inspect
import json
from itertools import pairwise
from textwrap import dedent
from typing import Any

from senbench import record, spec
from senbench.record import SCHEMA_VERSION, RunResult
from senbench.spec import Noun

ADDRESS = "docs/schema/result.schema.json"
"""Where the schema is published in the repository."""


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `result.json`, fields described by what stands below them in the source."""
    made = RunResult.model_json_schema(mode="serialization")
    nouns = {name: noun for module in (record, spec) for name, noun in vars(module).items() if _is_noun(noun)}
    for name, part in {RunResult.__name__: made, **made["$defs"]}.items():
        below = _below_fields(nouns[name])
        for field, facts in part.get("properties", {}).items():
            part["properties"][field] = dict(sorted({**facts, "description": below[field]}.items()))
    made["properties"]["schema_version"] = {"const": SCHEMA_VERSION, "title": "Schema Version", "type": "integer"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "senbench result",
        **{key: value for key, value in made.items() if key != "title"},
    }


def text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"


def _is_noun(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, Noun)


def _below_fields(noun: type[Noun]) -> dict[str, str]:
    """Field -> text below it. Pydantic would look for them in every process, a twentieth of a cached run."""
    (definition,) = ast.parse(dedent(inspect.getsource(noun))).body
    found = {}
    for pair in pairwise(getattr(definition, "body", ())):
        match pair:
            case ast.AnnAssign(target=ast.Name(id=field)), ast.Expr(value=ast.Constant(value=str(text))):
                found[field] = inspect.cleandoc(text)
    return found
