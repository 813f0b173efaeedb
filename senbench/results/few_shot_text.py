"""What few labels reach against a zero-shot figure, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from senbench.schema.result import FewShot, RunResult, ShotFigure

TITLES: Mapping[str, str] = {
    "class-means": "class means",
    "tip-adapter": "Tip-Adapter",
    "linear-probe": "linear probe",
    "logistic-regression": "logistic regression",
}
"""Names of the methods for people."""


def curves(found: FewShot) -> dict[str, tuple[ShotFigure, ...]]:
    """Name of each method for people -> its figures by number of labels."""
    return {
        TITLES[method]: tuple(one for one in found.figures if one.method == method)
        for method in dict.fromkeys(one.method for one in found.figures)
    }


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


def numbers(found: FewShot) -> dict[str, str]:
    """Name of each method for people -> labels per class with which it reaches the zero-shot figure, in words."""
    tried = {one.shots for one in found.figures}
    told = {}
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
        told[TITLES[one.method]] = said
    return told


def sentence(found: FewShot) -> str:
    """What a reader wants to know of it, in one sentence."""
    parts: dict[str, list[str]] = {}
    for title, said in numbers(found).items():
        parts.setdefault(said, []).append(title)
    return "labels per class that reach this zero-shot figure: " + "; ".join(
        f"{said} ({', '.join(methods)})" for said, methods in parts.items()
    )


def sentences(result: RunResult) -> tuple[str, ...]:
    """How many labels reach the zero-shot figure of a result, and where they come from; empty: not asked for."""
    found = result.labels_saved
    if found is None:
        return ()
    draws = len(found.figures[0].draws)
    where = f"{draws} draws from {found.n_pool:,} tiles of {result.labels_from}"
    if found.separation in ("halves", "spatial halves"):
        by = "at random by class" if found.separation == "halves" else "by whole clusters"
        where = (
            f"{draws} draws, each from the evaluated images themselves, divided in two {by}: labels of either half "
            "predict the other"
        )
    if found.separation in ("random", "halves"):
        where += ", stratified random: positions are unknown, so that drawn and predicted images may be neighbours"
    elif found.separation == "spatial list":
        where += ", a list that is separate by longitude from the evaluated one; positions of single tiles are unknown"
    elif found.left_out:
        where += f" without {found.left_out:,} in places of evaluated tiles"
    elif found.separation == "spatial":
        where += ", none in a place of evaluated tiles"
    return sentence(found), f"{where}; settings fixed beforehand; intervals over draws and tiles"
