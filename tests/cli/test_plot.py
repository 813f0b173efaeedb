"""`senbench plot` and `cite --figures`: files that are written, and mistakes in one line."""

from __future__ import annotations

import pytest
import runs
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.errors import UsageError
from senbench.results import store


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Results and folders of three runs on the same tiles."""
    paths = store.folders(runs.three(tmp_path_factory.mktemp("three")))
    return [store.load(path) for path in paths], paths


def call(*words: object):
    return CliRunner().invoke(application(), [str(word) for word in words])


def test_the_command_writes_a_figure_and_its_caption(three, tmp_path):
    _, folders = three
    out = tmp_path / "c.pdf"
    got = call("plot", folders[0], "--kind", "confusion", "--out", out)
    assert got.exit_code == 0, got.output
    assert out.read_bytes().startswith(b"%PDF")
    assert "wrote" in got.output


def test_the_command_refuses_in_one_line(three, tmp_path):
    _, folders = three
    for words, text in (
        ((folders[0], "--kind", "pie", "--out", tmp_path / "x.pdf"), "kind of figure 'pie'"),
        ((folders[0], "--kind", "differences", "--out", tmp_path / "x.pdf"), "differences need two runs"),
        ((folders[0], "--kind", "sensitivity", "--out", tmp_path / "x.pdf"), "single prompts of"),
        ((tmp_path / "none", "--kind", "classes", "--out", tmp_path / "x.pdf"), "none"),
    ):
        error = call("plot", *words).exception
        assert isinstance(error, UsageError)
        assert text in str(error)
        assert len(str(error).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_cite_writes_all_figures(three, tmp_path):
    _, folders = three
    got = call("cite", folders[0], folders[1], "--figures", tmp_path / "figures", "--out", tmp_path / "text.md")
    assert got.exit_code == 0, got.output
    assert (tmp_path / "figures" / "differences.pdf").is_file()
    assert (tmp_path / "figures" / "differences.caption.txt").is_file()
