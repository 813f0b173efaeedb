"""Tiles that no run of a set classifies correctly, whose labels a person may want to check."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.errors import UsageError
from senbench.report import html
from senbench.report.comparison.two_results import images_named, in_order
from senbench.results import predictions, store
from senbench.results.qualifications import model_name, qualifications

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.results.predictions import Predictions
    from senbench.schema.result import RunResult

PICTURED = 2000
"""Number of tiles shown with a picture, about 2 kB each; those on which the runs agree most come first."""
QUESTION = (
    "No run of the set answers with the label of these tiles. Either the label is wrong, or the tile shows several "
    "classes, or it is hard for all of these runs alike: a person has to look. Nothing is corrected, no figure changes."
)


class NeverRight(NamedTuple):
    """A tile that no run classifies correctly."""

    id: str
    """Tile id."""
    label: str
    """Class key of its label in the dataset."""
    answers: tuple[tuple[str, int], ...]
    """Class key and number of runs that answer with it, the most frequent first, then by class order."""


@dataclass(frozen=True)
class Unanimous:
    """Tiles that no run of a set classifies correctly.

    Attributes:
        runs: The results, in the order passed.
        n: Number of tiles that every run evaluated; only these are compared.
        left_out: Number of tiles that some but not all of the runs evaluated.
        supports: Class key -> number of the `n` tiles with this label.
        tiles: The tiles that no run classifies correctly, by agreement on one answer, then by id.
    """

    runs: tuple[RunResult, ...]
    n: int
    left_out: int
    supports: Mapping[str, int]
    tiles: tuple[NeverRight, ...]

    def by_class(self) -> list[tuple[str, int, int, str]]:
        """Return class key, tiles never right, all tiles, and the most frequent answer; most tiles first."""
        tiles_of: dict[str, list[NeverRight]] = {}
        for tile in self.tiles:
            tiles_of.setdefault(tile.label, []).append(tile)
        rows = []
        for key, tiles in tiles_of.items():
            taken = Counter({answer: 0 for tile in tiles for answer, _ in tile.answers})
            taken.update(tile.answers[0][0] for tile in tiles)
            rows.append((key, len(tiles), self.supports[key], taken.most_common(1)[0][0]))
        return sorted(rows, key=lambda row: (-row[1], row[0]))

    def as_json(self) -> dict[str, Any]:
        """Everything, JSON-ready."""
        return {
            "question": QUESTION,
            "runs": [run.run_id for run in self.runs],
            "qualifications": {run.run_id: [one._asdict() for one in qualifications(run)] for run in self.runs},
            "n": self.n,
            "left_out": self.left_out,
            "tiles": [{"id": t.id, "label": t.label, "answers": dict(t.answers)} for t in self.tiles],
        }


def never_right(labels: NDArray[np.integer[Any]], answers: NDArray[np.integer[Any]]) -> NDArray[np.int64]:
    """Return the rows that no run classifies correctly.

    Args:
        labels: Class index per image, (N,).
        answers: Class index per run and image, (R, N).

    Returns:
        Row indices, ascending.
    """
    return np.flatnonzero((answers != labels).all(axis=0))


def collect(folders: Sequence[Path]) -> Unanimous:
    """Collect the tiles that no run of a set classifies correctly.

    Args:
        folders: Result folders of single-label runs on one dataset, at least two; each counts once.

    Raises:
        UsageError: There are fewer than two, a result is malformed, classes or labels differ, or no tile was evaluated
            by all runs.
    """
    folders = list(dict.fromkeys(folders))
    if len(folders) < 2:
        raise UsageError(
            f"{len(folders)} run is not enough: name at least two, for one run these are just its mistakes"
        )
    runs = tuple(store.load(folder) for folder in folders)
    first = runs[0]
    for run in runs:
        images_named(run)
        if run.dataset.task != "single-label":
            raise UsageError(f"{run.run_id} is {run.dataset.task}: only an answer of one class is right or wrong")
        if run.dataset.classes != first.dataset.classes:
            raise UsageError(f"{run.run_id} has other classes than {first.run_id}: they cannot be compared")
    tables = [in_order(predictions.read(folder, run)) for folder, run in zip(folders, runs, strict=True)]
    every = [set(table.ids) for table in tables]
    shared = reduce(set.intersection, every)
    if not shared:
        raise UsageError(f"no tile was evaluated by all {len(runs)} runs: they saw other splits or datasets")
    kept = [np.array([name in shared for name in table.ids]) for table in tables]
    labels = tables[0].labels[kept[0]]
    ids = [name for name in tables[0].ids if name in shared]
    for run, table, rows in zip(runs, tables, kept, strict=True):
        if len(odd := np.flatnonzero(table.labels[rows] != labels)):
            raise UsageError(
                f"{len(odd):,} tiles have other labels in {run.run_id} than in {first.run_id}, {ids[odd[0]]} the first"
            )
    answers = np.stack([_answers(table)[rows] for table, rows in zip(tables, kept, strict=True)])
    keys = first.dataset.classes
    tiles = [
        NeverRight(ids[i], keys[labels[i]], _counted(answers[:, i], keys))
        for i in never_right(labels, answers).tolist()
    ]
    return Unanimous(
        runs=runs,
        n=len(ids),
        left_out=len(set.union(*every)) - len(ids),
        supports={key: int(count) for key, count in zip(keys, np.bincount(labels, minlength=len(keys)), strict=True)},
        tiles=tuple(sorted(tiles, key=lambda tile: (-tile.answers[0][1], tile.id))),
    )


def _answers(table: Predictions) -> NDArray[np.int64]:
    assert table.predicted is not None  # single-label
    return table.predicted


def _counted(answers: NDArray[np.int64], keys: Sequence[str]) -> tuple[tuple[str, int], ...]:
    counts = np.bincount(answers, minlength=len(keys))
    order = np.argsort(-counts, kind="stable")
    return tuple((keys[c], int(counts[c])) for c in order if counts[c])


def wanted(tiles: Sequence[NeverRight], pictures: Mapping[str, bytes]) -> list[str]:
    """Return the ids of the tiles of which a picture is missing.

    Args:
        tiles: The tiles, in the order in which they are shown.
        pictures: Tile id -> picture, for the existing pictures.
    """
    return [tile.id for tile in tiles[:PICTURED] if tile.id not in pictures]


def render(unanimous: Unanimous, pictures: Mapping[str, bytes]) -> str:
    """Render one HTML document without scripts or external requests; the same runs give the same bytes.

    Args:
        unanimous: The tiles.
        pictures: Tile id -> WebP bytes.
    """
    groups = []
    for key, n, support, taken in unanimous.by_class():
        tiles = [tile for tile in unanimous.tiles if tile.label == key]
        shown = [(tile, html.picture(pictures[tile.id])) for tile in tiles if tile.id in pictures]
        hidden = [tile for tile in tiles if tile.id not in pictures]
        groups.append({"key": key, "n": n, "support": support, "taken": taken, "shown": shown, "hidden": hidden})
    return html.render(
        "unanimous.html.j2",
        style="compare.css",
        found=unanimous,
        question=QUESTION,
        model_name=model_name,
        qualifications=qualifications,
        groups=groups,
    )
