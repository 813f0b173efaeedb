"""The published layout of a result: JSON Schema made from the records themselves."""

from __future__ import annotations

import json
from typing import Any

from senbench.record import SCHEMA_VERSION, RunResult

ADDRESS = "docs/schema/result.schema.json"
"""Where the schema is published in the repository."""


def schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `result.json`."""
    made = RunResult.model_json_schema(mode="serialization")
    made["properties"]["schema_version"] = {"const": SCHEMA_VERSION, "title": "Schema Version", "type": "integer"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "senbench result",
        **{key: value for key, value in made.items() if key != "title"},
    }


def text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), indent=1, ensure_ascii=False) + "\n"
