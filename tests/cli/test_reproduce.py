"""`senbench reproduce`: the list, and what is missing, as a user sees it."""

from __future__ import annotations

import json

from outcomes import refused

from senbench.studies import published_tables


def test_the_list_of_all_and_of_one(senbench):
    done = senbench("reproduce", "--list")
    assert done.code == 0
    for name, recipe in published_tables.recipes().items():
        assert f"{name}: {recipe.title}" in done.out
    rows = json.loads(senbench("reproduce", "--list", "--json").out)
    assert done.out.count("\n  ") == len(rows)
    name = rows[0]["cell"]
    (row,) = json.loads(senbench("reproduce", name, "--list", "--json").out)
    assert row == rows[0]


def test_mistakes_are_one_line(senbench):
    refused(senbench("reproduce"), 2, "NAME is missing: give one of", "--list")
    refused(senbench("reproduce", "no-such-table"), 2, "no-such-table")


def test_missing_files_are_named_with_the_command_that_gets_them(senbench, tmp_path):
    name = next(iter(published_tables.recipes()))
    done = senbench("reproduce", name, "--data-dir", tmp_path, "--results", tmp_path / "r", "--json")
    assert done.code == 3
    found = json.loads(done.out)
    assert found["lines"] == []
    lacks = [lack for own in found["missing"].values() for lack in own]
    assert done.err.splitlines()[0] == "missing:"
    for lack in lacks:
        assert f"- {lack['kind']} {lack['name']}: {lack['file']}" in done.err
        assert lack["command"] in done.err
    assert f"cells of {name} could not be measured: missing, see above" in done.err
    assert not (tmp_path / "r").exists()
