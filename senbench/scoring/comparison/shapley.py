"""Attributes the difference of two figures to settings: one at a time from both ends, and by Shapley values."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from senbench.errors import UsageError
from senbench.scoring.comparison.all_pairs import mean_replicates
from senbench.scoring.comparison.changes import precisions
from senbench.scoring.intervals.block_sizes import BlockSizes, largest_of
from senbench.scoring.intervals.bootstrap import FixedSums, Totals
from senbench.scoring.intervals.clustered import by, effective_clusters, jackknife_error, too_few
from senbench.scoring.intervals.repredicted import Together, finished, repredicted
from senbench.scoring.multi_label.ranking import top_k_hits
from senbench.scoring.postprocess import Scoring, predict
from senbench.scoring.single_label.metrics import label_ranks
from senbench.scoring.single_label.sums import NAMES, image_rows, statistic
from senbench.scoring.transclip import Transduction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from senbench.scoring import Array, Float
    from senbench.scoring.sample import Sample

GROUPS = 100
"""Number of random groups of images used as clusters if positions are unknown."""
METRICS = {"single-label": NAMES[:4], "multi-label": ("map_macro", "r_precision_micro")}
"""Task -> figures that can be attributed."""


class JackknifeFigure(NamedTuple):
    """A figure with its leave-one-out values, from which any combination of figures gets an interval."""

    value: float
    """Figure on all images; NaN if undefined."""
    left_out: Mapping[str, Array]
    """Block size of the units -> the figure without each unit, (G,); NaN if undefined."""
    sample: Sample
    """The images; figures of the same sample object are paired."""


def units(sample: Sample) -> BlockSizes:
    """Return the units of images that are left out together.

    These are the clusters of all block sizes that follow from their names, or `GROUPS` random groups of images, which
    take G instead of N evaluations and are as good if images are independent.
    """
    n = len(sample.labels)
    if sample.clusters is not None:
        return BlockSizes.of(sample.codes if sample.by_size is None else sample.by_size)
    return BlockSizes.of(np.random.default_rng(0).permutation(np.arange(n) % min(n, GROUPS)))


def undefined(sample: Sample) -> JackknifeFigure:
    """Return the undefined figure of an impossible setting, such as a division by a column mean below zero."""
    return JackknifeFigure(math.nan, _nothing(units(sample)), sample)


def _nothing(blocks: BlockSizes) -> dict[str, Array]:
    return {size: np.full(int(codes.max()) + 1, np.nan) for size, codes in blocks.usable().items()}


def figure(
    metric: str,
    scores: Float,
    sample: Sample,
    *,
    postprocess: str,
    together: Together | None = None,
) -> JackknifeFigure:
    """Compute a metric of class scores on all images and without each unit.

    Quantities that depend on the evaluated images (column means, p(t) of `dap`) are recomputed without each unit, for
    single-label metrics; average precision does not depend on it, micro R-precision treats them as fixed.

    Args:
        metric: One of `METRICS`.
        scores: Scores before post-processing, (N, C).
        sample: The images.
        postprocess: One of `POSTPROCESSES`.
        together: Quantities that depend on all images, from `depends_on_all`; with `transclip` there is no error.

    Raises:
        UsageError: An unknown metric, a column mean that is not above zero, or `transclip` without embeddings.
    """
    task = "single-label" if sample.labels.ndim == 1 else "multi-label"
    if metric not in METRICS[task]:
        raise UsageError(f"metric {metric} cannot be attributed; {task} figures that can: {', '.join(METRICS[task])}")
    final = finished(scores, sample.labels, sample.class_keys, Scoring(postprocess=postprocess), together)[0]
    blocks = units(sample)
    usable = blocks.usable().items()
    if metric == "map_macro":
        spread = precisions(final, sample.labels, blocks)
        each = {size: values[:, 0] for size, values in spread.left_out.items()}
        return JackknifeFigure(float(spread.estimate[0]), each or _nothing(blocks), sample)
    if metric == "r_precision_micro":
        hits, of = top_k_hits(final, sample.labels)[0], sample.labels.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            each = {size: mean_replicates(np.bincount(codes, hits), np.bincount(codes, of)) for size, codes in usable}
            return JackknifeFigure(float(hits.sum() / of.sum()), each, sample)
    c, at = scores.shape[1], NAMES.index(metric)
    rows = image_rows(sample.labels, predict(final)[0], label_ranks(final, sample.labels) < 5, c, None)
    totals: Totals = FixedSums(rows.astype(np.float32))
    prior = None if isinstance(together, Transduction) else together
    if prior is not None or postprocess == "column-mean":
        totals = repredicted(scores, sample.labels, prior)
    if postprocess == "transclip" or (prior is not None and postprocess == "column-mean"):
        each = _nothing(blocks)  # both depend on the sample, but only one can be recomputed, or it is too expensive
    else:
        each = {size: statistic(totals.without(codes, int(codes.max()) + 1), c)[:, at] for size, codes in usable}
    return JackknifeFigure(float(statistic(rows.sum(axis=0), c)[at]), each, sample)


@dataclass(frozen=True)
class FigureDifference:
    """A difference of figures.

    Attributes:
        value: In -1..1; None if a figure is undefined.
        ci: 95 % interval, or None.
        error: Standard error, or None.
        interval: Method of the interval, or `none: <reason>`.
    """

    value: float | None
    ci: tuple[float, float] | None
    error: float | None
    interval: str


def combination(weights: Sequence[float] | Array, figures: Sequence[JackknifeFigure]) -> FigureDifference:
    """Return a weighted sum of figures with its jackknife interval.

    Units of one sample are left out of all its figures together, so that common errors cancel; the block size with the
    largest error is used. The variances of several samples are added (unpaired), with the degrees of freedom of Welch
    and Satterthwaite. If two samples share images, the unpaired interval is not exact.

    Args:
        weights: One weight per figure.
        figures: The figures.
    """
    terms = [(float(w), f) for w, f in zip(weights, figures, strict=True) if w]
    value = sum(w * f.value for w, f in terms)
    if math.isnan(value):
        return FigureDifference(None, None, None, "none: a setting in between is undefined")
    samples = list({id(f.sample): f.sample for _, f in terms}.values())
    variances, degrees, labels = [], [], []
    for sample in samples:
        blocks, clustered = units(sample), sample.clusters is not None
        if reason := too_few(int(blocks.codes[blocks.own].max()) + 1):
            return FigureDifference(value, None, None, reason if clustered else reason.replace("cluster", "image"))
        parts = [(w, f.left_out) for w, f in terms if f.sample is sample]
        left_out = {size: np.sum([w * each[size] for w, each in parts], axis=0) for size in parts[0][1]}
        errors = {size: jackknife_error(each) for size, each in left_out.items() if np.isfinite(each).all()}
        if blocks.own not in errors:
            return FigureDifference(value, None, None, "none: undefined with a part of the images left out")
        taken = largest_of(errors)
        sizes = np.bincount(blocks.codes[taken])
        variances.append(errors[taken] ** 2)
        degrees.append(max(effective_clusters(sizes) - 1, 1.0))
        unit = f"clusters{by(taken)}" if clustered else "random groups of images; too narrow where images share a place"
        labels.append(f"{len(sizes)} {unit}")
    variance = sum(variances)
    if variance <= (1e-12 * max([abs(w) for w, _ in terms], default=0)) ** 2:  # rounding of equal predictions
        return FigureDifference(value, None, 0.0, "none: all images agree exactly")
    from scipy.special import stdtrit  # here, since scipy costs a third of a second to import

    df = variance**2 / sum(v**2 / d for v, d in zip(variances, degrees, strict=True))
    half = float(stdtrit(df, 0.975)) * math.sqrt(variance)
    pairing = "paired" if len(samples) == 1 else "unpaired"
    label = f"{pairing}-jackknife-t ({' and '.join(dict.fromkeys(labels))})"
    return FigureDifference(value, (value - half, value + half), math.sqrt(variance), label)


class Attribution(NamedTuple):
    """The difference between two configurations, attributed to k switches."""

    total: FigureDifference
    """Second configuration minus first."""
    from_first: tuple[FigureDifference, ...]
    """Effect of setting switch i alone in the first configuration."""
    from_second: tuple[FigureDifference, ...]
    """Effect of undoing switch i alone in the second configuration, with the sign of first to second."""
    shapley: tuple[FigureDifference, ...]
    """Shapley values: means over all orders of the switches, which sum to `total`."""


def attribute(coalitions: Sequence[JackknifeFigure]) -> Attribution:
    """Compute one-at-a-time effects and Shapley values from the figures of all combinations of k switches.

    Args:
        coalitions: 2^k figures; bit i of the index states whether switch i is set as in the second configuration.

    Raises:
        UsageError: Their number is not a power of two.
    """
    size = len(coalitions)
    k = size.bit_length() - 1
    if size != 1 << k:
        raise UsageError(f"{size} coalitions; expected 2^k, all combinations of k switches")

    def change(after: int, before: int) -> FigureDifference:
        if after == before:
            return combination([], [])
        return combination([1.0, -1.0], [coalitions[after], coalitions[before]])

    last = size - 1
    return Attribution(
        change(last, 0),
        tuple(change(1 << i, 0) for i in range(k)),
        tuple(change(last, last ^ (1 << i)) for i in range(k)),
        tuple(combination(row, coalitions) for row in shapley_weights(k)),
    )


def shapley_weights(k: int) -> Array:
    """Weights (k, 2^k) of the coalitions in each switch's Shapley value (Shapley 1953).

    phi_i = sum over S without i of |S|! (k - |S| - 1)! / k! (v(S + i) - v(S)).
    """
    out = np.zeros((k, 1 << k))
    for s in range(1 << k):
        size = s.bit_count()
        for i in range(k):
            others = size - (s >> i & 1)
            weight = math.factorial(others) * math.factorial(k - others - 1) / math.factorial(k)
            out[i, s] = weight if s >> i & 1 else -weight
    return out
