"""`senbench results`: listed, shown, removed and validated, under short names."""

from __future__ import annotations

import io
import json
import shutil
import sys

import pytest
import runs
from outcomes import refused


@pytest.fixture
def copied(stub_results, tmp_path):
    """The two results, `good` and `worse`, in a folder of their own."""
    shutil.copytree(stub_results, tmp_path / "results")
    return tmp_path / "results"


def names(folder):
    return sorted(path.name for path in folder.iterdir() if (path / "result.json").exists())


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


def test_results_are_listed_with_short_ids(copied, senbench):
    done = senbench("results", "list", "--results", copied)
    assert done.code == 0
    head, *lines = done.out.splitlines()
    assert head.split()[:3] == ["id", "model", "prompts"]
    for line, name in zip(lines, names(copied), strict=True):
        short = line.split()[0]
        assert name.rpartition("_")[2].startswith(short)
        assert senbench("results", "show", short, "--results", copied).out.count(name) == 1
    rows = json.loads(senbench("results", "list", "--results", copied, "--json").out)
    assert [row["run_id"] for row in rows] == names(copied)
    refused(senbench("results", "list", "--results", copied / "nothing"), 2, "no results under")


def test_a_result_is_shown_with_the_command_that_makes_it_again(copied, senbench):
    done = senbench("results", "show", "good", "--results", copied)
    assert done.code == 0
    assert names(copied)[0] in done.out and "senbench run --model" in done.out
    (data,) = json.loads(senbench("results", "show", "good", "--results", copied, "--json").out)
    assert data["run_id"] == names(copied)[0]


def test_removal_asks_and_yes_does_not(copied, senbench, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    done = senbench("results", "rm", "good", "--results", copied)
    assert done.code == 2 and "senbench: nothing was removed; --yes" in done.err
    assert len(names(copied)) == 2
    done = senbench("results", "rm", "good", "--results", copied, "--yes")
    assert (done.code, done.out) == (0, "") and "removed 1 result\n" in done.err
    assert [name.split("_")[0] for name in names(copied)] == ["worse"]
    (next(copied.glob("worse_*")) / "notes.txt").write_text("mine")
    refused(senbench("results", "rm", "worse", "--results", copied, "--yes"), 2, "'notes.txt'", "remove it yourself")
    assert len(names(copied)) == 1


@pytest.mark.parametrize("command", [["cite"], ["export", "--format", "md"], ["results", "show"]])
def test_commands_take_names_and_refuse_what_is_ambiguous(copied, senbench, command):
    for given in ("good", "good/custom", names(copied)[0], names(copied)[0][:8]):
        done = senbench(*command, given, "--results", copied)
        assert done.code == 0, done.err
        assert "worse" not in done.out
    refused(senbench(*command, "custom", "--results", copied), 2, "names 2 results", *names(copied))
    refused(senbench(*command, "nothing", "--results", copied), 2, "unknown run 'nothing'")


def test_compare_takes_names(copied, senbench):
    done = senbench("compare", "good", "worse", "--results", copied)
    assert done.code == 0
    first, second = names(copied)
    assert done.out.startswith(f"A {first}: good\nB {second}: worse\n")


def test_a_folder_of_results_is_validated(copied, senbench, tmp_path):
    done = senbench("results", "validate", copied)
    assert done == (0, "".join(f"{copied / name}: ok\n" for name in names(copied)), "")
    refused(senbench("results", "validate", tmp_path / "results" / ".."), 2, "no results under")
    data = json.loads((copied / names(copied)[1] / "result.json").read_text())
    (copied / names(copied)[1] / "result.json").write_text(json.dumps(data | {"ties": 7}))
    done = senbench("results", "validate", copied)
    assert done.code == 2 and "1 of 2 results" in done.err


def test_trials_are_left_out_of_the_page_and_it_is_said(copied, senbench, tmp_path):
    page = tmp_path / "x.html"
    runs.run(copied, "trial", 0.1, runs.located(60), limit=30)
    done = senbench("report", "--results", copied, "--out", page)
    assert done.code == 0
    assert "note: 1 trial run (--limit) left out: incomplete, never ranked" in done.err
    assert "good_" in page.read_text() and "trial_" not in page.read_text()
    for name in ("good", "worse"):
        assert senbench("results", "rm", name, "--results", copied, "--yes").code == 0
    done = senbench("report", "--results", copied, "--out", page)
    assert "note: 1 trial run (--limit) and no other results: shown as incomplete" in done.err
    assert "trial_" in page.read_text()


def test_tiles_that_no_run_gets_right_are_listed_written_and_shown(copied, tmp_path, senbench):
    split, html = tmp_path / "doubt.txt", tmp_path / "doubt.html"
    words = ("results", "unanimous", *names(copied), "--results", copied)
    done = senbench(*words, "--split", split, "--html", html)
    assert done.code == 0
    rows = [line.split("\t") for line in done.out.splitlines()]
    assert rows and f"{len(rows)} of" in done.err and "a person has to look" in done.err
    assert split.read_text().splitlines() == [row[0] for row in rows]
    for name, label, given in rows:
        assert label not in given
        assert name in html.read_text()
    found = json.loads(senbench(*words, "--json").out)
    assert [tile["id"] for tile in found["tiles"]] == [row[0] for row in rows]
    assert set(found["qualifications"]) == set(names(copied))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("good",), "1 run is not enough"),
        (("good", "worse", "--data-dir", "x"), "--data-dir x is for the pictures of --html"),
        (("good", "nobody"), "nobody"),
    ],
)
def test_no_set_is_refused_in_one_line(copied, senbench, words, says):
    refused(senbench("results", "unanimous", *words, "--results", copied), 2, says)
