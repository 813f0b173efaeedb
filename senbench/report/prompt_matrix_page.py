"""A self-contained page of prompts by classes, sortable and searchable, with the tiles that a prompt ranks highest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.report import html
from senbench.results.store import write_text

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.results.matrix import Matrix, ModelMatrix


def write(matrix: Matrix, out: Path) -> Path:
    """Write the page atomically.

    Raises:
        UnavailableError: The file cannot be written.
    """
    return write_text(out, render(matrix), "--out")


def render(matrix: Matrix) -> str:
    """Render the page; the same matrix gives the same bytes.

    Args:
        matrix: Prompts by classes, by models.

    Returns:
        One HTML document without external requests; its policy allows only the style sheet and the script whose hashes
        it states. All text from outside is data: JSON without `<`, inserted as text.
    """
    return html.render(
        "matrix.html.j2",
        style="matrix.css",
        script=html.read("matrix.js"),
        data=html.script_json(record(matrix)),
        prompts=matrix.prompts,
        info=matrix.tiles.info,
        tiles=matrix.tiles,
        titles=[model.title for model in matrix.models],
        figure=matrix.figure,
    )


def record(matrix: Matrix) -> dict[str, Any]:
    """Return the data that the page's script displays.

    Returns:
        Classes, prompts with their class, models with integers (z and contribution in hundredths, cosines in
        ten-thousandths; None where undefined), tiles with their classes and pictures.
    """
    info, pack = matrix.tiles.info, matrix.prompts
    ids = matrix.tiles.tile_ids
    shown = {position: k for k, position in enumerate(matrix.pictures)}

    return {
        "classes": [{"key": key, "name": name} for key, name in zip(info.classes, pack.names, strict=True)],
        "prompts": [{"text": text, "own": k} for k, key in enumerate(info.classes) for text in pack.texts[key]],
        "models": [{"title": model.title, **_model(model, shown)} for model in matrix.models],
        "tiles": [
            {"id": ids[i], "own": matrix.classes_of(i), "src": html.picture(data)}
            for i, data in matrix.pictures.items()
        ],
    }


def _model(model: ModelMatrix, shown: dict[int, int]) -> dict[str, Any]:
    return {
        "similarity": _whole(within_column(model.cosine), 100),
        "contribution": _whole(model.contribution, 10_000),
        "cosine": _whole(model.cosine, 10_000),
        "top": [
            [[shown[int(i)], round(10_000 * float(c))] for i, c in zip(row, cosines, strict=True) if int(i) in shown]
            for row, cosines in zip(model.top, model.top_cosine, strict=True)
        ],
    }


def within_column(cosine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Standardise each column of (P, C) to zero mean and unit standard deviation; 0 if all are equal.

    Cosines of a model lie close together, and are higher for some classes than for others. What distinguishes prompts
    is their relation to each other on the images of one class.
    """
    centred = cosine - cosine.mean(axis=0)
    spread = cosine.std(axis=0)
    return np.asarray(centred / np.where(spread > 1e-9, spread, 1))


def _whole(values: NDArray[np.float64], factor: int) -> list[list[int | None]]:
    return [[None if np.isnan(v) else round(factor * float(v)) for v in row] for row in values]
