"""Formats shares in percent, and differences in percentage points with their sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.schema.result import BlockError, Clustering

NOTHING = "\N{EN DASH}"


def share(value: float | None) -> str:
    """Format a share in percent, without the sign %."""
    return NOTHING if value is None else f"{100 * value:.2f}"


def points(value: float | None) -> str:
    """Format a difference in percentage points, with its sign."""
    return NOTHING if value is None or value != value else f"{100 * value:+.2f}"


def interval(ci: tuple[float, float] | None) -> str:
    """Format both ends of an interval in percentage points."""
    return NOTHING if ci is None else f"[{points(ci[0])}, {points(ci[1])}]"


def probability(p: float | None) -> str:
    """A p-value."""
    return NOTHING if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"


def equivalence(p: float, margin: float) -> str:
    """Return the verdict of an equivalence test, since a difference that is not significant may still exist."""
    within = f"within ±{100 * margin:g} point{'s' * (margin != 0.01)}"
    return f"equivalent {within}" if p < 0.05 else f"not shown to be equivalent {within}: p {probability(p)}"


def by_block_size(sizes: Sequence[BlockError]) -> str:
    """Return a sentence on the standard errors by block size of the clusters; empty if there is one size."""
    known = [one.error for one in sizes if one.error is not None]
    if not known:
        return ""
    errors = [
        f"{one.size} {'none' if one.error is None else f'{100 * one.error:.2f}'} ({one.clusters:,})" for one in sizes
    ]
    return (
        f"Standard error in points by size of the clusters (their number): {', '.join(errors)}; the largest is taken."
    )


def basis(clusters: Clustering | None) -> str:
    """Return `by_block_size` of a result, and the spatial autocorrelation of the errors of neighbouring blocks."""
    errors = "" if clusters is None else by_block_size(clusters.by_size)
    if not errors or clusters is None or clusters.morans_i is None:
        return errors
    alike = f"Moran's I of the errors of touching blocks of 5 km: {clusters.morans_i:.2f}, near 0 if unrelated."
    return f"{errors} {alike}"
