"""The page of the demo: a model of ground photos before and after alignment with tiles, on places that can be shown."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.report import html
from senbench.results import predictions
from senbench.results.store import write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.schema.factorial import CueFrame, Factorial, ResampledDifference
    from senbench.schema.result import RunResult

STYLES = {
    "ground": ("ground", "ground cues in a frame from the ground"),
    "control-ground-from-above": ("ground cues, seen from above", "ground cues in a frame from above"),
    "control-aerial-from-ground": ("aerial cues, seen from the ground", "aerial cues in a frame from the ground"),
    "aerial": ("aerial", "aerial cues in a frame from above"),
}
"""The four styles that cross cue and frame: what each is called on the page, and what it is."""
FACING = ("north", "east", "south", "west")
QUALITY = 80
"""Of the pictures, WebP."""


class DemoPlace(NamedTuple):
    """One place of the demo.

    Attributes:
        tile_id: Its tile's id in the results.
        key: Class of the land.
        tile: RGB of the tile, uint8 (S, S, 3).
        views: RGB of its four ground views, as FACING, each uint8 (S, S, 3).
    """

    tile_id: str
    key: str
    tile: NDArray[Any]
    views: Sequence[NDArray[Any]]


def write(
    results: Path, found: Sequence[RunResult], effects: Factorial, places: Sequence[DemoPlace], out: Path
) -> Path:
    """Write the page, whole or not at all.

    Args:
        results: Folder that holds the results.
        found: Two models, the one before alignment first, with each of STYLES.
        effects: Their comparison.
        places: Places to show.
        out: HTML file to write.

    Returns:
        The written file.

    Raises:
        UnavailableError: It cannot be written, or a result cannot be read.
    """
    return write_text(out, render(results, found, effects, places), "--out")


def render(results: Path, found: Sequence[RunResult], effects: Factorial, places: Sequence[DemoPlace]) -> str:
    """The page as text: no script, no external request; the same results give the same bytes."""
    before, after = (model for model in dict.fromkeys(r.model.id for r in found))
    cells = {(r.model.id, r.prompts.id): r for r in found}
    answers = {model: _answers(results, cells[model, "ground"]) for model in (before, after)}
    gains = {c.styles[0]: c.points for c in effects.contrasts if c.kind == "models" and len(c.styles) == 1}
    rows = [
        {
            "name": name,
            "what": what,
            "before": _cell(cells[before, style]),
            "after": _cell(cells[after, style]),
            "change": _signed(gains[style], -1),
        }
        for style, (name, what) in STYLES.items()
    ]
    first = cells[before, "ground"]
    return html.render(
        "demo.html.j2",
        style="demo.css",
        titles=(cells[before, "ground"].model.title, cells[after, "ground"].model.title),
        data=first.dataset,
        rows=rows,
        chance=100 * first.lines["chance"],
        effects=[_effects(one) for one in effects.cue_frame],
        draws=effects.draws,
        clustered=effects.clustered,
        places=[
            {
                "name": effects.class_names[place.key],
                "tile": _picture(place.tile),
                "views": [(way, _picture(view)) for way, view in zip(FACING, place.views, strict=True)],
                "answers": [
                    (when, effects.class_names[given], given == place.key)
                    for when, given in (
                        ("before", answers[before][place.tile_id]),
                        ("after", answers[after][place.tile_id]),
                    )
                ],
            }
            for place in places
        ],
    )


def _answers(results: Path, result: RunResult) -> dict[str, str]:
    """Tile id -> class that was answered."""
    table = predictions.read(results / result.run_id, result)
    assert table.predicted is not None  # the demo has one label a tile
    classes = result.dataset.classes
    return {tile: classes[k] for tile, k in zip(table.ids, table.predicted.tolist(), strict=True)}


def _cell(result: RunResult) -> dict[str, float]:
    """Top-1 and its interval in percent."""
    figure = result.metrics["top1"]
    assert figure.value is not None  # there are tiles
    low, high = figure.ci or (figure.value, figure.value)
    return {"value": 100 * figure.value, "low": 100 * low, "high": 100 * high}


def _signed(found: ResampledDifference, sign: int = 1) -> dict[str, Any]:
    """A difference in points, its ends, and whether it is shown: whether its interval leaves out zero."""
    if found.value is None or found.ci is None:
        return {"text": "\N{EN DASH}", "shown": False}
    figures: list[float] = [found.value, *(found.ci if sign > 0 else reversed(found.ci))]
    value, low, high = (100 * sign * figure + 0.0 for figure in figures)  # no -0.0
    text = f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"
    return {"text": text, "shown": not low <= 0 <= high}


def _effects(one: CueFrame) -> dict[str, Any]:
    return {
        "model": one.model,
        "each": [
            ("ground cues against aerial cues", _signed(one.cue)),
            ("a frame from the ground against one from above", _signed(one.frame)),
            ("interaction: ground cues, in the former more than in the latter", _signed(one.interaction)),
        ],
    }


def _picture(pixels: NDArray[Any]) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "WEBP", quality=QUALITY, method=4)
    return html.picture(file.getvalue())
