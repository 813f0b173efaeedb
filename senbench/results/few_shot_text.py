"""What few labels reach against a zero-shot figure, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from senbench.schema.result import FewShot, ShotFigure

TITLES: Mapping[str, str] = {
    "class-means": "class means",
    "tip-adapter": "Tip-Adapter",
    "linear-probe": "linear probe",
    "logistic-regression": "logistic regression",
}
"""Names of the methods for people."""


class Reached(NamedTuple):
    """Labels per class with which a method reaches the zero-shot figure."""

    method: str
    """The method."""
    no_longer_below: int | None
    """Fewest with which it is not clearly worse; None: with none that was tried."""
    above: int | None
    """Fewest with which it is clearly better; None likewise."""


def reached(found: FewShot) -> tuple[Reached, ...]:
    """Labels per class that each method needs, by the paired intervals of its gains."""
    by_method: dict[str, list[ShotFigure]] = {}
    for one in sorted(found.figures, key=lambda figure: figure.shots):
        by_method.setdefault(one.method, []).append(one)
    return tuple(
        Reached(
            method,
            next((one.shots for one in figures if one.gain_ci[1] >= 0), None),
            next((one.shots for one in figures if one.gain_ci[0] > 0), None),
        )
        for method, figures in by_method.items()
    )


def sentence(found: FewShot) -> str:
    """What a reader wants to know of it, in one sentence."""
    tried = {one.shots for one in found.figures}
    parts: dict[str, list[str]] = {}
    for one in reached(found):
        if one.no_longer_below is None:
            said = f"more than {max(tried)}"
        elif one.above is None:
            said = f"{one.no_longer_below} or more"
        elif one.above == min(tried):
            said = f"at most {one.above}"
        elif one.no_longer_below == one.above:
            said = str(one.above)
        else:
            said = f"{one.no_longer_below} to {one.above}"
        parts.setdefault(said, []).append(TITLES[one.method])
    return "labels per class that reach this zero-shot figure: " + "; ".join(
        f"{said} ({', '.join(methods)})" for said, methods in parts.items()
    )


def sentences(split: str, found: FewShot) -> tuple[str, str]:
    """How many labels reach the zero-shot figure, and where they come from.

    Args:
        split: Name of the split they are drawn from.
        found: The figures.
    """
    draws = len(found.figures[0].draws)
    where = f"{draws} draws from {found.n_pool:,} tiles of {split}"
    if found.separation == "random":
        where += ", at random: positions are unknown, so that drawn and evaluated tiles may be neighbours"
    elif found.left_out:
        where += f" without {found.left_out:,} in places of evaluated tiles"
    else:
        where += ", none in a place of evaluated tiles"
    return sentence(found), f"{where}; settings fixed beforehand; intervals over draws and tiles"
