"""What figures of several results show is what the results hold."""

from __future__ import annotations

import numpy as np
import pytest
import runs

from senbench.errors import UsageError
from senbench.report.comparison.two_results import compare
from senbench.report.figures import several_results
from senbench.results import single_prompts_file, store
from senbench.schema.single_prompts import SinglePrompts


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    folder = runs.three(tmp_path_factory.mktemp("three"))
    paths = store.folders(folder)
    return [store.load(path) for path in paths], paths


def markers(figure):
    """Values of the markers along the horizontal axis, from the top down."""
    found = [line for line in figure.axes[0].lines if line.get_marker() not in ("None", "", None, "|")]
    return [(float(line.get_ydata()[0]), float(line.get_xdata()[0])) for line in found if len(line.get_xdata()) == 1]


def test_intervals_show_the_best_first(three):
    results, _ = three
    values = sorted((100 * r.metrics[r.headline].value for r in results), reverse=True)
    figure = several_results.intervals(results)
    assert [x for _, x in sorted(markers(figure))] == pytest.approx(values)


def test_intervals_of_other_images_are_refused(three, tmp_path):
    other = runs.run(tmp_path, "other", 0.1)
    with pytest.raises(UsageError, match="other images"):
        several_results.intervals([three[0][0], other])


def test_classes_show_recalls(three):
    result = three[0][0]
    shown = [x for _, x in sorted(markers(result.plot_classes()))]
    assert shown == pytest.approx([100 * one.recall for one in result.per_class])


def test_labels_show_average_precision(tmp_path):
    result = runs.run(tmp_path, "some", 0.3, tiles=runs.multi())
    shown = [x for _, x in sorted(markers(result.plot_classes()))]
    assert shown == pytest.approx([100 * one.average_precision for one in result.per_label])


def test_two_results_differ_as_compare_says(three):
    results, folders = three
    found = compare(folders[0], folders[1])
    want = [found.change, *found.classes.values()]
    figure = several_results.differences(results[:2], folders[:2])
    assert [x for _, x in sorted(markers(figure))] == pytest.approx([100 * c.paired.difference for c in want])


def test_more_results_than_colours_are_refused(three):
    with pytest.raises(UsageError, match="at most 7"):
        several_results.classes([three[0][0]] * 8)


def test_reliability_shows_the_bins(three):
    result = three[0][0]
    line = result.plot_reliability().axes[0].lines[1]
    assert line.get_xdata() == pytest.approx([100 * one.confidence for one in result.reliability])
    assert line.get_ydata() == pytest.approx([100 * one.accuracy for one in result.reliability])


def test_sensitivity_shows_every_prompt(three, tmp_path):
    results, _ = three
    data = results[0].dataset
    found = SinglePrompts(
        dataset=data.id, split=data.split, index_hash=data.index_hash, n=200, prompts=("a CLASS", "CLASS"),
        right={result.run_id: (100, 150) for result in results},
    )  # fmt: skip
    single_prompts_file.save(tmp_path, found)
    figure = several_results.sensitivity(results, tmp_path)
    bars = [line.get_xdata() for line in figure.axes[0].lines if line.get_marker() == "|" and len(line.get_xdata())]
    assert np.array(bars).tolist() == [[50.0, 75.0]] * 3


def test_names_tell_results_apart(three):
    names = several_results.names_of(three[0])
    assert len(set(names)) == 3
