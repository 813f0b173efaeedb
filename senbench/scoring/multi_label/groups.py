"""Macro mAP for groups of images: by country, and inside or outside the area of a survey."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from senbench.errors import UsageError
from senbench.scoring.multi_label.evaluate import macro_map
from senbench.scoring.multi_label.thresholds import check_multi_hot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.schema.result import Metric

Float = NDArray[np.float32]

LUCAS_2018 = frozenset(
    (
        *("Austria", "Belgium", "Bulgaria", "Croatia", "Cyprus", "Czechia", "Denmark", "Estonia", "Finland"),
        *("France", "Germany", "Greece", "Hungary", "Ireland", "Italy", "Latvia", "Lithuania", "Luxembourg"),
        *("Malta", "Netherlands", "Poland", "Portugal", "Romania", "Slovakia", "Slovenia", "Spain", "Sweden"),
        "United Kingdom",
    )
)
"""Countries of the LUCAS survey of 2018, the 28 member states of the European Union of that year (d'Andrimont et al.
2020, Scientific Data 7:352, doi:10.1038/s41597-020-00675-z). SenCLIP was trained on photos of its points."""
NOT_IN_LUCAS_2018 = frozenset(("Kosovo", "Serbia", "Switzerland"))
"""Countries of BigEarthNet v2 that were not surveyed."""
INSIDE, OUTSIDE = "inside LUCAS 2018", "outside LUCAS 2018"


@dataclass(frozen=True)
class GroupResult:
    """Figures of one group of images.

    Attributes:
        group: Its name.
        n: Number of images.
        labels: Labels with a positive in the group: those `map_macro` is the mean of.
        prevalence: Mean prevalence over these labels, what random scores reach in `map_macro`; groups
            differ in it, so compare a group's figure with its own line.
        map_macro: With its interval by cluster inside the group; value None without any positive.
    """

    group: str
    n: int
    labels: int
    prevalence: float | None
    map_macro: Metric


def lucas_group(country: str) -> str:
    """Whether a country was in the LUCAS survey of 2018: `inside LUCAS 2018` or `outside LUCAS 2018`.

    Raises:
        UsageError: A name that is not known, so that a spelling never decides.
    """
    if country in LUCAS_2018:
        return INSIDE
    if country in NOT_IN_LUCAS_2018:
        return OUTSIDE
    raise UsageError(
        f"country {country!r} is not known as inside or outside the LUCAS survey; expected an English name"
        f" such as {', '.join(sorted(NOT_IN_LUCAS_2018))} or a member state of the European Union of 2018"
    )


def by_group(
    scores: Float,
    truth: NDArray[Any],
    groups: NDArray[Any] | Sequence[str],
    clusters: NDArray[Any] | Sequence[Any] | None = None,
    seed: int = 0,
) -> tuple[GroupResult, ...]:
    """Macro mAP of each group of images.

    Args:
        scores: Scores as finally ranked, float32 (N, C).
        truth: Multi-hot labels, 0 or 1, (N, C).
        groups: Group of each image, (N,).
        clusters: Spatial cluster per image, (N,); None where positions are unknown.
        seed: Seed of the bootstrap.

    Returns:
        One entry per group, by name.

    Raises:
        UsageError: Shapes or values that do not fit.
    """
    truth, names = check_multi_hot(scores, truth), np.asarray(groups, dtype=str)
    if names.shape != (len(scores),):
        raise UsageError(f"groups have shape {names.shape}; expected ({len(scores)},), one per image")
    units = None if clusters is None else np.asarray(clusters)
    if units is not None and units.shape != names.shape:
        raise UsageError(f"clusters have shape {units.shape}; expected {names.shape}, one per image")
    out = []
    for group in np.unique(names):
        inside = names == group
        support = truth[inside].sum(axis=0)
        found = support[support > 0]
        out.append(
            GroupResult(
                group=str(group),
                n=int(inside.sum()),
                labels=len(found),
                prevalence=float((found / inside.sum()).mean()) if len(found) else None,
                map_macro=macro_map(scores[inside], truth[inside], None if units is None else units[inside], seed),
            )
        )
    return tuple(out)


def by_country(
    scores: Float,
    truth: NDArray[Any],
    countries: NDArray[Any] | Sequence[str],
    clusters: NDArray[Any] | Sequence[Any] | None = None,
    seed: int = 0,
) -> tuple[GroupResult, ...]:
    """Macro mAP by country, then inside and outside the LUCAS survey.

    Args:
        scores: Scores as finally ranked, float32 (N, C).
        truth: Multi-hot labels, 0 or 1, (N, C).
        countries: English name of each image's country, (N,).
        clusters: Spatial cluster per image, (N,); None where positions are unknown.
        seed: Seed of the bootstrap.

    Returns:
        One entry per country by name, then `inside LUCAS 2018` and `outside LUCAS 2018` as far as there
        are images.

    Raises:
        UsageError: Shapes or values that do not fit, or a country that is not known.
    """
    names, codes = np.unique(np.asarray(countries, dtype=str), return_inverse=True)
    where = np.array([lucas_group(str(name)) for name in names])[codes]
    return by_group(scores, truth, countries, clusters, seed) + by_group(scores, truth, where, clusters, seed)
