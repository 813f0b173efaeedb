"""The published schema is the one that the records have."""

from __future__ import annotations

import json

import jsonschema
import pytest
import runs
from places import ROOT

from senbench.results import json_schema


def test_the_published_schema_is_current():
    published = (ROOT / json_schema.ADDRESS).read_text()
    assert published == json_schema.text(), f"run `senbench results schema > {json_schema.ADDRESS}`"


def test_results_are_valid_by_it_and_others_are_not(tmp_path):
    check = jsonschema.Draft202012Validator(json_schema.schema())
    check.check_schema(json_schema.schema())
    for tiles in (None, runs.multi()):
        folder = tmp_path / runs.run(tmp_path, tiles=tiles).run_id
        data = json.loads((folder / "result.json").read_text())
        check.validate(data)
        for change in ({"schema_version": 3}, {"complete": "yes"}, {"surprise": 1}):
            with pytest.raises(jsonschema.ValidationError):
                check.validate({**data, **change})
