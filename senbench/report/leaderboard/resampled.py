"""Comparisons with resampled prompts (`factorial-<hash>.json`), as rows of a board."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError
from senbench.report.crossed_effects import sentence
from senbench.report.leaderboard.tables import Rank
from senbench.scoring.comparison.holm import holm_pairs
from senbench.scoring.comparison.rank_intervals import rank_intervals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from senbench.report.leaderboard.tables import Board
    from senbench.schema.factorial import Contrast, Factorial

KINDS = ("styles", "models", "interaction")
"""Kinds of comparison, in the order of the page."""
MOST = 300
"""Most comparisons shown per board; a grid of 50 models and 10 styles has 69,000."""


def resampled(
    board: Board, factorials: Sequence[Factorial]
) -> tuple[list[tuple[tuple[str, ...], Contrast]], int, bool]:
    """Return the comparisons whose results are all on a board, with the run ids of their terms.

    The terms are first and second; for an interaction, first and second of the first model, then of the second. If
    there are more than `MOST`, those with the declared style come first.

    Args:
        board: The board.
        factorials: All comparisons of the results folder.

    Returns:
        Comparisons by kind, the number of further ones, and whether clusters rather than images were resampled.

    Raises:
        UsageError: A difference does not match the results' figures, because the results were made again since.
    """
    rows, clustered = _compared(board, factorials)
    ordered = sorted(
        rows.items(), key=lambda item: (board.declared not in item[1].styles, KINDS.index(item[1].kind), item[0])
    )
    kept = sorted(ordered[:MOST], key=lambda item: KINDS.index(item[1].kind))
    return kept, len(ordered) - len(kept), clustered


def ranks_drawn_anew(board: Board, factorials: Sequence[Factorial]) -> dict[str, Rank]:
    """Return the rank intervals of the declared runs when prompts are resampled as well as tiles.

    They are computed as the ranks of the board, but with the p-values of the comparisons of two models with the
    declared prompts in place of those of the paired tests, and Holm's correction over the pairs of a section.

    Args:
        board: The board.
        factorials: All comparisons of the results folder.

    Returns:
        Run id -> rank interval, for the sections in which all pairs of ranked runs were compared; empty otherwise.

    Raises:
        UsageError: As `resampled`.
    """
    section = {e.result.run_id: e.status for e in board.entries}
    rows = _compared(board, factorials)[0]
    ranks: dict[str, Rank] = {}
    for status in dict.fromkeys(section[name] for name in board.ranks):
        family = [name for name in board.ranks if section[name] == status]
        difference, p = np.zeros((len(family), len(family))), np.ones((len(family), len(family)))
        for i, j in combinations(range(len(family)), 2):
            first, second = family[i], family[j]
            sign = 1 if (first, second) in rows else -1
            points = next((rows[pair].points for pair in ((first, second), (second, first)) if pair in rows), None)
            if points is None or points.value is None or points.p is None:
                break
            difference[i, j], difference[j, i] = sign * points.value, -sign * points.value
            p[i, j] = p[j, i] = points.p
        else:
            for name, (best, worst) in zip(family, rank_intervals(difference, holm_pairs(p)), strict=True):
                ranks[name] = Rank(int(best), int(worst), len(family))
    return ranks


def cue_and_frame(board: Board, factorials: Sequence[Factorial]) -> list[str]:
    """Return one sentence per model of a board on the effects of cues and frames, if the four styles were run."""
    runs = {e.result.run_id for e in board.entries}
    return [sentence(one) for f in factorials if set(f.run_ids) <= runs for one in f.cue_frame]


def _compared(board: Board, factorials: Sequence[Factorial]) -> tuple[dict[tuple[str, ...], Contrast], bool]:
    """Return a board's comparisons by the run ids of their terms, and whether all are clustered."""
    value = {e.result.run_id: e.value for e in board.entries}
    cells = {e.result.run_id: (e.result.model.id, e.style) for e in board.entries}
    rows: dict[tuple[str, ...], Contrast] = {}
    clustered = True
    for one in factorials:
        if not set(one.run_ids) <= set(value):
            continue
        clustered = clustered and one.clustered
        run_of = {cells[name]: name for name in one.run_ids}
        for contrast in one.contrasts:
            terms = tuple(run_of.get((m, s), "") for m in contrast.models for s in contrast.styles)
            if "" in terms:  # named as passed, because ids do not distinguish them
                continue
            _same(terms, contrast, value)
            rows[terms] = contrast
    return rows, clustered


def _same(terms: tuple[str, ...], contrast: Contrast, value: Mapping[str, float | None]) -> None:
    figures: list[Any] = [value[name] for name in terms]
    if contrast.points.value is None or None in figures:
        return
    measured = sum(sign * figure for sign, figure in zip((1, -1, -1, 1), figures, strict=False))
    if abs(measured - contrast.points.value) > 1e-6:
        raise UsageError(
            f"the comparison of {terms[0]} and {terms[1]} ({contrast.points.value:+.5f}) is not the difference of the "
            f"results ({measured:+.5f}): they were made anew since; remove the factorial-*.json, or run the grid again"
        )
