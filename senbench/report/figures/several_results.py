"""Figures of one or several results: figures with intervals, classes, differences, calibration, single prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError
from senbench.report.comparison.two_results import compare
from senbench.report.figures.paper_style import COLOURS, GREY, MARKERS, blank, label, paper, rows
from senbench.results import single_prompts_file
from senbench.results.qualifications import CHANCE, model_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from senbench.schema.result import RunResult
    from senbench.scoring.comparison.changes import Change

MOST = len(COLOURS)
"""Results that one figure of classes or calibration tells apart."""
TITLES = {"top1": "top-1 accuracy (%)", "map_macro": "macro mAP (%)"}
ROW = 0.17
"""Height of a row in inches."""


def intervals(results: Sequence[RunResult], *, columns: int = 1) -> Figure:
    """The headline of each result with its 95 % interval, best first, beside the reference lines.

    Args:
        results: Results of the same images.
        columns: 1 or 2, the columns of text that the figure spans.

    Raises:
        UsageError: Results of other images, or with other headlines.
    """
    same_images(results)
    headline = results[0].headline
    known = [r for r in results if r.metrics[headline].value is not None]
    ordered = sorted(known, key=lambda r: -(r.metrics[headline].value or 0.0))
    names = names_of(ordered)
    with paper():
        figure = blank(columns, ROW * len(ordered) + 0.75)
        axes = figure.add_subplot()
        for i, result in enumerate(ordered):
            found = result.metrics[headline]
            centre = 100 * (found.value or 0.0)
            if found.ci is not None:
                axes.plot(
                    [100 * end for end in found.ci], [i, i], color=COLOURS[0], linewidth=1.4, solid_capstyle="butt"
                )
            axes.plot(centre, i, "o", color=COLOURS[0], markerfacecolor="white" if result.synthetic else COLOURS[0])
        lines = {CHANCE.get(headline, "chance"): "chance", "majority": "largest class"}
        for k, (key, title) in enumerate(lines.items()):
            if (value := results[0].lines.get(key)) is not None:
                axes.axvline(100 * value, color=GREY, linestyle=(":", "--")[k], linewidth=0.8, label=title)
        rows(axes, names)
        axes.set_xlabel(TITLES.get(headline, headline))
        if axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside upper center", ncols=2)
    return figure


def classes(results: Sequence[RunResult], *, columns: int = 1) -> Figure:
    """Recall of each class, or average precision of each label, with 95 % intervals.

    Args:
        results: Results with the same classes.
        columns: 1 or 2, the columns of text that the figure spans.

    Raises:
        UsageError: Other classes, or more results than colours.
    """
    few(results)
    keys = results[0].dataset.classes
    if any(result.dataset.classes != keys for result in results):
        raise UsageError("the runs have other classes: plot them one by one")
    multi = bool(results[0].per_label)
    with paper():
        figure = blank(columns, ROW * len(keys) * (1 + 0.45 * (len(results) - 1)) + 0.75)
        axes = figure.add_subplot()
        step = 0.7 / len(results)
        for k, (result, name) in enumerate(zip(results, names_of(results), strict=True)):
            values = [(r.average_precision, r.ci) for r in result.per_label] if multi else [
                (r.recall, r.recall_ci) for r in result.per_class
            ]  # fmt: skip
            at = np.arange(len(keys)) + step * (k - (len(results) - 1) / 2)
            for y, (value, ci) in zip(at, values, strict=True):
                if ci is not None:
                    axes.plot([100 * end for end in ci], [y, y], color=COLOURS[k], linewidth=1.2, solid_capstyle="butt")
                if value is not None:
                    axes.plot(100 * value, y, MARKERS[k], color=COLOURS[k])
            axes.plot([], [], MARKERS[k], color=COLOURS[k], label=label(name))
        block = results[0].per_label if multi else results[0].per_class
        rows(axes, [one.name or one.key for one in block])
        axes.set_xlabel("average precision (%)" if multi else "recall (%)")
        axes.set_xlim(-2, 102)
        if len(results) > 1:
            figure.legend(loc="outside upper center", ncols=columns)
    return figure


def differences(results: Sequence[RunResult], folders: Sequence[Path], *, columns: int = 1) -> Figure:
    """Paired differences to the first result in points, with 95 % intervals; of two results class by class, too.

    Args:
        results: Two or more results of the same images.
        folders: Their folders, with the predictions.
        columns: 1 or 2, the columns of text that the figure spans.

    Raises:
        UsageError: A single result, or results of other images.
    """
    if len(results) < 2:
        raise UsageError("differences need two runs or more: the first is what the others are compared with")
    found = [compare(folders[0], folder) for folder in folders[1:]]
    names, changes = names_of(results)[1:], [one.change for one in found]
    if len(results) == 2:
        titles = dict(zip(results[0].dataset.classes, results[0].prompts.names, strict=True))
        names = ["all classes", *(titles[key] for key in found[0].classes)]
        changes += found[0].classes.values()
    with paper():
        figure = blank(columns, ROW * len(names) + 0.75)
        axes = figure.add_subplot()
        axes.axvline(0, color=GREY, linewidth=0.8)
        for i, change in enumerate(changes):
            _difference(axes, i, change)
        rows(axes, names)
        axes.set_xlabel(f"difference to {label(names_of(results)[0])} (points)")
    return figure


def _difference(axes: Any, at: int, change: Change) -> None:
    value, ci = change.paired.difference, change.paired.ci
    if value != value:  # undefined
        return
    clear = ci is not None and (ci[0] > 0 or ci[1] < 0)
    colour = GREY if not clear else COLOURS[0 if value > 0 else 1]
    if ci is not None:
        axes.plot([100 * end for end in ci], [at, at], color=colour, linewidth=1.4, solid_capstyle="butt")
    axes.plot(100 * value, at, "o", color=colour)


def reliability(results: Sequence[RunResult], *, columns: int = 1) -> Figure:
    """Accuracy against confidence in bins of equal mass, with the calibration error of each result.

    Args:
        results: Single-label results with probabilities.
        columns: 1 or 2, the columns of text that the figure spans.

    Raises:
        UsageError: A result without probabilities, or more results than colours.
    """
    few(results)
    for result in results:
        if not result.reliability:
            raise UsageError(f"{result.run_id} has no bins of calibration: it has no probabilities of single labels")
    with paper():
        figure = blank(columns, 2.6 if columns == 1 else 3.6)
        axes = figure.add_subplot()
        axes.plot([0, 100], [0, 100], color=GREY, linestyle=":", linewidth=0.8)
        for k, (result, name) in enumerate(zip(results, names_of(results), strict=True)):
            x, y = (
                100 * np.array([getattr(one, key) for one in result.reliability]) for key in ("confidence", "accuracy")
            )
            error = result.metrics["ece"].value if "ece" in result.metrics else None
            told = "" if error is None else f", ECE {100 * error:.1f} %"
            axes.plot(x, y, MARKERS[k] + "-", color=COLOURS[k], label=f"{label(name)}{told}")
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        axes.set_xlabel("confidence (%)")
        axes.set_ylabel("accuracy (%)")
        axes.legend(loc="upper left")
    return figure


def sensitivity(results: Sequence[RunResult], folder: Path, *, columns: int = 1) -> Figure:
    """What each single prompt gets right with a model, and the result's own figure among them.

    Args:
        results: Results whose model's single prompts were recorded.
        folder: The results folder, with `single-prompts-*.json`.
        columns: 1 or 2, the columns of text that the figure spans.

    Raises:
        UsageError: Single prompts were not recorded for one of them.
    """
    singles: dict[str, np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    for found in single_prompts_file.load_all(folder):
        singles |= {run: 100 * np.array(right) / found.n for run, right in found.right.items()}
    for result in results:
        if result.run_id not in singles:
            raise UsageError(f"single prompts of {result.run_id} are in no single-prompts-*.json of {folder.name}/")
    with paper():
        figure = blank(columns, 1.6 * ROW * len(results) + 0.75)
        axes = figure.add_subplot()
        for i, result in enumerate(results):
            values = singles[result.run_id]
            axes.plot(values, np.full(len(values), i), "|", color=COLOURS[0], alpha=0.45, markersize=7)
            if (value := result.metrics[result.headline].value) is not None:
                axes.plot(100 * value, i, "D", color=COLOURS[1])
        axes.plot([], [], "|", color=COLOURS[0], label="one prompt")
        axes.plot([], [], "D", color=COLOURS[1], label="all of the run together")
        rows(axes, [model_name(result) for result in results])
        axes.set_xlabel(TITLES["top1"])
        figure.legend(loc="outside upper center", ncols=2)
    return figure


def names_of(results: Sequence[RunResult]) -> list[str]:
    """Names that tell results apart: the model, with its prompts where a model or prompts differ."""
    models, prompts = [model_name(r) for r in results], [r.prompts.id for r in results]
    if len(set(models)) == len(results) and len(set(prompts)) == 1:
        return models
    if len(set(prompts)) == len(results) and len(set(models)) == 1:
        return prompts
    return [f"{model}, {prompt}" for model, prompt in zip(models, prompts, strict=True)]


def same_images(results: Sequence[RunResult]) -> None:
    """Stop where results cannot stand beside each other.

    Raises:
        UsageError: Another dataset, other images or another headline.
    """
    first = results[0]
    for other in results[1:]:
        if other.dataset.index_hash != first.dataset.index_hash:
            raise UsageError(f"{other.run_id} was evaluated on other images than {first.run_id}: plot them apart")
        if other.headline != first.headline:
            raise UsageError(f"{other.run_id} has the headline {other.headline}, {first.run_id} {first.headline}")


def few(results: Sequence[RunResult]) -> None:
    """Stop where there are more results than colours.

    Raises:
        UsageError: There are.
    """
    if len(results) > MOST:
        raise UsageError(f"{len(results)} runs in one figure: at most {MOST} can be told apart")
