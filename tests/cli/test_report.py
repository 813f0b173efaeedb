"""`senbench report`: the page or the site, and what keeps it from being written."""

from __future__ import annotations

import json
import shutil

import pytest
from outcomes import refused


def test_the_page_and_the_site(senbench, stub_results, tmp_path):
    done = senbench("report", "--results", stub_results, "--out", tmp_path / "board.html")
    assert (done.code, done.out, done.err) == (0, "", f"wrote {tmp_path / 'board.html'}\n")
    page = (tmp_path / "board.html").read_text()
    assert "good" in page and "worse" in page
    done = senbench("report", "--results", stub_results, "--publish", tmp_path / "site")
    n = sum(path.is_file() for path in (tmp_path / "site").rglob("*"))
    assert (done.code, done.err.split(";")[0]) == (0, f"wrote {n} files to {tmp_path / 'site'}")


def test_what_is_private_is_told_before_a_site_is_passed_on(senbench, stub_results, tmp_path):
    shutil.copytree(stub_results, tmp_path / "results")
    for about in (tmp_path / "results").glob("*/result.json"):
        data = json.loads(about.read_text())
        data["spec"]["data_dir"] = "/home/ada/tiles"
        about.write_text(json.dumps(data))
    done = senbench("report", "--results", tmp_path / "results", "--publish", tmp_path / "site")
    assert "note: the JSON of 2 runs holds paths of this machine" in done.err


def test_without_results(senbench, tmp_path):
    refused(senbench("report", "--results", tmp_path, "--out", tmp_path / "x.html"), 2, "senbench run")
    assert not (tmp_path / "x.html").exists()


@pytest.mark.parametrize("out", [".", ""])
def test_a_folder_where_a_file_is_to_be_written(senbench, stub_results, out):
    outcome = senbench("report", "--results", stub_results, "--out", out)
    refused(outcome, 3, "is a folder; name a file in it with")
