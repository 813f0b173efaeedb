"""Figures of every kind: drawn from real results, written with a caption, refused in one line."""

from __future__ import annotations

import pytest
import runs

from senbench.errors import UnavailableError, UsageError
from senbench.report.figures import figure_files
from senbench.report.figures.captions import SHOWS
from senbench.results import store


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Results and folders of three runs on the same tiles."""
    folder = runs.three(tmp_path_factory.mktemp("three"))
    paths = store.folders(folder)
    return [store.load(path) for path in paths], paths


@pytest.mark.parametrize("kind", [kind for kind in SHOWS if kind not in (*figure_files.SINGLE, "sensitivity")])
@pytest.mark.parametrize("form", figure_files.FORMATS)
def test_figures_of_several_runs_are_written_with_their_caption(three, tmp_path, kind, form):
    results, folders = three
    out = tmp_path / f"figure.{form}"
    figure, caption = figure_files.write(figure_files.figure(kind, results, folders), kind, results, out)
    assert figure.read_bytes()[:4] in (b"%PDF", b"\x89PNG", b"<?xm")
    text = caption.read_text()
    assert all(result.run_id in text for result in results)
    assert text.count("nothing is known of its weights") >= 3  # what qualifies them
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figure.caption.txt", f"figure.{form}"]


@pytest.mark.parametrize("kind", figure_files.SINGLE)
def test_figures_of_one_run(three, tmp_path, kind):
    results, folders = three
    figure_files.write(figure_files.figure(kind, results[:1], folders[:1]), kind, results[:1], tmp_path / "one.png")
    with pytest.raises(UsageError, match="shows one run, 3 were given"):
        figure_files.figure(kind, results, folders)


def test_the_same_results_give_the_same_bytes(three, tmp_path):
    results, folders = three
    for form in ("pdf", "svg"):
        first, second = (
            figure_files.write(
                figure_files.figure("classes", results, folders), "classes", results, tmp_path / f"{name}.{form}"
            )[0]
            for name in "ab"
        )
        assert first.read_bytes() == second.read_bytes()


def test_kinds_and_formats_that_are_none(three, tmp_path):
    results, folders = three
    with pytest.raises(UsageError, match=r"kind of figure 'confusio'.*confusion"):
        figure_files.figure("confusio", results, folders)
    drawn = figure_files.figure("classes", results, folders)
    with pytest.raises(UsageError, match=r"x\.jpg: a figure is written as"):
        figure_files.write(drawn, "classes", results, tmp_path / "x.jpg")
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="give another --out"):
        figure_files.write(drawn, "classes", results, tmp_path / "file" / "x.png")
    with pytest.raises(UsageError, match="figure of 3 columns"):
        figure_files.figure("classes", results, folders, columns=3)


def test_every_figure_that_some_results_allow(three, tmp_path):
    results, folders = three
    written = {path.stem for path in figure_files.every(results, folders, tmp_path)}
    assert {"classes", "intervals", "differences", "reliability"} <= written
    assert {f"confusion-{result.run_id}" for result in results} <= written
    assert "sensitivity" not in written  # no single prompts were recorded
