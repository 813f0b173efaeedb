"""Tiles that no run of a set gets right: a question about their labels, never a correction."""

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
"""Tiles that get a picture, about 2 kB each; those on which the runs agree most come first."""
QUESTION = (
    "No run of the set answers with the label of these tiles. Either the label is wrong, or the tile shows several "
    "classes, or it is hard for all of these runs alike: a person has to look. Nothing is corrected, no figure changes."
)


class NeverRight(NamedTuple):
    """A tile that no run gets right."""

    id: str
    """Tile id."""
    label: str
    """Class key that the dataset gives it."""
    answers: tuple[tuple[str, int], ...]
    """Class key and how many runs answer with it, the most frequent first, then by class order."""


@dataclass(frozen=True)
class Unanimous:
    """Tiles that no run of a set gets right.

    Attributes:
        runs: The results, in the order given.
        n: Tiles that every run evaluated; only these are looked at.
        left_out: Tiles that some of the runs evaluated, and not all.
        supports: Class key -> how many of the `n` tiles have it as their label.
        tiles: Those that no run gets right: by agreement on one answer, then by id.
    """

    runs: tuple[RunResult, ...]
    n: int
    left_out: int
    supports: Mapping[str, int]
    tiles: tuple[NeverRight, ...]

    def by_class(self) -> list[tuple[str, int, int, str]]:
        """Class key, tiles never right, tiles in all, and what they are most often taken for; most tiles first."""
        found: dict[str, list[NeverRight]] = {}
        for tile in self.tiles:
            found.setdefault(tile.label, []).append(tile)
        rows = []
        for key, tiles in found.items():
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
    """Rows that no run gets right.

    Args:
        labels: Class index per image, (N,).
        answers: Class index per run and image, (R, N).

    Returns:
        Their places, ascending.
    """
    return np.flatnonzero((answers != labels).all(axis=0))


def collect(folders: Sequence[Path]) -> Unanimous:
    """The tiles that no run of a set gets right.

    Args:
        folders: Result folders of single-label runs on one dataset, at least two; each counts once.

    Raises:
        UsageError: Fewer than two, a malformed result, other classes or labels, or no tile that all runs evaluated.
    """
    folders = list(dict.fromkeys(folders))
    if len(folders) < 2:
        raise UsageError(f"{len(folders)} run is no set: name at least two, for one run these are just its mistakes")
    runs = tuple(store.load(folder) for folder in folders)
    first = runs[0]
    for run in runs:
        images_named(run)
        if run.dataset.task != "single-label":
            raise UsageError(f"{run.run_id} is {run.dataset.task}: only an answer of one class is right or wrong")
        if run.dataset.classes != first.dataset.classes:
            raise UsageError(f"{run.run_id} has other classes than {first.run_id}: no set")
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
    """Ids of the tiles that a picture should be made of.

    Args:
        tiles: The tiles, those that come first are pictured first.
        pictures: Tile id -> picture, those that are there.
    """
    return [tile.id for tile in tiles[:PICTURED] if tile.id not in pictures]


def render(found: Unanimous, pictures: Mapping[str, bytes]) -> str:
    """One HTML document: no script, no external request; the same runs give the same bytes.

    Args:
        found: The tiles.
        pictures: Tile id -> WebP bytes.
    """
    groups = []
    for key, n, support, taken in found.by_class():
        tiles = [tile for tile in found.tiles if tile.label == key]
        shown = [(tile, html.picture(pictures[tile.id])) for tile in tiles if tile.id in pictures]
        hidden = [tile for tile in tiles if tile.id not in pictures]
        groups.append({"key": key, "n": n, "support": support, "taken": taken, "shown": shown, "hidden": hidden})
    return html.render(
        "unanimous.html.j2",
        style="compare.css",
        found=found,
        question=QUESTION,
        model_name=model_name,
        qualifications=qualifications,
        groups=groups,
    )
