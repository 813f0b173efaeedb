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
        scores: Scores as finally compared or ranked, float32 (N, C).
        n: Number of images.
        metrics: Figures by name; value None with the reason in `interval` where undefined. Multi-label figures also
            state their average, threshold source and access level.
        lines: Reference lines. Single-label: `chance` (1/C) and `majority` (share of the largest class).
            Multi-label: `prevalence` (its mean over the labels of `map_macro`), `prevalence_micro`, and
            `constant_ranking`, the micro R-precision of ranking labels by frequency for every image.
        access_level: 0, or 2 where the evaluated images were used; of every figure but those that state more.
        ties: Images whose best score, or whose k-th and next label, were tied, broken by class order.
        warnings: What a reader must know.
        predictions: Single-label: class index per image, int64 (N,).
        per_class: Single-label: counts, precision, recall and F1, in class order; the interval of the recall is
            None below ten clusters (images) with the class.
        confusion: Single-label: counts, rows true class, columns predicted, (C, C).
        reliability: Single-label: the bins behind `ece`; empty where there is none.
        per_label: Multi-label: figures per label, in class order.
        n_unlabelled: Multi-label: images without any label, negatives for average precision and F1, left out of
            `lrap` and R-precision.
        clustering: The clusters; None where positions are unknown, and for single-label figures where clusters have
            one size.
        replicates: Multi-label: metric -> cluster name -> its value without that cluster, for paired tests; empty
            without an interval by clusters.
        resampled: Multi-label: metric -> 95 % percentile interval of 1,000 resamples of clusters, centred on the
            estimate: a second opinion on `metrics`, too narrow with few or unequal clusters; empty without clusters
            and above 300.
        groups: Multi-label: the headline by group of images, where countries are known.
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
    """Figures of classes with mean and standard deviation of each class's scores over the images.

    Args:
        entries: One per class, in order.
        scores: As finally compared or ranked, float32 (N, C).
    """
    means, deviations = scores.mean(axis=0, dtype=np.float64).tolist(), scores.std(axis=0, dtype=np.float64).tolist()
    told = (ScoreSummary(mean=mean, deviation=own) for mean, own in zip(means, deviations, strict=True))
    return tuple(one.model_copy(update={"scores": own}) for one, own in zip(entries, told, strict=True))
