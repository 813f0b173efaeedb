"""Comparisons under prompts drawn anew (`factorial-<hash>.json`), as rows of a board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from senbench.report.leaderboard.tables import Board
    from senbench.schema.factorial import Contrast, Factorial

KINDS = ("styles", "models", "interaction")
"""Kinds of comparison, in the order of the page."""
MOST = 300
"""Comparisons of one board; a grid of 50 models and 10 styles has 69,000."""


def resampled(board: Board, found: Sequence[Factorial]) -> tuple[list[tuple[tuple[str, ...], Contrast]], int, bool]:
    """Comparisons whose results all stand on a board, with the run ids of their terms.

    Terms are first and second; of an interaction first and second of the first model, then of the second. Where there
    are more than `MOST`, those with the declared style come first.

    Args:
        board: The board.
        found: All comparisons of the results folder.

    Returns:
        Comparisons by kind, how many more there are, and whether clusters were resampled rather than images.

    Raises:
        UsageError: A difference is not that of the results' figures: the results were made anew since.
    """
    value = {e.result.run_id: e.value for e in board.entries}
    cells = {e.result.run_id: (e.result.model.id, e.style) for e in board.entries}
    rows: dict[tuple[str, ...], Contrast] = {}
    clustered = True
    for one in found:
        if not set(one.run_ids) <= set(value):
            continue
        clustered = clustered and one.clustered
        run_of = {cells[name]: name for name in one.run_ids}
        for contrast in one.contrasts:
            terms = tuple(run_of.get((m, s), "") for m in contrast.models for s in contrast.styles)
            if "" in terms:  # named as passed, because ids do not tell them apart
                continue
            _same(terms, contrast, value)
            rows[terms] = contrast
    ordered = sorted(
        rows.items(), key=lambda item: (board.declared not in item[1].styles, KINDS.index(item[1].kind), item[0])
    )
    kept = sorted(ordered[:MOST], key=lambda item: KINDS.index(item[1].kind))
    return kept, len(ordered) - len(kept), clustered


def _same(terms: tuple[str, ...], contrast: Contrast, value: Mapping[str, float | None]) -> None:
    figures: list[Any] = [value[name] for name in terms]
    if contrast.points.value is None or None in figures:
        return
    own = sum(sign * figure for sign, figure in zip((1, -1, -1, 1), figures, strict=False))
    if abs(own - contrast.points.value) > 1e-6:
        raise UsageError(
            f"the comparison of {terms[0]} and {terms[1]} ({contrast.points.value:+.5f}) is not the difference of the "
            f"results ({own:+.5f}): they were made anew since; remove the factorial-*.json, or run the grid again"
        )
