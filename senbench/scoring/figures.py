"""All figures of one set of scores, single-label or multi-label, as a result records them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from senbench.schema.result import ScoredClass, ScoreSummary

if TYPE_CHECKING:
    from senbench.schema.result import ClassResult, Clustering, GroupFigures, LabelFigures, Metric, ReliabilityBin
    from senbench.scoring import Float, Index

S = TypeVar("S", bound=ScoredClass)


@dataclass(frozen=True)
class Outcome:
    """All figures of one set of scores.

    Attributes:
        scores: Final scores, after post-processing, float32 (N, C).
        n: Number of images.
        metrics: Figures by name; an undefined one has the value None and the reason in `interval`. Multi-label figures
            also state their average, threshold source and access level.
        lines: Reference lines. Single-label: `chance` (1/C) and `majority` (share of the largest class).
            Multi-label: `prevalence` (its mean over the labels of `map_macro`), `prevalence_micro`, and
            `constant_ranking`, the micro R-precision of ranking labels by frequency for every image.
        access_level: 0, or 2 if the evaluated images were used; it applies to every figure that does not state a higher
            level.
        ties: Number of images whose best score, or whose k-th and next label, were tied; ties are broken by class
            order.
        warnings: Caveats for the reader.
        predictions: Single-label: class index per image, int64 (N,).
        per_class: Single-label: counts, precision, recall and F1, in class order; the interval of the recall is
            None below ten clusters (images) with the class.
        confusion: Single-label: counts, rows true class, columns predicted, (C, C).
        reliability: Single-label: the bins behind `ece`; empty without `ece`.
        per_label: Multi-label: figures per label, in class order.
        n_unlabelled: Multi-label: images without any label, negatives for average precision and F1, left out of
            `lrap` and R-precision.
        clustering: The clusters; None if positions are unknown, and for single-label figures if clusters have one size.
        replicates: Multi-label: metric -> cluster name -> its value without that cluster, for paired tests; empty
            without an interval by clusters.
        resampled: Multi-label: metric -> 95 % percentile interval of 1,000 resamples of clusters, centred on the
            estimate: a second opinion on `metrics`, too narrow with few or unequal clusters; empty without clusters
            and above 300.
        groups: Multi-label: the headline by group of images, if countries are known.
    """

    scores: Float
    n: int
    metrics: dict[str, Metric]
    lines: dict[str, float]
    access_level: int
    ties: int
    warnings: tuple[str, ...]
    predictions: Index | None = None
    per_class: tuple[ClassResult, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    reliability: tuple[ReliabilityBin, ...] = ()
    per_label: tuple[LabelFigures, ...] = ()
    n_unlabelled: int = 0
    clustering: Clustering | None = None
    replicates: dict[str, dict[str, float]] = field(default_factory=dict)
    resampled: dict[str, tuple[float, float]] = field(default_factory=dict)
    groups: tuple[GroupFigures, ...] = ()


def with_scores(entries: tuple[S, ...], scores: Float) -> tuple[S, ...]:
    """Add to the figures of classes the mean and standard deviation of each class's scores over the images.

    Args:
        entries: One per class, in order.
        scores: Final scores, float32 (N, C).
    """
    means, deviations = scores.mean(axis=0, dtype=np.float64).tolist(), scores.std(axis=0, dtype=np.float64).tolist()
    summaries = (
        ScoreSummary(mean=mean, deviation=one_summary) for mean, one_summary in zip(means, deviations, strict=True)
    )
    return tuple(
        one.model_copy(update={"scores": one_summary}) for one, one_summary in zip(entries, summaries, strict=True)
    )
