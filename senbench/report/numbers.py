"""How changes are written: shares in percent, differences in points with their sign."""

from __future__ import annotations

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
