"""Single-label metrics from sums over images: the contribution of each image, and the metrics of the sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from senbench.schema.result import ReliabilityBin
from senbench.scoring.single_label import metrics as m

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.scoring import Array, Index


CALIBRATION = ("nll", "brier", "ece")
NAMES = ("top1", "top5", "balanced_accuracy", "f1_macro", *CALIBRATION)
"""Metrics in the order of `statistic`, which has no calibration metrics without probabilities."""
ECE = NAMES.index("ece")


def image_rows(
    labels: Index, predictions: Index, top5: NDArray[np.bool_], n_classes: int, probs: Array | None
) -> Array:
    """Return the contribution of each image to the totals.

    Args:
        labels: True class, (N,).
        predictions: Predicted class, (N,).
        top5: Whether the true class is among the best five, (N,).
        n_classes: C.
        probs: Probabilities, (N, C); None gives no calibration.

    Returns:
        float64 (N, 3 C + 2 or 3 C + 4 + 45): hits, predicted and support by class; top-5 hit and 1; then
        NLL, Brier, and by confidence bin: count, confidence, hit.
    """
    image, right = np.arange(len(labels)), predictions == labels
    after = 3 * n_classes
    rows = np.zeros((len(labels), after + 2 + (probs is not None) * (2 + 3 * m.ECE_BINS)))
    rows[image, labels] = right
    rows[image, n_classes + predictions] = 1
    rows[image, 2 * n_classes + labels] = 1
    rows[:, after], rows[:, after + 1] = top5, 1
    if probs is not None:
        rows[:, after + 2] = m.negative_log_likelihood(probs, labels)
        rows[:, after + 3] = m.brier(probs, labels)
        confidence = probs[image, predictions]
        column = after + 4 + m.equal_mass_bins(confidence)
        for k, value in enumerate((1, confidence, right)):
            rows[image, column + k * m.ECE_BINS] = value
    return rows


def statistic(totals: Array, n_classes: int) -> Array:
    """Metrics from totals.

    Args:
        totals: Sums of `image_rows` under any weighting, (..., K).
        n_classes: C.

    Returns:
        float64 (..., M + C): the metrics of `NAMES` (the square of `ece`, which may be below zero), then
        the recall of each class; NaN where undefined.
    """
    hits, predicted, support, rest = np.split(totals, [n_classes, 2 * n_classes, 3 * n_classes], axis=-1)
    _, recall, f1 = m.class_rates(hits, predicted, support)
    n = rest[..., 1]
    out = [hits.sum(axis=-1) / n, rest[..., 0] / n, m.mean_defined(recall), m.mean_defined(f1)]
    if rest.shape[-1] > 2:
        bins = np.split(rest[..., 4:], 3, axis=-1)
        out += [rest[..., 2] / n, rest[..., 3] / n, m.debiased_squared_error(*bins)]
    return np.concatenate([np.stack(out, axis=-1), recall], axis=-1)


def reliability(totals: Array) -> tuple[ReliabilityBin, ...]:
    """Return the non-empty bins of the calibration error, from least to most confident, from totals (K,)."""
    bins = zip(*np.split(totals[-3 * m.ECE_BINS :], 3), strict=True)
    return tuple(
        ReliabilityBin(n=int(size), confidence=float(confidence / size), accuracy=float(hits / size))
        for size, confidence, hits in bins
        if size
    )


def bounds(length: int, *, calibrated: bool) -> Array:
    """Range of each entry of `statistic`, (length, 2)."""
    out = np.tile([0.0, 1.0], (length, 1))
    if calibrated:
        out[NAMES.index("nll"), 1] = np.inf
        out[NAMES.index("brier"), 1] = 2.0
    return out
