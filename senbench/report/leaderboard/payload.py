"""The data of a page as JSON: boards, runs as table rows, and values shared by runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import senbench
from senbench.report.columns import COLUMNS, LINES, TITLES
from senbench.report.leaderboard.entries import Shared, rounded
from senbench.report.leaderboard.resampled import KINDS, cue_and_frame, ranks_drawn_anew, resampled
from senbench.results import published

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.report.leaderboard.entries import LeaderboardEntry, Tables
    from senbench.report.leaderboard.published_beside import Beside
    from senbench.report.leaderboard.tables import Board
    from senbench.schema.factorial import Factorial
    from senbench.schema.single_prompts import SinglePrompts


class BesideResults(NamedTuple):
    """Files next to the results that concern several of them."""

    factorials: Sequence[Factorial]
    """Comparisons with resampled prompts."""
    singles: Sequence[SinglePrompts]
    """Images that single prompts classify correctly."""


def payload(
    entries: Sequence[LeaderboardEntry],
    boards: Sequence[Board],
    beside: Sequence[Beside],
    kept: BesideResults,
    tables: Tables,
) -> dict[str, Any]:
    """Return everything that a page shows; the same runs give the same payload.

    Runs are arrays in the order of `columns`. A figure is [value, low, high, index of the interval's label,
    access level if it has its own], in 0..1 with five decimals; a bin [n, confidence, accuracy]; a label [support,
    average precision, low, high]; a group [name, n, labels, prevalence, *figure].
    """
    place = {e.result.run_id: k for k, e in enumerate(entries)}
    columns = list(entries[0].row)
    shown = [
        {
            **_board(board, place),
            "resampled": _resampled(board, place, kept.factorials, tables),
            "singles": _singles(board, place, kept.singles, tables),
        }
        for board in boards
    ]
    return {
        "senbench": senbench.__version__,
        "titles": TITLES,
        "lines": LINES,
        "beside": {task: [[title.replace("\n", " "), name] for title, name in c] for task, c in COLUMNS.items()},
        **tables.values(),
        "columns": columns,
        "runs": [[e.row[name] for name in columns] for e in entries],
        "boards": shown,
        "published": _published(beside, place),
    }


def _published(beside: Sequence[Beside], place: dict[str, int]) -> dict[str, Any]:
    """Return rows of indices into `texts` for the columns of the file, then the measured figure and the reasons."""
    texts = Shared()
    rows = [
        [
            *(texts.place(b.row[c]) for c in published.COLUMNS),
            b.model,
            b.entry and place[b.entry.result.run_id],
            b.metric,
            rounded(b.difference),
            list(b.unlike),
            b.own_activation,
        ]
        for b in beside
    ]
    return {
        "columns": [*published.COLUMNS, "id", "run", "figure", "difference", "unlike", "own_activation"],
        "stated": len(published.COLUMNS),
        "texts": texts.values,
        "rows": rows,
    }


def _singles(
    board: Board, place: dict[str, int], singles: Sequence[SinglePrompts], tables: Tables
) -> list[dict[str, Any]]:
    """Rows are [run, images that each prompt alone gets right, the same with TransCLIP, the run's with TransCLIP].

    They are those of the runs that stand on the board.
    """
    own = {e.result.run_id for e in board.entries}
    table = []
    for one in singles:
        rows = [
            [place[name], list(counts), list(one.together.get(name, ())), one.averaged_together.get(name)]
            for name, counts in one.right.items()
            if name in own
        ]
        if rows and one.index_hash == board.first.result.dataset.index_hash:
            table.append({"n": one.n, "prompts": [tables.words.place(text) for text in one.prompts], "rows": rows})
    return table


def _board(board: Board, place: dict[str, int]) -> dict[str, Any]:
    """Return a board as JSON.

    Rows are [run, section, best rank, worst rank, number of ranked runs, reason if unranked, best run of the model,
    number of the model's runs, 1 if the run takes part in no comparison].
    """
    first = board.first.result
    rows = []
    for e in board.entries:
        name = e.result.run_id
        rank = board.ranks.get(name)
        best = board.best_of.get(name)
        why = board.unranked.get(name)
        if rank is None and why is None:
            why = "not the declared prompts" if board.declared else "the protocol declares no prompts"
        ranks = (rank.best, rank.worst, rank.of) if rank else (None, None, None)
        rows.append(
            [
                place[name],
                e.status,
                *ranks,
                why,
                *((place[best[0]], best[1]) if best else (None, 0)),
                int(e.apart is not None),
            ]
        )
    data = first.dataset
    return {
        "key": board.key,
        "title": data.title,
        "dataset": data.id,
        "split": data.split,
        "task": data.task,
        "n": data.n_evaluated,
        "expected": data.n_expected,
        "protocol": first.protocol,
        "level": first.access_level,
        "headline": first.headline,
        "declared": board.declared,
        "lines": {name: rounded(value) for name, value in first.lines.items()},
        "test": board.test,
        "detectable": {status: rounded(value) for status, value in board.detectable.items()},
        "rows": rows,
        "deltas": [
            [
                place[d.first],
                place[d.second],
                rounded(d.difference),
                rounded(d.half),
                int(d.against_second) + 2 * int(d.against_first),
            ]
            for d in board.deltas
        ],
    }


def _resampled(board: Board, place: dict[str, int], factorials: Sequence[Factorial], tables: Tables) -> dict[str, Any]:
    """Return rows [kind, runs of its terms, difference, low, high, error from prompts, error from images, method].

    Ranks are [run, best, worst, number of ranked runs].
    """
    comparisons, left, clustered = resampled(board, factorials)
    rows = []
    for terms, contrast in comparisons:
        d = contrast.points
        figures = (d.value, *(d.ci or (None, None)), d.error_prompts, d.error_images)
        method = tables.words.place(d.interval)
        rows.append([KINDS.index(contrast.kind), [place[t] for t in terms], *map(rounded, figures), method])
    ranks = [[place[name], r.best, r.worst, r.of] for name, r in ranks_drawn_anew(board, factorials).items()]
    crossed = cue_and_frame(board, factorials)
    return {"rows": rows, "left": left, "clustered": clustered, "ranks": ranks, "crossed": crossed}
