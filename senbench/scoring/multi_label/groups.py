"""Macro mAP of groups of images: by country, and inside or outside the area of the LUCAS survey."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError
from senbench.schema.result import GroupFigures
from senbench.scoring.multi_label.evaluate import macro_map
from senbench.scoring.multi_label.thresholds import check_multi_hot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.scoring import Float
    from senbench.scoring.sample import Sample

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
"""Countries of BigEarthNet v2 that were not part of the survey."""
INSIDE, OUTSIDE = "inside LUCAS 2018", "outside LUCAS 2018"


def lucas_group(country: str) -> str:
    """Return whether a country was in the LUCAS survey of 2018: `inside LUCAS 2018` or `outside LUCAS 2018`.

    Raises:
        UsageError: The name is unknown; it could be another spelling.
    """
    if country in LUCAS_2018:
        return INSIDE
    if country in NOT_IN_LUCAS_2018:
        return OUTSIDE
    raise UsageError(
        f"country {country!r} is not known as inside or outside the LUCAS survey; expected an English name"
        f" such as {', '.join(sorted(NOT_IN_LUCAS_2018))} or a member state of the European Union of 2018"
    )


def by_group(scores: Float, sample: Sample, groups: NDArray[Any], seed: int = 0) -> tuple[GroupFigures, ...]:
    """Macro mAP of each group of images.

    Args:
        scores: Final scores, float32 (N, C).
        sample: The images: multi-hot labels, 0 or 1, (N, C), and clusters.
        groups: Group of each image, (N,).
        seed: Seed of the bootstrap.

    Returns:
        One entry per group, sorted by name, with its interval by clusters inside the group.

    Raises:
        UsageError: Shapes or values that do not fit.
    """
    truth, names = check_multi_hot(scores, sample.labels), np.asarray(groups, dtype=str)
    if names.shape != (len(scores),):
        raise UsageError(f"groups have shape {names.shape}; expected ({len(scores)},), one per image")
    out = []
    for group in np.unique(names):
        inside = names == group
        n, support = int(inside.sum()), truth[inside].sum(axis=0)
        present = support[support > 0]
        out.append(
            GroupFigures(
                group=str(group),
                n=n,
                labels=len(present),
                prevalence=float((present / n).mean()) if len(present) else None,
                map_macro=macro_map(scores[inside], sample.take(inside), seed),
            )
        )
    return tuple(out)


def by_country(scores: Float, sample: Sample, seed: int = 0) -> tuple[GroupFigures, ...]:
    """Macro mAP by country, then inside and outside the LUCAS survey.

    Args:
        scores: As in `by_group`.
        sample: As in `by_group`, with countries.
        seed: Seed of the bootstrap.

    Returns:
        One entry per country, sorted by name, then `inside LUCAS 2018` and `outside LUCAS 2018` if there are such
        images.

    Raises:
        UsageError: Shapes or values that do not fit, or a country that is not known.
    """
    countries = np.asarray(sample.countries, dtype=str)
    names, codes = np.unique(countries, return_inverse=True)
    where = np.array([lucas_group(str(name)) for name in names])[codes]
    return by_group(scores, sample, countries, seed) + by_group(scores, sample, where, seed)
