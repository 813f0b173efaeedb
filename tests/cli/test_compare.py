"""`senbench compare`: two results as text, JSON and a page."""

from __future__ import annotations

import json

import pytest
from outcomes import refused


@pytest.fixture
def two(stub_results):
    return sorted(path.name for path in stub_results.glob("*_*"))


def test_text_and_json_tell_the_same(senbench, stub_results, two):
    done = senbench("compare", *two, "--results", stub_results)
    assert done.code == 0, done.err
    assert done.out.startswith(f"A {two[0]}: good\nB {two[1]}: worse\n")
    assert "model.id" in done.out
    found = json.loads(senbench("compare", *two, "--results", stub_results, "--json").out)
    n = len(found["flips"])
    assert n > 10
    assert f"{n:,} images flipped: " in done.out
    assert f"and {n - 10:,} more: --json lists them" in done.out


def test_a_result_does_not_differ_from_itself(senbench, stub_results, two):
    done = senbench("compare", two[0], stub_results / two[0] / "result.json", "--results", stub_results)
    assert "no setting differs" in done.out
    assert "0 images flipped" in done.out


def test_the_page_has_what_pictures_there_are(senbench, stub_results, two, tmp_path):
    words = ("compare", *two, "--results", stub_results, "--html", tmp_path / "c.html")
    done = senbench(*words)
    assert done.code == 0, done.err
    assert f"wrote {tmp_path / 'c.html'}" in done.err
    assert "only pictures that the runs kept are shown" in done.err
    assert two[0] in (tmp_path / "c.html").read_text()
    assert senbench(*words, "--data-dir", tmp_path / "none").code in (2, 3)  # asked for, so it must be there


@pytest.mark.parametrize("out", [".", ""])
def test_a_folder_where_a_file_is_to_be_written(senbench, stub_results, two, out):
    outcome = senbench("compare", *two, "--results", stub_results, "--html", out)
    refused(outcome, 3, "is a folder; name a file in it with")


def test_mistakes_are_one_line(senbench, stub_results, two):
    where = ("--results", stub_results)
    refused(senbench("compare", *two, *where, "--data-dir", "x"), 2, "--data-dir x is for the pictures of --html")
    refused(senbench("compare", two[0][:-1] + "?", two[1], *where), 2, f"Did you mean '{two[0]}'")
