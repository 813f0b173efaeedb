"""Styles against models: paired differences and their interaction, prompts and images both resampled."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from senbench.scoring.comparison.holm import holm
from senbench.scoring.intervals.bootstrap import MAX_REFUSED
from senbench.scoring.intervals.clustered import effective_clusters, too_few
from senbench.scoring.intervals.interval import enough_units

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from senbench.scoring.intervals.crossed_bootstrap import Draws

Array = NDArray[np.float64]
Kind = Literal["styles", "models", "interaction"]


@dataclass(frozen=True)
class Cell:
    """One model with one pack.

    Attributes:
        value: Headline figure, 0..1, as its result states it.
        per_class: Recall or average precision of each class, NaN where undefined, (C,).
        draws: The same under resampling.
        prompts: Fewest prompts of a class.
        access_level: Target data its result has seen; cells of different levels are not compared.
    """

    value: float
    per_class: Array
    draws: Draws
    prompts: int
    access_level: int = 0


class Sample(NamedTuple):
    """What the images allow."""

    units: int
    """Clusters, or images where there are none."""
    effective: float
    """Effective number of units."""
    clustered: bool
    """Whether units are clusters."""
    classes: tuple[bool, ...]
    """Classes that enough units hold for an interval."""


@dataclass(frozen=True)
class Difference:
    """One signed sum of figures.

    Attributes:
        value: In units of the figure (points: 0..1) or in log-odds; None where it is undefined.
        ci: 95 % interval; None where none can be given.
        p: Two-sided p of no difference; None where none can be given.
        error_prompts: Standard error from resampling prompts alone.
        error_images: Standard error from resampling images or clusters alone.
        interval: How the interval was made, or `none: <reason>`.
    """

    value: float | None
    ci: tuple[float, float] | None
    p: float | None
    error_prompts: float | None
    error_images: float | None
    interval: str


@dataclass(frozen=True)
class ClassDifference:
    """The difference of one class's figure, in points.

    Attributes:
        key: Class key.
        points: The difference; its interval and p are its own.
        p_holm: p adjusted by Holm over the classes that have one.
    """

    key: str
    points: Difference
    p_holm: float | None


@dataclass(frozen=True)
class Contrast:
    """One comparison.

    Attributes:
        kind: `styles`: first style minus second, one model; `models`: first model minus second, one style;
            `interaction`: the styles' difference of the first model minus that of the second.
        models: One model, or first and second.
        styles: One style, or first and second.
        control: Whether a style is a control.
        matched: Whether both styles' prompts were drawn in pairs; None where there is one style.
        points: Difference of the headline.
        log_odds: Difference of its log-odds.
        per_class: Differences of each class's figure, in label order.
    """

    kind: Kind
    models: tuple[str, ...]
    styles: tuple[str, ...]
    control: bool
    matched: bool | None
    points: Difference
    log_odds: Difference
    per_class: tuple[ClassDifference, ...]


def sample_of(labels: NDArray[Any], n_classes: int, clusters: NDArray[Any] | None) -> Sample:
    """What images with these labels, (N,) or multi-hot (N, C), in these clusters (N,) allow."""
    held = [labels == k if labels.ndim == 1 else labels[:, k] for k in range(n_classes)]
    enough = tuple(enough_units(positive, clusters) for positive in held)
    if clusters is None:
        return Sample(len(labels), float(len(labels)), False, enough)
    counts = np.unique(clusters, return_counts=True)[1]
    return Sample(len(counts), effective_clusters(counts), True, enough)


def contrasts(
    cells: Mapping[tuple[str, str], Cell],
    models: Sequence[str],
    styles: Sequence[str],
    controls: Collection[str],
    matching: Mapping[str, str],
    keys: Sequence[str],
    sample: Sample,
) -> tuple[Contrast, ...]:
    """All comparisons of a grid: styles per model, models per style, and their interactions.

    Controls stand second, and are not compared with each other. Comparisons that lack a cell, or whose cells
    are of different access levels, are left out.

    Args:
        cells: (model, style) -> its figures.
        models: Models in the order wanted.
        styles: Styles in the order wanted.
        controls: Those of them that are controls.
        matching: Style -> value that is equal where prompts are drawn in pairs.
        keys: Class keys, C.
        sample: What the images allow.

    Returns:
        Comparisons: kind by kind, styles before controls.
    """
    subjects = [s for s in styles if s not in controls]
    pairs = [*combinations(subjects, 2), *((s, c) for s in subjects for c in styles if c in controls)]
    rivals = list(combinations(models, 2))
    wanted: list[tuple[Kind, tuple[str, ...], tuple[str, ...]]] = [
        *(("styles", (m,), pair) for pair in pairs for m in models),
        *(("models", rival, (s,)) for s in styles for rival in rivals),
        *(("interaction", rival, pair) for pair in pairs for rival in rivals),
    ]
    out = []
    for kind, ms, ss in wanted:
        signs = [((m, s), (1, -1)[i] * (1, -1)[j]) for i, m in enumerate(ms) for j, s in enumerate(ss)]
        terms = [(cells[name], sign) for name, sign in signs if name in cells]
        if len(terms) < len(signs) or len({cell.access_level for cell, _ in terms}) > 1:
            continue
        points, classes = _points(terms, keys, sample)
        out.append(
            Contrast(
                kind=kind,
                models=ms,
                styles=ss,
                control=any(s in controls for s in ss),
                matched=None if len(ss) == 1 else matching[ss[0]] == matching[ss[1]],
                points=points,
                log_odds=_difference(terms, 0, sample, _logit),
                per_class=classes,
            )
        )
    return tuple(out)


def _points(
    terms: Sequence[tuple[Cell, int]], keys: Sequence[str], sample: Sample
) -> tuple[Difference, tuple[ClassDifference, ...]]:
    """Differences of the headline and of every class."""
    found = [_difference(terms, 1 + k, sample) for k in range(len(keys))]
    adjusted = holm(np.array([np.nan if d.p is None else d.p for d in found]))
    classes = zip(keys, found, adjusted, strict=True)
    return _difference(terms, 0, sample), tuple(
        ClassDifference(key, d, None if np.isnan(p) else float(p)) for key, d, p in classes
    )


def _identity(values: Array) -> Array:
    return values


def _logit(values: Array) -> Array:
    """Log-odds; NaN at 0 and 1."""
    inside = (values > 0) & (values < 1)
    return np.where(inside, np.log(np.where(inside, values, 0.5) / np.where(inside, 1 - values, 0.5)), np.nan)


def _difference(
    terms: Sequence[tuple[Cell, int]], column: int, sample: Sample, scale: Callable[[Array], Array] = _identity
) -> Difference:
    """Signed sum of a figure: column 0 the headline, 1 + k class k."""
    figures = np.array([cell.value if column == 0 else cell.per_class[column - 1] for cell, _ in terms])
    value = float(scale(figures) @ [sign for _, sign in terms])

    def drawn(part: str) -> Array:
        return np.asarray(sum(sign * scale(getattr(cell.draws, part)[:, column]) for cell, sign in terms))

    if np.isnan(value):
        return Difference(None, None, None, None, None, "none: the figure is undefined, or 0 or 1 in log-odds")
    reason = too_few(sample.units) if sample.clustered else ""
    if not reason and column and not sample.classes[column - 1]:
        reason = f"none: fewer than 10 {'clusters' if sample.clustered else 'images'} hold the class"
    prompts, images, crossed = drawn("prompts"), drawn("images"), drawn("crossed")
    undefined = int(np.isnan(crossed).sum())
    if not reason and undefined > MAX_REFUSED * len(crossed):
        reason = f"none: undefined in {undefined} of {len(crossed)} draws"
    if reason:
        return Difference(value, None, None, None, None, reason)
    from scipy.special import stdtr, stdtrit  # here, since scipy costs a third of a second to import

    variances = [float(np.nanvar(x, ddof=1)) for x in (prompts, images, crossed)]
    by_prompts, by_images, error = (float(np.sqrt(v)) for v in (*variances[:2], combined(*variances)))
    label = _label(terms, sample, len(crossed), undefined)
    if error == 0:
        return Difference(value, (value, value), 1.0 if value == 0 else None, 0.0, 0.0, label + ", all draws agree")
    few = min(cell.prompts for cell, _ in terms)
    df = degrees(by_prompts**2, by_images**2, max(few - 1, 1), max(sample.effective - 1, 1))
    half = float(stdtrit(df, 0.975)) * error
    p = float(2 * stdtr(df, -abs(value) / error))
    return Difference(value, (value - half, value + half), p, by_prompts, by_images, label)


def combined(by_prompts: float, by_images: float, crossed: float) -> float:
    """Variance over prompts and images from three bootstrap variances.

    With a part A from prompts, B from images and E from their combination, resampling prompts alone gives
    A + E, images alone B + E, and both A + B + 3 E (Owen 2007, The pigeonhole bootstrap): so that A + B + E
    is twice the sum of the first two minus the third. Never below the larger of the two.
    """
    return max(by_prompts, by_images, 2 * (by_prompts + by_images) - crossed)


def degrees(by_prompts: float, by_images: float, df_prompts: float, df_images: float) -> float:
    """Satterthwaite's degrees of freedom of a sum of two variances."""
    return (by_prompts + by_images) ** 2 / (by_prompts**2 / df_prompts + by_images**2 / df_images)


def _label(terms: Sequence[tuple[Cell, int]], sample: Sample, draws: int, undefined: int) -> str:
    where = "clusters" if sample.clustered else "images, too narrow: no positions"
    fixed = ", some packs have one prompt in a class: no prompts to resample there" * any(
        c.prompts < 2 for c, _ in terms
    )
    lost = f", {undefined} undefined" * bool(undefined)
    return f"crossed-bootstrap-t ({draws} draws of prompts x {sample.units:,} {where}{fixed}{lost})"
