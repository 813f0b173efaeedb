"""Figures of one result: confusion, and its tiles."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError
from senbench.report.figures.paper_style import COLOURS, blank, label, paper
from senbench.results import predictions, store

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from senbench.schema.result import RunResult

SHOWN = 0.005
"""Share of a row from which on it is written into its cell."""
PER_CLASS = 8
"""Tiles of a class."""
SIZE = 0.5
"""Side of a tile in inches."""


def confusion(result: RunResult, *, counts: bool = False, columns: int = 1) -> Figure:
    """The confusion matrix with class names: rows are true classes, columns predicted ones.

    Args:
        result: A single-label result.
        counts: Write images instead of percent of the row.
        columns: 1 or 2, the columns of text that the figure spans.

    Raises:
        UsageError: A multi-label result, which has no confusion matrix.
    """
    if not result.confusion:
        raise UsageError(f"{result.run_id} has no confusion matrix, as a multi-label result: plot its classes")
    matrix = np.array(result.confusion, float)
    total = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, total, out=np.zeros_like(matrix), where=total > 0)
    names = [label(one.name or one.key) for one in result.per_class]
    n = len(names)
    with paper():
        figure = blank(columns, 0.95 * (3.35 if columns == 1 else 6.0))
        axes = figure.add_subplot()
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="equal")
        size = min(6.0, (110 if columns == 1 else 190) / n / (1.6 if counts else 1.0))
        for i, j in np.argwhere(share >= SHOWN) if n <= 30 else ():
            text = f"{int(matrix[i, j]):,}" if counts else f"{100 * share[i, j]:.0f}"
            axes.text(j, i, text, ha="center", va="center", size=size, color="white" if share[i, j] > 0.5 else "black")
        axes.set_xticks(range(n), names, rotation=45, ha="right", rotation_mode="anchor")
        axes.set_yticks(range(n), names)
        axes.set_xlabel("predicted class")
        axes.set_ylabel(f"true class ({'images' if counts else '% of its images'})")
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
    return figure


def tiles(result: RunResult, folder: Path, *, columns: int = 2) -> Figure:
    """Kept tiles of each class, with a frame in one colour where the answer is right and in another where it is not.

    Args:
        result: A single-label result.
        folder: Its folder, with the thumbnails.
        columns: 1 or 2, the columns of text that the figure spans.

    Raises:
        UsageError: A multi-label result, or one without thumbnails.
    """
    from PIL import Image

    pictures = store.read_thumbnails(folder)
    table = predictions.read(folder, result)
    if table.predicted is None or not pictures:
        why = "has no pictures of its tiles" if table.predicted is not None else "is a multi-label result"
        raise UsageError(f"{result.run_id} {why}: its tiles cannot be shown")
    keys = list(result.dataset.classes)
    answers = {name: keys[code] for name, code in zip(table.ids, table.predicted.tolist(), strict=True)}
    of_class: dict[str, list[tuple[str, bytes]]] = {key: [] for key in keys}
    for name, (key, data) in pictures.items():
        of_class[key].append((name, data))
    shown = {key: found[: PER_CLASS // (2 if columns == 1 else 1)] for key, found in of_class.items() if found}
    across = max(map(len, shown.values()))
    with paper():
        figure = blank(columns, (SIZE + 0.16) * len(shown) + 0.1)
        grid: Any = figure.subplots(len(shown), across, squeeze=False)
        for line, (key, found) in zip(grid, shown.items(), strict=True):
            for axes in line[len(found) :]:
                axes.set_axis_off()
            for axes, (name, data) in zip(line, found, strict=False):
                axes.imshow(Image.open(BytesIO(data)).convert("RGB"))
                axes.set_xticks([])
                axes.set_yticks([])
                right = answers[name] == key
                axes.spines[:].set(visible=True, color=COLOURS[0 if right else 1], linewidth=1.2)
                if not right:
                    axes.set_xlabel(label(answers[name])[:16], size=5, color=COLOURS[1], labelpad=1)
            line[0].set_ylabel(label(key), rotation=0, ha="right", va="center")
    return figure
