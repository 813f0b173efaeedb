"""`senbench export`: every form, to a file or stdout."""

from __future__ import annotations

import csv
import json

import pytest
from outcomes import refused


def test_every_form_names_both_runs(senbench, stub_results, tmp_path):
    where = ("--results", stub_results)
    table = senbench("export", "--format", "csv", *where)
    assert (table.code, table.err) == (0, "")
    assert [row["model"] for row in csv.DictReader(table.out.splitlines())] == ["good", "worse"]
    assert len(json.loads(senbench("export", "--format", "json", *where).out)) == 2
    for form in ("md", "latex", "model-index"):
        out = senbench("export", "--format", form, *where).out
        assert "good" in out and "worse" in out
    done = senbench("export", "--format", "csv", *where, "--out", tmp_path / "t.csv")
    assert (done.out, done.err) == ("", f"wrote {tmp_path / 't.csv'}\n")
    assert (tmp_path / "t.csv").read_text() == table.out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--format", "xml"), 2, "unknown format 'xml'"),
        (("--format", "csv", "--out", "{file}/x.csv"), 3, "--out"),
        (("--format", "csv", "--results", "{empty}"), 2, "senbench run"),
    ],
)
def test_mistakes_are_one_line(senbench, stub_results, tmp_path, words, code, said):
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    words = [word.format(file=tmp_path / "file", empty=tmp_path / "empty") for word in words]
    refused(senbench("export", "--results", stub_results, *words), code, said)
