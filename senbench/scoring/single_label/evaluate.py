"""Scores and labels in, every single-label figure with its uncertainty out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from senbench.errors import UsageError
from senbench.schema.result import ClassResult, Metric, ReliabilityBin
from senbench.scoring.classifier import ENSEMBLES, class_scores
from senbench.scoring.intervals.bootstrap import FixedSums, Totals, intervals
from senbench.scoring.intervals.interval import Interval, enough_units
from senbench.scoring.postprocess import POSTPROCESSES, access_level, column_mean, predict, probabilities
from senbench.scoring.single_label import metrics as m
from senbench.scoring.single_label.sums import CALIBRATION, ECE, NAMES, bounds, image_rows, reliability, statistic
from senbench.scoring.transductive import LogPrior, dap_prior, repredicted

if TYPE_CHECKING:
    from collections.abc import Sequence

Float = NDArray[np.float32]
Array = NDArray[np.float64]
Index = NDArray[np.int64]

MIN_PER_BIN = 2
"""Images per bin the debiased calibration error needs."""


@dataclass(frozen=True)
class Scored:
    """All single-label figures of one set of scores.

    Attributes:
        metrics: `top1`, `top5`, `balanced_accuracy`, `f1_macro`, `nll`, `brier`, `ece`; value None with
            the reason in `interval` where undefined.
        per_class: Counts, precision, recall and F1, in class order.
        recall_ci: 95 % interval of each class's recall, None below ten clusters (images) with the class.
        confusion: Rows true class, columns predicted, int64 (C, C).
        ties: Images whose best score was tied, broken by class order.
        lines: `chance` (1/C) and `majority` (share of the largest class).
        reliability: The bins behind `ece`; empty where there is none.
        access_level: 0, or 2 where the evaluated images were used.
        predictions: Class index per image, int64 (N,).
        scores: Scores as finally compared, float32 (N, C).
        n: Number of images.
        rule: Ensembling rule.
        postprocess: Post-processing.
        warnings: What a reader must know.
    """

    metrics: dict[str, Metric]
    per_class: tuple[ClassResult, ...]
    recall_ci: tuple[tuple[float, float] | None, ...]
    confusion: Index
    ties: int
    lines: dict[str, float]
    reliability: tuple[ReliabilityBin, ...]
    access_level: int
    predictions: Index
    scores: Float
    n: int
    rule: str
    postprocess: str
    warnings: tuple[str, ...]


def zero_shot(
    images: NDArray[Any],
    texts: NDArray[Any],
    text_class: Index,
    labels: Index,
    *,
    class_keys: Sequence[str],
    class_names: Sequence[str],
    rule: str = "norm-mean-norm",
    postprocess: str = "none",
    logit_scale: float | None = None,
    template_aligned: bool = False,
    clusters: NDArray[Any] | None = None,
    seed: int = 0,
) -> Scored:
    """Score embeddings and evaluate them: `class_scores` and `score_single_label` in one step.

    Args:
        images: Image embeddings, (N, D).
        texts: Prompt embeddings, (P, D).
        text_class: Class of each prompt, (P,).
        labels: True class per image, (N,).
        class_keys: Class keys in label order, C.
        class_names: Class names as prompted, C.
        rule: Ensembling rule.
        postprocess: `none` or `column-mean`.
        logit_scale: Native multiplier of the cosine; None where there is none.
        template_aligned: True if prompt j of every class comes from one template.
        clusters: Spatial cluster per image, (N,); None where positions are unknown.
        seed: Seed of the bootstrap.

    Returns:
        All figures; for `dap` with intervals that recompute p(t) in every resample.

    Raises:
        UsageError: As `class_scores` and `score_single_label`.
    """
    c = len(class_keys)
    scores = class_scores(
        images, texts, text_class, c, rule, logit_scale=logit_scale, template_aligned=template_aligned
    )
    prior = None
    if rule == "dap" and logit_scale is not None:
        prior = dap_prior(images, texts, text_class, c, logit_scale)
    return score_single_label(
        scores,
        labels,
        class_keys=class_keys,
        class_names=class_names,
        logit_scale=logit_scale,
        rule=rule,
        postprocess=postprocess,
        clusters=clusters,
        seed=seed,
        log_prior=prior,
    )


def score_single_label(
    scores: Float,
    labels: Index,
    *,
    class_keys: Sequence[str],
    class_names: Sequence[str],
    logit_scale: float | None = None,
    rule: str = "norm-mean-norm",
    postprocess: str = "none",
    clusters: NDArray[Any] | Sequence[Any] | None = None,
    seed: int = 0,
    log_prior: LogPrior | None = None,
) -> Scored:
    """Evaluate class scores against one true class per image (definitions in docs/methods.md).

    Args:
        scores: Scores before post-processing, float32 (N, C), as from `class_scores`.
        labels: True class per image, integers 0..C-1, (N,); some classes may not occur.
        class_keys: Class keys in label order, C.
        class_names: Class names as prompted, C.
        logit_scale: Native multiplier of the cosine; None: no calibration. A sigmoid model's bias is the
            same for every class and drops out of the softmax.
        rule: Ensembling rule the scores were made with.
        postprocess: `none` or `column-mean`.
        clusters: Spatial cluster per image, (N,); None where positions are unknown.
        seed: Seed of the bootstrap.
        log_prior: For `dap`, its sample-dependent term for any weighting of the images, see
            `dap_prior`; without it `dap` gets no intervals.

    Returns:
        All figures.

    Raises:
        UsageError: No images, shapes or ranges that do not fit, or `column-mean` on a column whose mean
            is not above zero.
    """
    labels = np.asarray(labels)
    _check(scores, labels, class_keys, class_names, rule, postprocess)
    labels = labels.astype(np.int64)
    n, c = scores.shape
    units = None if clusters is None else np.asarray(clusters)
    final: Float = scores
    warnings: list[str] = []
    if postprocess == "column-mean":
        final, warnings = column_mean(scores, tuple(class_keys))
    predictions, ties = predict(final)
    table = m.confusion(labels, predictions, c)
    if missing := int((table.sum(axis=1) == 0).sum()):
        warnings.append(f"{missing} of {c} classes have no image: balanced accuracy leaves them out")
    probs, why_not = _calibration(final, rule, postprocess, logit_scale)
    rows = image_rows(labels, predictions, m.label_ranks(final, labels) < 5, c, probs)
    estimate = statistic(rows.sum(axis=0), c)
    level = access_level(rule, postprocess)
    if rule == "dap" and (log_prior is None or postprocess != "none"):
        reason = "none: p(t) depends on the sample and is not recomputed here"
        spread = [Interval(None, reason)] * len(estimate)
    else:
        totals: Totals = FixedSums(rows.astype(np.float32))
        if level == 2:
            totals = repredicted(scores, labels, log_prior)
        spread = intervals(
            totals,
            partial(statistic, n_classes=c),
            estimate,
            bounds=bounds(len(estimate), probs is not None),
            recentre=np.arange(len(estimate)) == ECE if probs is not None else None,
            clusters=units,
            seed=seed,
        )
    figures = _figures(estimate, spread, n, c, why_not)
    if flat := [name for name, figure in figures.items() if figure.ci and figure.ci[0] == figure.ci[1]]:
        warnings.append(f"{', '.join(flat)}: all resamples agree; an interval of zero width is no certainty")
    return Scored(
        metrics=figures,
        per_class=_per_class(table, class_keys, class_names),
        recall_ci=tuple(
            spread[len(estimate) - c + k].ci if enough_units(labels == k, units) else None for k in range(c)
        ),
        confusion=table,
        ties=ties,
        lines={"chance": 1 / c, "majority": float(table.sum(axis=1).max() / n)},
        reliability=() if figures["ece"].value is None else reliability(rows.sum(axis=0)),
        access_level=level,
        predictions=predictions,
        scores=final,
        n=n,
        rule=rule,
        postprocess=postprocess,
        warnings=tuple(warnings),
    )


def _check(
    scores: Float,
    labels: NDArray[Any],
    keys: Sequence[str],
    names: Sequence[str],
    rule: str,
    postprocess: str,
) -> None:
    if scores.ndim != 2 or not len(scores):
        raise UsageError(f"scores have shape {scores.shape}; expected one row per image (N, C) with N >= 1")
    n, c = scores.shape
    if not np.isfinite(scores).all():
        raise UsageError(f"scores of image {int(np.argmin(np.isfinite(scores).all(axis=1)))} are not finite")
    if len(keys) != c or len(names) != c:
        raise UsageError(f"{c} score columns, {len(keys)} class keys, {len(names)} class names; expected one each")
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise UsageError(f"labels are {labels.dtype} {labels.shape}; expected integers ({n},), one per image")
    if labels.min() < 0 or labels.max() >= c:
        raise UsageError(f"labels range {labels.min()}..{labels.max()}; expected 0..{c - 1}")
    if rule not in ENSEMBLES:
        raise UsageError(f"unknown ensembling rule {rule!r}; available: {', '.join(ENSEMBLES)}")
    if postprocess not in POSTPROCESSES:
        raise UsageError(f"unknown post-processing {postprocess!r}; available: {', '.join(POSTPROCESSES)}")


def _calibration(scores: Float, rule: str, postprocess: str, logit_scale: float | None) -> tuple[Array | None, str]:
    """Probabilities (N, C), or None and the reason why there are none."""
    if postprocess != "none" or rule in ("max", "dap"):
        return None, f"none: no probabilities under {postprocess if postprocess != 'none' else rule}"
    if logit_scale is None:
        return None, "none: no logit scale"
    return (scores.astype(np.float64) if rule == "prob-mean" else probabilities(scores, logit_scale)), ""


def _figures(estimate: Array, spread: list[Interval], n: int, c: int, why_not: str) -> dict[str, Metric]:
    """Metrics by name; `ece` is the root of its square, floored at 0."""
    figures = {}
    for j, name in enumerate(NAMES):
        reason = why_not if name in CALIBRATION else ""
        if name == "top5" and c <= 5:
            reason = f"none: always 1 with {c} classes"
        elif name == "ece" and not reason and n < MIN_PER_BIN * m.ECE_BINS:
            reason = f"none: fewer than {MIN_PER_BIN} images per bin"
        if reason:
            figures[name] = Metric(value=None, ci=None, n=n, interval=reason)
            continue
        value, (ci, label, *_) = float(estimate[j]), spread[j]
        if name == "ece":
            value = max(value, 0.0) ** 0.5
            ci = ci and (ci[0] ** 0.5, ci[1] ** 0.5)
        figures[name] = Metric(value=value, ci=ci, n=n, interval=label)
    return figures


def _per_class(table: Index, keys: Sequence[str], names: Sequence[str]) -> tuple[ClassResult, ...]:
    support, predicted = table.sum(axis=1), table.sum(axis=0)
    rates = m.class_rates(np.diag(table).astype(float), predicted.astype(float), support.astype(float))
    precision, recall, f1 = ([None if np.isnan(x) else float(x) for x in rate] for rate in rates)
    return tuple(
        ClassResult(
            key=keys[k],
            name=names[k],
            support=int(support[k]),
            predicted=int(predicted[k]),
            precision=precision[k],
            recall=recall[k],
            f1=f1[k],
        )
        for k in range(len(table))
    )
