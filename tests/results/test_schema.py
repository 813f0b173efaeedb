"""The published schema is the one that the records have."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import runs

from senbench.results import schema

ROOT = Path(__file__).resolve().parents[2]


def test_the_published_schema_is_current():
    published = (ROOT / schema.ADDRESS).read_text()
    assert published == schema.text(), f"run `senbench results schema > {schema.ADDRESS}`"


def test_results_are_valid_by_it_and_others_are_not(tmp_path):
    check = jsonschema.Draft202012Validator(schema.schema())
    check.check_schema(schema.schema())
    for tiles in (None, runs.multi()):
        folder = tmp_path / runs.run(tmp_path, tiles=tiles).run_id
        data = json.loads((folder / "result.json").read_text())
        check.validate(data)
        for change in ({"schema_version": 2}, {"complete": "yes"}, {"surprise": 1}):
            with pytest.raises(jsonschema.ValidationError):
                check.validate({**data, **change})
