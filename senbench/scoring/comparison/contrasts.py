"""Compares styles and models: paired differences and their interaction, with prompts and images resampled."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from senbench.schema.factorial import ClassDifference, Contrast, Kind, ResampledDifference
from senbench.scoring.comparison.holm import holm
from senbench.scoring.intervals.bootstrap import MAX_REFUSED
from senbench.scoring.intervals.clustered import too_few
from senbench.scoring.sample import MIN_POSITIVE_UNITS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from senbench.scoring import Array
    from senbench.scoring.intervals.crossed_bootstrap import Draws
    from senbench.scoring.sample import Sample


@dataclass(frozen=True)
class ResampledCell:
    """The figures of one model with one prompt set, and their resamples.

    Attributes:
        value: Headline figure, 0..1, from the result.
        per_class: Recall or average precision of each class, NaN if undefined, (C,).
        draws: The resamples of these figures.
        prompts: Fewest prompts of a class.
        access_level: Access level of its result; cells of different levels are not compared.
    """

    value: float
    per_class: Array
    draws: Draws
    prompts: int
    access_level: int = 0


def contrasts(
    cells: Mapping[tuple[str, str], ResampledCell],
    models: Sequence[str],
    styles: Sequence[str],
    controls: Collection[str],
    matching: Mapping[str, str],
    sample: Sample,
) -> tuple[Contrast, ...]:
    """All comparisons of a grid: styles per model, models per style, and their interactions.

    Controls are always the second term, and are not compared with each other. Comparisons that lack a cell, or whose
    cells have different access levels, are left out.

    Args:
        cells: (model, style) -> its figures.
        models: Models in the desired order.
        styles: Styles in the desired order.
        controls: The styles that are controls.
        matching: Style -> value that is equal for styles whose prompts are resampled in pairs.
        sample: The evaluated images.

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
        points, classes = _points(terms, sample)
        out.append(
            Contrast(
                kind=kind,
                models=ms,
                styles=ss,
                control=any(s in controls for s in ss),
                matched=None if len(ss) == 1 else matching[ss[0]] == matching[ss[1]],
                points=points,
                log_odds=difference(terms, 0, sample, _logit),
                per_class=classes,
            )
        )
    return tuple(out)


def _points(
    terms: Sequence[tuple[ResampledCell, float]], sample: Sample
) -> tuple[ResampledDifference, tuple[ClassDifference, ...]]:
    """Return the differences of the headline and of every class."""
    per_class = [difference(terms, 1 + k, sample) for k in range(len(sample.class_keys))]
    adjusted = holm(np.array([np.nan if d.p is None else d.p for d in per_class]))
    classes = zip(sample.class_keys, per_class, adjusted, strict=True)
    return difference(terms, 0, sample), tuple(
        ClassDifference(key=key, points=d, p_holm=None if np.isnan(p) else float(p)) for key, d, p in classes
    )


def _identity(values: Array) -> Array:
    return values


def _logit(values: Array) -> Array:
    """Log-odds; NaN at 0 and 1."""
    inside = (values > 0) & (values < 1)
    return np.where(inside, np.log(np.where(inside, values, 0.5) / np.where(inside, 1 - values, 0.5)), np.nan)


def difference(
    terms: Sequence[tuple[ResampledCell, float]],
    column: int,
    sample: Sample,
    scale: Callable[[Array], Array] = _identity,
) -> ResampledDifference:
    """Return a weighted sum of figures, with an interval from resampled prompts and images.

    Args:
        terms: Cells and the weights of their figures; for a difference, 1 and -1.
        column: 0: the headline; 1 + k: the figure of class k.
        sample: The evaluated images.
        scale: Transformation of the figures before the sum; by default the identity.
    """
    figures = np.array([cell.value if column == 0 else cell.per_class[column - 1] for cell, _ in terms])
    value = float(scale(figures) @ [sign for _, sign in terms])

    def drawn(part: str) -> Array:
        return np.asarray(sum(sign * scale(getattr(cell.draws, part)[:, column]) for cell, sign in terms))

    if np.isnan(value):
        return ResampledDifference(value=None, interval="none: the figure is undefined, or 0 or 1 in log-odds")
    where = "images" if sample.clusters is None else "clusters"
    reason = "" if sample.clusters is None else too_few(len(sample.sizes))
    if not reason and column and not sample.enough_units[column - 1]:
        reason = f"none: fewer than {MIN_POSITIVE_UNITS} {where} hold the class"
    prompts, images, crossed = drawn("prompts"), drawn("images"), drawn("crossed")
    undefined = int(np.isnan(crossed).sum())
    if not reason and undefined > MAX_REFUSED * len(crossed):
        reason = f"none: undefined in {undefined} of {len(crossed)} draws"
    if reason:
        return ResampledDifference(value=value, interval=reason)
    from scipy.special import stdtr, stdtrit  # here, since scipy costs a third of a second to import

    variances = [float(np.nanvar(x, ddof=1)) for x in (prompts, images, crossed)]
    by_prompts, by_images, error = (float(np.sqrt(v)) for v in (*variances[:2], combined(*variances)))
    few = min(cell.prompts for cell, _ in terms)
    units = f"{len(sample.sizes):,} {where}" + ", too narrow: no positions" * (sample.clusters is None)
    fixed = ", some packs have one prompt in a class: no prompts to resample there" * (few < 2)
    lost = f", {undefined} undefined" * bool(undefined)
    label = f"crossed-bootstrap-t ({len(crossed)} draws of prompts x {units}{fixed}{lost})"
    if error == 0:
        half, p, label = 0.0, 1.0 if value == 0 else None, f"{label}, all draws agree"
    else:
        df = degrees(by_prompts**2, by_images**2, max(few - 1, 1), max(sample.effective - 1, 1))
        half, p = float(stdtrit(df, 0.975)) * error, float(2 * stdtr(df, -abs(value) / error))
    ci = (value - half, value + half)
    return ResampledDifference(
        value=value, ci=ci, p=p, error_prompts=by_prompts, error_images=by_images, interval=label
    )


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
