"""`cite`, `export`, `results validate`: what a shell sees."""

from __future__ import annotations

import pytest
import runs

from senbench.results import store


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cite")
    r = runs.run(folder, "good", 0.2, runs.located(60))
    return r, {r.run_id: folder / r.run_id}


def test_the_command(found, tmp_path, senbench):
    r, folders = found
    folder = folders[r.run_id]
    by_id = senbench("cite", r.run_id, "--results", folder.parent, "--part", "table")
    assert by_id.code == 0
    assert by_id.out == senbench("cite", folder, "--part", "table").out
    assert by_id.out == senbench("cite", folder / "result.json", folder, "--part", "table").out
    assert senbench("cite", folder, "--out", tmp_path / "cite.txt").code == 0
    assert (tmp_path / "cite.txt").read_text().startswith("%%%% methods")
    unknown = senbench("cite", r.run_id[:-1], "--results", folder.parent)
    assert unknown.code == 2
    assert f"Did you mean '{r.run_id}'" in unknown.err
    assert senbench("cite", folder, "--part", "x").code == 2
    assert senbench("cite", "x", "--results", tmp_path / "none").code == 2
    assert store.load(folder).run_id == r.run_id


def test_export_and_validate_commands(found, tmp_path, senbench):
    r, folders = found
    folder = folders[r.run_id]
    done = senbench("export", "--format", "csv", "--results", folder.parent)
    assert done.code == 0
    assert done.out.startswith("run_id,model,")
    assert senbench("export", "--format", "xml", "--results", folder.parent).code == 2
    assert senbench("export", "--format", "csv", "--results", tmp_path).code == 2
    refused = senbench(
        "export", "--format", "csv", "--results", folder.parent, "--out", folder / "result.json" / "x.csv"
    )
    assert refused.code == 3
    assert senbench("results", "validate", folder).out == f"{folder}: ok\n"
    bad = tmp_path / "result.json"
    bad.write_text("{}")
    out = senbench("results", "validate", folder, bad)
    assert out.code == 2
    assert "1 of 2 results" in out.err
    assert len(out.out.splitlines()) == 2
    assert senbench("results", "schema").out.startswith("{")
