"""Groups comparable results into tables, with the best result and those not significantly different from it."""

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
    """Results on the same images, with the same protocol, access level and headline.

    Attributes:
        results: Ranked results first, each part sorted by headline.
        best: Run id of the best ranked result; None if none is ranked.
        tied: Run ids of the ranked results that paired tests do not distinguish from the best.
        tests: Name of the test, or `none: <reason>`.
    """

    results: tuple[RunResult, ...]
    best: str | None
    tied: frozenset[str]
    tests: str

    @property
    def first(self) -> RunResult:
        """Return any of the results; what defines the group is the same in all."""
        return self.results[0]

    @property
    def anchored(self) -> list[tuple[RunResult, Anchors]]:
        """Return the supervised anchors, with one result per model, since they do not depend on the prompts."""
        return list({r.model.id: (r, r.anchors) for r in self.results if r.anchors is not None}.values())


def standings(results: Sequence[RunResult], folders: Mapping[str, Path]) -> list[Standing]:
    """Group results in a fixed order; access levels, and synthetic and real tiles, are never mixed.

    Args:
        results: Results, in any order.
        folders: Run id -> its folder, to read the predictions for paired tests.

    Raises:
        UsageError: Predictions do not belong to their result.
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
    pairs = None if why else paired_inputs.all_pairs(parts)
    if pairs is None or pairs.label.startswith("none"):
        return Standing(tuple(rows), best, frozenset(), pairs.label if pairs else f"none: {why}")
    p = holm_pairs(pairs.p)[0]
    tied = frozenset(r.run_id for r, p_value in zip(able[1:], p[1:], strict=True) if p_value >= ALPHA)
    return Standing(tuple(rows), best, tied, pairs.label)
