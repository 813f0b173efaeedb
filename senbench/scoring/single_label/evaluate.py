"""Computes every single-label figure with its uncertainty from scores and labels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError
from senbench.schema.result import ClassResult, Clustering, Metric
from senbench.scoring.figures import Outcome, with_scores
from senbench.scoring.intervals import left_out_groups
from senbench.scoring.intervals.block_sizes import size_warnings
from senbench.scoring.intervals.bootstrap import FixedSums, Totals, intervals
from senbench.scoring.intervals.interval import Interval, Statistic
from senbench.scoring.intervals.proportion import ClusterCounts, near_end, proportion
from senbench.scoring.intervals.repredicted import (
    LogPrior,
    Together,
    depends_on_all,
    finished,
    repredicted,
    without_groups,
)
from senbench.scoring.postprocess import DEFAULT, Scoring, predict, probabilities
from senbench.scoring.single_label import metrics as m
from senbench.scoring.single_label.sums import CALIBRATION, ECE, NAMES, bounds, image_rows, reliability, statistic
from senbench.scoring.transclip import Transduction

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.scoring import Array, Float, Index, Mask
    from senbench.scoring.classifier import Classifier
    from senbench.scoring.sample import Sample

CLIPPED = "clipped at 0: the error is below what noise of the accuracy explains, which is no perfect calibration"
"""Note for a debiased calibration error whose square is below zero."""
MIN_PER_BIN = 2
"""Fewest images per bin for the debiased calibration error."""


def zero_shot(classifier: Classifier, images: NDArray[Any], sample: Sample, seed: int = 0) -> Outcome:
    """Score embeddings and evaluate them: `Classifier.scores` and `score_single_label` in one step.

    Args:
        classifier: Model and prompts.
        images: Image embeddings, (N, D).
        sample: Their labels and clusters.
        seed: Seed of the bootstrap.

    Returns:
        All figures; for `dap` with intervals that recompute p(t) in every resample.

    Raises:
        UsageError: As `Classifier.scores` and `score_single_label`.
    """
    together = depends_on_all(classifier, images)
    names, scoring = classifier.names, classifier.scoring
    scores = classifier.scores(images)
    return score_single_label(scores, sample, scoring, class_names=names, together=together, seed=seed)


def score_single_label(
    scores: Float,
    sample: Sample,
    scoring: Scoring = DEFAULT,
    *,
    class_names: Sequence[str] = (),
    together: Together | None = None,
    wilson: bool = True,
    seed: int = 0,
) -> Outcome:
    """Evaluate class scores of images with one true class each (definitions in docs/methods.md).

    Args:
        scores: Scores before post-processing, float32 (N, C), as from `class_scores`.
        sample: The images: true class, integers 0..C-1, (N,), where some classes may not occur; class keys; clusters.
        scoring: Settings of the scores. Without a logit scale there is no calibration; a sigmoid model's bias is the
            same for every class and cancels in the softmax.
        class_names: Class names as prompted, C; empty for the class keys.
        together: What predictions need from all images, from `depends_on_all`; without it `dap` gets no intervals.
        wilson: Whether recalls, and accuracies near the ends of their range, get Wilson's interval; False uses that of
            the other figures, as in results without `recall_interval`.
        seed: Seed of the bootstrap.

    Returns:
        All figures.

    Raises:
        UsageError: There are no images, shapes or ranges are wrong, or `column-mean` has a column whose mean is not
            above zero.
    """
    names = class_names or sample.class_keys
    _check(scores, sample, names)
    labels = sample.labels.astype(np.int64)
    n, c = scores.shape
    final, warnings = finished(scores, labels, sample.class_keys, scoring, together)
    predictions, ties = predict(final)
    table = m.confusion(labels, predictions, c)
    if missing := int((table.sum(axis=1) == 0).sum()):
        warnings.append(f"{missing} of {c} classes have no image: balanced accuracy leaves them out")
    probs, why_not = _calibration(final, scoring)
    rows = image_rows(labels, predictions, m.label_ranks(final, labels) < 5, c, probs)
    estimate = statistic(rows.sum(axis=0), c)
    quantities = Statistic(partial(statistic, n_classes=c), bounds(len(estimate), calibrated=probs is not None))
    if isinstance(together, Transduction):
        without = partial(without_groups, together, scores, labels)
        spread = left_out_groups.intervals(without, quantities, estimate, sample, seed)
    elif reason := _not_recomputed(scoring, together):
        spread = [Interval(None, reason)] * len(estimate)
    else:
        totals: Totals = FixedSums(rows.astype(np.float32))
        if scoring.access_level == 2:
            totals = repredicted(scores, labels, together)
        recentre = np.arange(len(estimate)) == ECE if probs is not None else None
        spread = intervals(totals, quantities, estimate, recentre=recentre, clusters=sample.clusterings, seed=seed)
    if wilson:
        right = {"top1": predictions == labels, "top5": m.label_ranks(final, labels) < 5}
        spread = _proportions(estimate, spread, sample, right, resampled=scoring.access_level == 2)
    unnamed = [interval._replace(label="") for interval in spread[-c:]]
    figures = _figures(estimate, spread, n, c, why_not)
    figures["ece_l1"] = _usual_calibration_error(probs, predictions, labels, why_not)
    if figures["ece"].note:
        warnings.append(f"ece: {figures['ece'].note}")
    if flat := [name for name, figure in figures.items() if figure.ci and figure.ci[0] == figure.ci[1]]:
        warnings.append(f"{', '.join(flat)}: all resamples agree; an interval of zero width is no certainty")
    clustering = _clustering(spread[NAMES.index("top1")], predictions != labels, sample)
    if clustering is not None:
        warnings.extend(size_warnings(clustering.by_size))
    return Outcome(
        scores=final,
        n=n,
        metrics=figures,
        lines={"chance": 1 / c, "majority": float(table.sum(axis=1).max() / n)},
        access_level=scoring.access_level,
        ties=ties,
        warnings=tuple(warnings),
        predictions=predictions,
        per_class=with_scores(_per_class(table, sample, names, spread[-c:] if wilson else unnamed), final),
        confusion=tuple(map(tuple, table.tolist())),
        clustering=clustering,
        reliability=() if figures["ece"].value is None else reliability(rows.sum(axis=0)),
    )


def _not_recomputed(scoring: Scoring, prior: LogPrior | None) -> str:
    """Return why predictions that depend on the sample have no interval; empty if they have one."""
    if scoring.rule == "dap" and (prior is None or scoring.postprocess != "none"):
        return "none: p(t) depends on the sample and is not recomputed here"
    if scoring.postprocess == "transclip":
        return "none: predictions depend on the sample and are not recomputed here"
    return ""


def _check(scores: Float, sample: Sample, names: Sequence[str]) -> None:
    if scores.ndim != 2 or not len(scores):
        raise UsageError(f"scores have shape {scores.shape}; expected one row per image (N, C) with N >= 1")
    labels, keys, (n, c) = sample.labels, sample.class_keys, scores.shape
    if not np.isfinite(scores).all():
        raise UsageError(f"scores of image {int(np.argmin(np.isfinite(scores).all(axis=1)))} are not finite")
    if len(keys) != c or len(names) != c:
        raise UsageError(f"{c} score columns, {len(keys)} class keys, {len(names)} class names; expected one each")
    if labels.shape != (n,) or labels.dtype.kind not in "iu":
        raise UsageError(f"labels are {labels.dtype} {labels.shape}; expected integers ({n},), one per image")
    if labels.min() < 0 or labels.max() >= c:
        raise UsageError(f"labels range {labels.min()}..{labels.max()}; expected 0..{c - 1}")


def _calibration(scores: Float, scoring: Scoring) -> tuple[Array | None, str]:
    """Return probabilities (N, C), or None and the reason."""
    rule, postprocess = scoring.rule, scoring.postprocess
    if postprocess != "none" or rule in ("max", "dap"):
        return None, f"none: no probabilities under {postprocess if postprocess != 'none' else rule}"
    if scoring.logit_scale is None:
        return None, "none: no logit scale"
    return (scores.astype(np.float64) if rule == "prob-mean" else probabilities(scores, scoring.logit_scale)), ""


def _figures(estimate: Array, spread: list[Interval], n: int, c: int, why_not: str) -> dict[str, Metric]:
    """Return metrics by name; `ece` is the root of its square, which is clipped at 0."""
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
        value, (ci, label, *_), note = float(estimate[j]), spread[j], None
        if name == "ece":
            note = CLIPPED if value <= 0 else None
            value = max(value, 0.0) ** 0.5
            ci = ci and (ci[0] ** 0.5, ci[1] ** 0.5)
        figures[name] = Metric(value=value, ci=ci, n=n, interval=label, note=note)
    return figures


def _usual_calibration_error(probs: Array | None, predictions: Index, labels: Index, why_not: str) -> Metric:
    """Return `ece_l1`, the usual estimate, reported next to the debiased `ece`."""
    n = len(labels)
    if probs is None:
        return Metric(value=None, ci=None, n=n, interval=why_not)
    value = m.l1_calibration_error(probs[np.arange(n), predictions], predictions == labels)
    return Metric(value=value, ci=None, n=n, interval="none: biased upwards with few images; ece is debiased")


def _proportions(
    estimate: Array, spread: list[Interval], sample: Sample, right: Mapping[str, Mask], *, resampled: bool
) -> list[Interval]:
    """Replace the intervals of accuracies near the ends of their range and of recalls by Wilson's."""
    out, c = list(spread), len(sample.class_keys)
    every = np.ones(len(sample.labels), bool)
    for name, hits in right.items():
        j = NAMES.index(name)
        if near_end(share := float(estimate[j]), n := len(hits)):
            out[j] = proportion(share, n, out[j], _counts(sample, every, hits, out[j].size), resampled=resampled)
    for k in range(c):
        j, of_class = len(out) - c + k, sample.positive(k)
        counts = _counts(sample, of_class, right["top1"], out[j].size)
        out[j] = proportion(float(estimate[j]), int(of_class.sum()), out[j], counts, resampled=resampled)
    return out


def _counts(sample: Sample, of: Mask, right: Mask, size: str) -> ClusterCounts | None:
    """Count a subset's images and hits in each cluster of a block size; None without clusters."""
    if sample.clusters is None:
        return None
    codes = sample.codes if sample.by_size is None or not size else sample.by_size.codes[size]
    g = int(codes.max()) + 1
    return ClusterCounts(np.bincount(codes[of], minlength=g), np.bincount(codes[of & right], minlength=g))


def _clustering(headline: Interval, wrong: Mask, sample: Sample) -> Clustering | None:
    """Return the clusters with the headline's standard error by block size; None if there is one size."""
    if sample.by_size is None or not headline.by_size:
        return None
    return Clustering(
        clusters=len(sample.sizes),
        effective=sample.effective,
        design_effect=headline.design_effect,
        sizes={},
        by_size=headline.by_size,
        morans_i=sample.by_size.morans_i(wrong),
    )


def _per_class(
    table: Index, sample: Sample, names: Sequence[str], recalls: Sequence[Interval]
) -> tuple[ClassResult, ...]:
    support, predicted = table.sum(axis=1), table.sum(axis=0)
    rates = m.class_rates(np.diag(table).astype(float), predicted.astype(float), support.astype(float))
    precision, recall, f1 = ([None if np.isnan(x) else float(x) for x in rate] for rate in rates)
    return tuple(
        ClassResult(
            key=sample.class_keys[k],
            name=names[k],
            support=int(support[k]),
            predicted=int(predicted[k]),
            precision=precision[k],
            recall=recall[k],
            recall_ci=recalls[k].ci if sample.enough_units[k] else None,
            recall_interval=recalls[k].label and (recalls[k].label if sample.enough_units[k] else sample.too_rare),
            f1=f1[k],
        )
        for k in range(len(table))
    )
