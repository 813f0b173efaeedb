"""Results that may stand in one table, the best of them, and which others the tests cannot tell from it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from senbench.results import paired_inputs
from senbench.results.qualifications import ranked
from senbench.scoring.comparison.holm import holm_pairs
from senbench.scoring.comparison.rank_intervals import ALPHA

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from senbench.schema.result import Anchors, RunResult


@dataclass(frozen=True)
class Standing:
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
        """Any of them: what tells them from others is the same in all."""
        return self.results[0]

    @property
    def anchored(self) -> list[tuple[RunResult, Anchors]]:
        """One result of each model that has supervised anchors, and these: they do not depend on the prompts."""
        return list({r.model.id: (r, r.anchors) for r in self.results if r.anchors is not None}.values())


def standings(results: Sequence[RunResult], folders: Mapping[str, Path]) -> list[Standing]:
    """Group results, in a fixed order. Access levels, and synthetic and real, never meet.

    Args:
        results: Results, in any order.
        folders: Run id -> its folder, for the predictions of paired tests.

    Raises:
        UsageError: Predictions are not those of their result.
        UnavailableError: Predictions are damaged.
    """
    groups: dict[tuple[Any, ...], list[RunResult]] = defaultdict(list)
    for r in results:
        d = r.dataset
        groups[d.id, d.split, r.protocol, r.headline, r.access_level, d.index_hash, r.synthetic].append(r)
    return [_standing(rows, folders) for _, rows in sorted(groups.items(), key=lambda item: item[0])]


def _standing(rows: list[RunResult], folders: Mapping[str, Path]) -> Standing:
    rows = sorted(rows, key=lambda r: (not ranked(r), -(r.metrics[r.headline].value or 0), r.run_id))
    able = [r for r in rows if ranked(r)]
    best = able[0].run_id if able else None
    if len(able) < 2:
        return Standing(tuple(rows), best, frozenset(), f"none: {'one entry' if able else 'nothing is ranked'}")
    parts = [paired_inputs.read(r, folders.get(r.run_id)) for r in able]
    why = next((part.why for part in parts if part.why), "")
    if not why and len({part.images for part in parts}) > 1:
        why = "predictions of other images or clusters"
    found = None if why else paired_inputs.all_pairs(parts)
    if found is None or found.label.startswith("none"):
        return Standing(tuple(rows), best, frozenset(), found.label if found else f"none: {why}")
    p = holm_pairs(found.p)[0]
    tied = frozenset(r.run_id for r, own in zip(able[1:], p[1:], strict=True) if own >= ALPHA)
    return Standing(tuple(rows), best, tied, found.label)
