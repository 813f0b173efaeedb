"""`senbench reproduce`: the list, and what is missing, as a user sees it."""

from __future__ import annotations

import json

from outcomes import refused

from senbench.errors import UnavailableError
from senbench.models.verify import Item
from senbench.studies import published_tables, recorded_prompts


def test_the_list_of_all_and_of_one(senbench):
    done = senbench("reproduce", "--list")
    assert done.code == 0
    for name, recipe in published_tables.recipes().items():
        assert f"{name}: {recipe.title}" in done.out
    rows = json.loads(senbench("reproduce", "--list", "--json").out)
    models = recorded_prompts.models(recorded_prompts.RECIPE)
    assert done.out.count("\n  ") == len(rows) + len(models)
    assert all(f"  {recorded_prompts.RECIPE}:{model}  " in done.out for model in models)
    name = rows[0]["cell"]
    (row,) = json.loads(senbench("reproduce", name, "--list", "--json").out)
    assert row == rows[0]


def test_mistakes_are_one_line(senbench):
    refused(senbench("reproduce"), 2, "NAME is missing: give one of", "--list")
    refused(senbench("reproduce", "no-such-table"), 2, "no-such-table")


def test_single_prompts_are_a_recipe(senbench, tmp_path, monkeypatch):
    def told(model, options, progress):
        if model == "clip-rn50":
            raise UnavailableError("its weights are not here")
        return [Item("whu-rs19:averaged", ok=True, detail="817 of 1,005 images right")]

    monkeypatch.setattr(recorded_prompts, "verify", told)
    name, folder = recorded_prompts.RECIPE, ("--data-dir", tmp_path)
    done = senbench("reproduce", f"{name}:clip-vit-b-32", *folder)
    assert (done.code, done.out) == (0, "clip-vit-b-32  whu-rs19:averaged: inside, 817 of 1,005 images right\n")
    done = senbench("reproduce", name, *folder)
    assert done.code == 3
    assert done.out.count("inside") == 7
    assert "missing: clip-rn50: its weights are not here" in done.err
    data = json.loads(senbench("reproduce", name, *folder, "--json").out)
    assert len(data["models"]) == 7 and list(data["missing"]) == ["clip-rn50"]
    refused(senbench("reproduce", f"{name}:mini", *folder), 2, "nothing is recorded of mini")
    refused(senbench("reproduce", name, *folder, "--limit", 5), 2, "takes all images")
    refused(senbench("reproduce", name, *folder, "--weights", "x"), 2, "--weights goes with one model")


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
