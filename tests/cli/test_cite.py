"""`senbench cite`: runs by folder, file or id, and the parts of what a paper needs."""

from __future__ import annotations


def test_a_run_by_id_folder_or_file(stub_results, tmp_path, senbench):
    folder, other = sorted(stub_results.glob("*_*"))
    by_id = senbench("cite", folder.name, "--results", stub_results, "--part", "table")
    assert by_id.code == 0
    assert by_id.out == senbench("cite", folder, "--part", "table").out
    assert by_id.out == senbench("cite", folder / "result.json", folder, "--part", "table").out
    assert by_id.out != senbench("cite", folder, other, "--part", "table").out
    assert senbench("cite", folder, "--out", tmp_path / "cite.txt").code == 0
    assert (tmp_path / "cite.txt").read_text().startswith("%%%% methods")


def test_mistakes_are_one_line(stub_results, tmp_path, senbench):
    folder = next(stub_results.glob("*_*"))
    unknown = senbench("cite", folder.name[:-1] + "?", "--results", stub_results)
    assert unknown.code == 2
    assert f"Did you mean '{folder.name}'" in unknown.err
    assert senbench("cite", folder, "--part", "x").code == 2
    assert senbench("cite", "x", "--results", tmp_path / "none").code == 2
