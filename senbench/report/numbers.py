"""How changes are written: shares in percent, differences in points with their sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.schema.result import BlockError, Clustering

NOTHING = "\N{EN DASH}"


def share(value: float | None) -> str:
    """A share in percent, without the sign %."""
    return NOTHING if value is None else f"{100 * value:.2f}"


def points(value: float | None) -> str:
    """A difference in percentage points, with its sign."""
    return NOTHING if value is None or value != value else f"{100 * value:+.2f}"


def interval(ci: tuple[float, float] | None) -> str:
    """Both ends in points."""
    return NOTHING if ci is None else f"[{points(ci[0])}, {points(ci[1])}]"


def probability(p: float | None) -> str:
    """A p-value."""
    return NOTHING if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def equivalence(p: float, margin: float) -> str:
    """What two one-sided tests say of a difference, in words: no difference found is not yet no difference."""
    within = f"within ±{100 * margin:g} point{'s' * (margin != 0.01)}"
    return f"equivalent {within}" if p < 0.05 else f"not shown to be equivalent {within}: p {probability(p)}"


def by_block_size(sizes: Sequence[BlockError]) -> str:
    """The standard errors by size of the clusters in words; empty where there is one size."""
    known = [one.error for one in sizes if one.error is not None]
    if not known:
        return ""
    told = [
        f"{one.size} {'none' if one.error is None else f'{100 * one.error:.2f}'} ({one.clusters:,})" for one in sizes
    ]
    return f"Standard error in points by size of the clusters (their number): {', '.join(told)}; the largest is taken."


def basis(clusters: Clustering | None) -> str:
    """`by_block_size` of a result, and whether neighbouring blocks err alike."""
    told = "" if clusters is None else by_block_size(clusters.by_size)
    if not told or clusters is None or clusters.morans_i is None:
        return told
    alike = f"Moran's I of the errors of touching blocks of 5 km: {clusters.morans_i:.2f}, near 0 if unrelated."
    return f"{told} {alike}"
