"""`senbench results`: one line per finding, and the schema."""

from __future__ import annotations

import json


def test_sound_and_unsound_results(stub_results, tmp_path, senbench):
    folder = next(stub_results.glob("*_*"))
    assert senbench("results", "validate", folder) == (0, f"{folder}: ok\n", "")
    bad = tmp_path / "result.json"
    bad.write_text("{}")
    out = senbench("results", "validate", folder, bad)
    assert out.code == 2
    assert "1 of 2 results" in out.err
    assert len(out.out.splitlines()) == 2


def test_the_schema_is_json(senbench):
    found = json.loads(senbench("results", "schema").out)
    assert "metrics" in found["properties"]
