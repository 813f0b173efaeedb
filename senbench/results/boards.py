"""Results that may stand in one table, the best of them, and which others the tests cannot tell from it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.contamination import NOT_ZERO_SHOT
from senbench.errors import UsageError
from senbench.results import predictions
from senbench.results.frame import is_synthetic
from senbench.scoring import pairwise
from senbench.scoring.multiple import holm_pairs
from senbench.scoring.ranks import ALPHA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from senbench.scoring.pairwise import Pairwise
    from senbench.spec import RunResult


@dataclass(frozen=True)
class Board:
    """Results on the same images, by the same protocol, of one access level and one headline.

    Attributes:
        results: Those that are ranked first, then by headline.
        best: Run id of the best ranked result; None where nothing is ranked.
        tied: Run ids of the ranked results that paired tests do not tell from the best.
        tests: How that was tested, or `none: <reason>`.
    """

    results: tuple[RunResult, ...]
    best: str | None
    tied: frozenset[str]
    tests: str

    @property
    def first(self) -> RunResult:
        """Any of them: what tells the board from others is the same in all."""
        return self.results[0]


def ranked(result: RunResult) -> bool:
    """Whether a result may be best: complete, zero-shot, and by the protocol as defined."""
    figure = result.metrics[result.headline].value
    clean = result.contamination != NOT_ZERO_SHOT and not result.resolved["overrides"]
    return result.complete and clean and figure is not None


def boards(results: Sequence[RunResult], folders: Mapping[str, Path]) -> list[Board]:
    """Group results into boards, in a fixed order. Access levels, and synthetic and real, never meet on one.

    Args:
        results: Results, in any order.
        folders: Run id -> its folder, for the predictions of paired tests.
    """
    groups: dict[tuple[Any, ...], list[RunResult]] = defaultdict(list)
    for r in results:
        d = r.dataset
        groups[d["id"], d["split"], r.protocol, r.headline, r.access_level, d["index_hash"], is_synthetic(r)].append(r)
    return [_board(rows, folders) for _, rows in sorted(groups.items(), key=lambda item: item[0])]


def _board(rows: list[RunResult], folders: Mapping[str, Path]) -> Board:
    rows = sorted(rows, key=lambda r: (not ranked(r), -(r.metrics[r.headline].value or 0), r.run_id))
    able = [r for r in rows if ranked(r)]
    if not able:
        return Board(tuple(rows), None, frozenset(), "none: nothing is ranked")
    if len(able) == 1:
        return Board(tuple(rows), able[0].run_id, frozenset(), "none: one entry")
    try:
        pairs = paired(able, folders)
    except UsageError as error:
        return Board(tuple(rows), able[0].run_id, frozenset(), f"none: {error}")
    p = holm_pairs(pairs.p)[0]
    tied = frozenset(r.run_id for r, own in zip(able[1:], p[1:], strict=True) if own >= ALPHA)
    return Board(tuple(rows), able[0].run_id, tied, pairs.label)


def paired(results: Sequence[RunResult], folders: Mapping[str, Path]) -> Pairwise:
    """Paired tests of the headline between all results on the same images.

    Args:
        results: Results of one board.
        folders: Run id -> its folder.

    Raises:
        UsageError: Predictions are missing or differ in their images, or the headline is not one that is tested.
    """
    name = results[0].headline
    values = np.array([r.metrics[name].value for r in results], np.float64)
    if results[0].dataset["task"] == "multi-label":
        sizes = {} if results[0].clustering is None else results[0].clustering.sizes
        kept = [r.replicates.get(name, {}) for r in results]
        if not sizes or any(own.keys() != sizes.keys() for own in kept):
            raise UsageError(f"no replicates of {name} by cluster were kept")
        left_out = np.array([[own[cluster] for cluster in sizes] for own in kept])
        return pairwise.clustered(values, left_out, np.array(list(sizes.values())))
    if name != "top1":
        raise UsageError(f"{name} is not tested in pairs")
    correct, clusters = [], None
    for r in results:
        table = predictions.read(folders[r.run_id], r)
        order = np.argsort(np.array(table.ids), kind="stable")
        if len(table.ids) != r.dataset["n_evaluated"]:
            raise UsageError(f"{r.run_id}: {len(table.ids):,} rows for {r.dataset['n_evaluated']:,} images")
        correct.append((table.scores.argmax(axis=1) == table.labels)[order])
        clusters = table.clusters[order] if table.clusters is not None else None
    right = np.stack(correct)
    if clusters is None:
        return pairwise.unclustered(right)
    _, codes, sizes_of = np.unique(clusters, return_inverse=True, return_counts=True)
    sums = np.stack([np.bincount(codes, row, minlength=len(sizes_of)) for row in right])
    return pairwise.clustered(right.mean(axis=1), pairwise.mean_replicates(sums, sizes_of), sizes_of)
