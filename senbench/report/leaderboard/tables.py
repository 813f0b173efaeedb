"""The tables of the leaderboard (boards): groups of comparable runs, their ranks, and tests of the order."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.protocols import PROTOCOLS
from senbench.results.paired_inputs import all_pairs
from senbench.scoring.comparison.holm import holm, holm_pairs
from senbench.scoring.comparison.paired import minimum_detectable
from senbench.scoring.comparison.rank_intervals import ALPHA, rank_intervals
from senbench.scoring.intervals.proportion import NORMAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from senbench.report.leaderboard.entries import LeaderboardEntry

STATUSES = ("as declared", "changed", "not zero-shot", "synthetic", "unknown origin", "incomplete")
"""Sections of a board, from top to bottom. Runs are ranked within a section; `changed`, `unknown origin` and
`incomplete` have no ranks."""


@dataclass(frozen=True)
class Rank:
    """Rank interval of one run among the declared runs of its section."""

    best: int
    worst: int
    of: int


@dataclass(frozen=True)
class StyleDifference:
    """Paired difference of two prompt styles of one model, first minus second.

    Attributes:
        first: Run id.
        second: Run id.
        difference: In 0..1.
        half: Half width of its 95 % interval, or None.
        p: Two-sided p-value, or None.
        against_second: True if significant after Holm over all differences to the second's style on this board.
        against_first: The same with the first's style as reference.
    """

    first: str
    second: str
    difference: float
    half: float | None
    p: float | None
    against_second: bool
    against_first: bool


@dataclass(frozen=True)
class Board:
    """Runs on the same images with the same protocol and access level.

    Attributes:
        key: Stable name, used in links.
        entries: Runs, by section, then by headline.
        declared: Prompt style that the protocol declares for ranking; None for an unknown protocol.
        ranks: Run id -> rank interval.
        unranked: Run id -> why the run has no rank, for runs of the declared style.
        test: Section -> name of the paired test.
        detectable: Section -> minimum detectable difference at the median error of its pairs, at Holm's first step.
        best_of: Run id -> best run of the same model, and the number of runs to choose from.
        deltas: Paired differences between styles.
    """

    key: str
    entries: tuple[LeaderboardEntry, ...]
    declared: str | None
    ranks: dict[str, Rank]
    unranked: dict[str, str]
    test: dict[str, str]
    detectable: dict[str, float]
    best_of: dict[str, tuple[str, int]]
    deltas: tuple[StyleDifference, ...]

    @property
    def first(self) -> LeaderboardEntry:
        """Return the run that describes the images: a complete one if there is one."""
        return max(self.entries, key=lambda e: (e.result.complete, e.result.dataset.n_evaluated))


def build(entries: Iterable[LeaderboardEntry]) -> list[Board]:
    """Build all boards of the runs, sorted by dataset, protocol and level.

    A complete run is on the board of its images. An incomplete one is in a separate section of the largest board with
    its dataset, split, protocol, headline and level.
    """
    groups: dict[tuple[Any, ...], dict[str, list[LeaderboardEntry]]] = defaultdict(lambda: defaultdict(list))
    for e in entries:
        r = e.result
        where = r.dataset.title, r.dataset.id, r.dataset.split, r.protocol, r.access_level, r.headline
        groups[where][str(r.dataset.index_hash) if r.complete else ""].append(e)
    boards = []
    for where, by_images in sorted(groups.items()):
        incomplete = by_images.pop("", [])
        largest = max(by_images, key=lambda h: (len(by_images[h]), h), default="")
        for images in sorted(by_images, key=lambda h: (h != largest, h)) or [""]:
            rows = [*by_images.get(images, []), *(incomplete if images == largest else [])]
            key = "/".join(map(str, where[1:])) + (f"/{images[:8]}" if images else "/incomplete")
            boards.append(_board(key, rows))
    return boards


def _board(key: str, rows: Sequence[LeaderboardEntry]) -> Board:
    ordered = sorted(rows, key=lambda e: (STATUSES.index(e.status), -(e.value or 0), e.result.run_id))
    declared = _declared(rows)
    ranks: dict[str, Rank] = {}
    unranked: dict[str, str] = {}
    test: dict[str, str] = {}
    detectable: dict[str, float] = {}
    for status in STATUSES:
        candidates = [e for e in ordered if e.status == status and e.declared(declared)]
        family = _rankable(candidates, unranked)
        pairs = all_pairs([e.paired for e in family])
        if pairs is not None:
            test[status] = pairs.label
        if pairs is None or pairs.label.startswith("none"):
            why = "nothing to compare it with" if pairs is None else pairs.label.removeprefix("none: ")
            unranked.update({e.result.run_id: why for e in family})
            continue
        intervals = rank_intervals(pairs.difference, holm_pairs(pairs.p))
        for e, (best, worst) in zip(family, intervals, strict=True):
            ranks[e.result.run_id] = Rank(int(best), int(worst), len(family))
        above = np.triu_indices(len(family), 1)
        errors = pairs.error[above]
        if np.isfinite(errors).any():
            least = np.nanmin(pairs.df[above])  # the fewest if pairs use different block sizes
            detectable[status] = minimum_detectable(float(np.nanmedian(errors)), float(least), len(errors))
    return Board(
        key=key,
        entries=tuple(ordered),
        declared=declared,
        ranks=ranks,
        unranked=unranked,
        test=test,
        detectable=detectable,
        best_of=_best_of(ordered),
        deltas=_deltas(ordered),
    )


def _declared(rows: Sequence[LeaderboardEntry]) -> str | None:
    """Return the prompts for ranking: the protocol's, or for recorded outputs those that most models declare."""
    if (protocol := PROTOCOLS.get(rows[0].result.protocol)) is not None:
        return protocol.ranked_prompts
    styles = Counter(e.style for e in rows if e.result.recorded is not None and e.result.recorded.declared)
    return max(styles, key=lambda style: (styles[style], style), default=None)


def _rankable(candidates: Sequence[LeaderboardEntry], unranked: dict[str, str]) -> list[LeaderboardEntry]:
    """Return the runs that can be ranked against each other; record for the others why not."""
    packs = Counter(e.result.prompts.hash for e in candidates)
    common = max(packs, key=lambda h: (packs[h], h), default="")
    images = Counter(e.paired.images for e in candidates if not e.paired.why)
    most = max(images, key=lambda h: (images[h], h), default="")
    family = []
    for e in candidates:
        why = e.apart or e.paired.why
        if e.apart:
            pass
        elif e.result.prompts.hash != common:
            why = "another version of the declared prompts"
        elif not why and e.paired.images != most:
            why = "its predictions are of other images or clusters"
        if why:
            unranked[e.result.run_id] = why
        else:
            family.append(e)
    return family


def _best_of(entries: Sequence[LeaderboardEntry]) -> dict[str, tuple[str, int]]:
    by_model: dict[tuple[str, str], list[LeaderboardEntry]] = defaultdict(list)
    for e in entries:
        if e.result.complete and e.value is not None:
            by_model[e.model, str(e.result.contamination)].append(e)
    best_runs = {}
    for several in by_model.values():
        if len(several) > 1:
            best = max(several, key=lambda e: (e.value or 0, e.result.run_id))
            best_runs.update({e.result.run_id: (best.result.run_id, len(several)) for e in several})
    return best_runs


def _deltas(entries: Sequence[LeaderboardEntry]) -> tuple[StyleDifference, ...]:
    """Return the differences of all pairs of styles of each model, between rankable runs on the same images."""
    models: dict[tuple[Any, ...], list[LeaderboardEntry]] = defaultdict(list)
    for e in entries:
        if not e.paired.why and e.apart is None:
            models[e.model, e.status, e.paired.images].append(e)
    rows: list[tuple[LeaderboardEntry, LeaderboardEntry, float, float, float]] = []
    for key in sorted(models, key=str):
        family = sorted(models[key], key=lambda e: (e.style, e.result.run_id))
        pairs = all_pairs([e.paired for e in family])
        if pairs is None:
            continue
        half = pairs.error * _quantiles(pairs.df)
        for i, a in enumerate(family):
            for j in range(i):
                b = family[j]
                rows.append((a, b, pairs.difference[i, j], half[i, j], pairs.p[i, j]))
    return _significant(rows)


def _quantiles(df: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 97.5 % quantiles of t; those of the normal distribution if degrees of freedom are infinite."""
    if np.isinf(df).all():
        return np.full(df.shape, NORMAL)
    from scipy.special import stdtrit

    return np.asarray(stdtrit(df, 0.975))


def _significant(
    rows: Sequence[tuple[LeaderboardEntry, LeaderboardEntry, float, float, float]],
) -> tuple[StyleDifference, ...]:
    """Apply Holm's correction over all differences of a board to one reference style, which a reader sees together."""
    families: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for k, row in enumerate(rows):
        families[row[1].style].append((k, 0))
        families[row[0].style].append((k, 1))
    marks = np.zeros((len(rows), 2), bool)
    for members in families.values():
        adjusted = holm(np.array([rows[k][4] for k, _ in members]))
        for (k, side), p in zip(members, adjusted, strict=True):
            marks[k, side] = bool(p < ALPHA)
    return tuple(
        StyleDifference(
            first=a.result.run_id,
            second=b.result.run_id,
            difference=float(difference),
            half=_number(half),
            p=_number(p),
            against_second=bool(marks[k, 0]),
            against_first=bool(marks[k, 1]),
        )
        for k, (a, b, difference, half, p) in enumerate(rows)
    )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
