"""Single-label metrics as functions of sums over images, so that a resample costs a matrix product."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.scoring import Array, Index


ECE_BINS = 15
"""Equal-mass bins of the calibration error (docs/methods.md)."""
TINY = np.finfo(np.float64).tiny
"""Lower limit of probabilities before the logarithm, which limits it to 708 nats."""


def confusion(labels: Index, predictions: Index, n_classes: int) -> Index:
    """Counts by true class (rows) and predicted class (columns), int64 (C, C)."""
    cells = np.bincount(labels * n_classes + predictions, minlength=n_classes * n_classes)
    return cells.reshape(n_classes, n_classes)


def label_ranks(scores: NDArray[Any], labels: Index) -> Index:
    """Number of classes placed before the true one, ties broken by class order.

    Args:
        scores: (N, C).
        labels: True class, (N,).

    Returns:
        int64 (N,), 0 if the true class is predicted.
    """
    true_scores = np.take_along_axis(scores, labels[:, None], axis=1)
    earlier = np.arange(scores.shape[1]) < labels[:, None]
    return np.asarray(((scores > true_scores) | ((scores == true_scores) & earlier)).sum(axis=1))


def class_rates(hits: Array, predicted: Array, support: Array) -> tuple[Array, Array, Array]:
    """Precision, recall and F1 per class from counts, over any leading dimensions.

    Args:
        hits: Correct predictions per class, (..., C).
        predicted: Predictions per class, (..., C).
        support: Images per class, (..., C).

    Returns:
        Precision (NaN if the class was never predicted), recall (NaN without support) and F1 = 2 hits / (predicted +
        support) (NaN without both), each (..., C).
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return hits / predicted, hits / support, 2 * hits / (predicted + support)


def mean_defined(values: Array) -> Array:
    """Return the mean over the last axis of the entries that are not NaN, (...,).

    For recalls it is balanced accuracy (classes with support, as in scikit-learn); for F1 it is macro F1 over the
    classes with support or predictions (scikit-learn's default labels).
    """
    defined = ~np.isnan(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(defined, values, 0).sum(axis=-1) / defined.sum(axis=-1))


def negative_log_likelihood(probs: Array, labels: Index) -> Array:
    """-log p(true class) per image in nats, (N,)."""
    true_probs = np.take_along_axis(probs, labels[:, None], axis=1)[:, 0]
    return -np.log(np.maximum(true_probs, TINY))


def brier(probs: Array, labels: Index) -> Array:
    """Sum over classes of (p - [class is true])^2 per image, 0..2, (N,) (Brier 1950)."""
    true_probs = np.take_along_axis(probs, labels[:, None], axis=1)[:, 0]
    return np.asarray(np.square(probs).sum(axis=1) - 2 * true_probs + 1)


def l1_calibration_error(confidence: Array, correct: NDArray[Any], n_bins: int = ECE_BINS) -> float:
    """The usual expected calibration error: mean gap of confidence and accuracy over bins of equal width.

    sum over bins of n_b / n |mean confidence - accuracy|, bins (0, 1/B], ..., ((B - 1)/B, 1] (Guo et al. 2017, "On
    calibration of modern neural networks", equation 3). Not debiased: too large with few images.

    Args:
        confidence: Probability of the predicted class, 0..1, (N,).
        correct: Whether the prediction is right, (N,).
        n_bins: Number of bins, B.

    Returns:
        0..1.
    """
    bins = np.clip(np.ceil(confidence * n_bins).astype(np.int64) - 1, 0, n_bins - 1)
    gaps = np.bincount(bins, confidence - correct, minlength=n_bins)
    return float(np.abs(gaps).sum() / len(confidence))


def equal_mass_bins(confidence: Array, n_bins: int = ECE_BINS) -> Index:
    """Bin of each confidence; bins hold equally many images, and equal values share a bin.

    Args:
        confidence: (N,).
        n_bins: Number of bins; fewer are filled when values are tied.

    Returns:
        Bin indices 0..n_bins-1, int64 (N,), independent of the order of the images.
    """
    ordered = np.sort(confidence)
    last = (np.arange(1, n_bins) * len(ordered)) // n_bins - 1
    return np.searchsorted(ordered[np.maximum(last, 0)], confidence, side="left")


def debiased_squared_error(size: Array, confidence: Array, correct: Array) -> Array:
    """Debiased square of the top-label calibration error, over any leading dimensions.

    Per bin (mean confidence - accuracy)^2 - accuracy (1 - accuracy) / (n - 1), weighted by the bin's
    share of images: the second term is the part of the first that is noise of the accuracy (Kumar,
    Liang and Ma 2019, "Verified uncertainty calibration", section 4). Bins of fewer than two count 0.

    Args:
        size: Images per bin, (..., B).
        confidence: Sum of confidences per bin, (..., B).
        correct: Correct predictions per bin, (..., B).

    Returns:
        (...,); may be below zero if calibration is better than expected from noise.
    """
    n = np.maximum(size, 1)
    accuracy = correct / n
    noise = accuracy * (1 - accuracy) / np.maximum(size - 1, 1)
    error = np.where(size >= 2, np.square((confidence - correct) / n) - noise, 0)
    return np.asarray((size * error).sum(axis=-1) / size.sum(axis=-1))
