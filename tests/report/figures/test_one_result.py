"""What a confusion matrix shows is what the result holds; names of strangers are shown as they are."""

from __future__ import annotations

import changed_results
import pytest
import runs

from senbench.errors import UsageError
from senbench.report.figures import one_result


@pytest.fixture
def result(tmp_path):
    return runs.run(tmp_path, "some", 0.3)


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_cells_are_percent_of_the_row_or_images(result):
    matrix = result.confusion
    shares = [f"{100 * cell / sum(row):.0f}" for row in matrix for cell in row if cell / sum(row) >= one_result.SHOWN]
    assert texts(one_result.confusion(result)) == shares
    counts = [f"{cell:,}" for row in matrix for cell in row if cell / sum(row) >= one_result.SHOWN]
    assert texts(result.plot_confusion(counts=True)) == counts


def test_axes_have_class_names(result):
    figure = one_result.confusion(result)
    names = [one.name for one in result.per_class]
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == names
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == names


def test_a_name_is_no_formula_and_acts_on_nothing(result):
    name = "$\\frac{1}{0}$ \x1b[31m"
    first, *rest = result.per_class
    changed = changed_results.changed(result, per_class=(first.model_copy(update={"name": name}), *rest))
    figure = one_result.confusion(changed)
    figure.canvas.draw()  # a formula that cannot be set would fail here
    shown = figure.axes[0].get_xticklabels()[0].get_text()
    assert shown.startswith("$\\frac{1}{0}$")
    assert "\x1b" not in shown


def test_a_multi_label_result_has_no_matrix(tmp_path):
    result = runs.run(tmp_path, "some", 0.3, tiles=runs.multi())
    with pytest.raises(UsageError, match="no confusion matrix"):
        result.plot_confusion()
    with pytest.raises(UsageError, match="tiles cannot be shown"):
        one_result.tiles(result, tmp_path / result.run_id)


def test_frames_of_tiles_tell_right_from_wrong(tmp_path):
    result = runs.run(tmp_path, "some", 0.5)
    figure = one_result.tiles(result, tmp_path / result.run_id)
    colours = {tuple(axes.spines["left"].get_edgecolor()) for axes in figure.axes if axes.axison and axes.images}
    assert len(colours) == 2
