"""From scores to sets of labels: at the mean of each image, and at thresholds tuned on a validation set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError
from senbench.scoring.multi_label.ranking import Ranking

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from senbench.scoring import Array, Float, Mask


@dataclass(frozen=True)
class Thresholds:
    """One threshold per label, made from labels: figures at them are of access level 3.

    Attributes:
        values: A label is predicted where its score is at least its threshold, float32 (C,); infinite
            where the validation set has no positive, so that the label is never predicted.
        source: Set they were tuned on, for readers, e.g. `bigearthnet-v2 val, 122,342 images`.
        f1: F1 of each label on that set, NaN without a positive, (C,).
    """

    values: Float
    source: str
    f1: Array


def above_image_mean(scores: Float) -> Mask:
    """Labels whose score is above the mean of the image's scores over all labels, bool (N, C).

    Each image is judged by itself (access level 0). The mean is taken in float64: where all scores of an
    image are equal nothing is predicted.
    """
    return np.asarray(scores > scores.mean(axis=1, dtype=np.float64, keepdims=True))


def tune_thresholds(scores: Float, truth: NDArray[Any], source: str) -> Thresholds:
    """Threshold of each label with the best F1 on a validation set.

    The candidates are the scores that occur; of equally good ones the highest is taken, which predicts
    least. It is each label's own F1 that is made best, hence macro F1 on the validation set; micro F1 is
    not tuned by itself.

    Args:
        scores: Scores of the validation images as they will be of the evaluated ones, float32 (N, C).
        truth: Their multi-hot labels, 0 or 1, (N, C). The images must not be among the evaluated ones.
        source: Name of the set, for readers.

    Returns:
        Thresholds per label.

    Raises:
        UsageError: Shapes or values that do not fit.
    """
    truth = check_multi_hot(scores, truth)
    values, best = np.full(scores.shape[1], np.inf, np.float32), np.full(scores.shape[1], np.nan)
    for k, ranking in enumerate(Ranking.of_labels(scores, truth)):
        if not (support := len(ranking.positives)):
            continue
        # F1 is best at a positive: a threshold below the last positive only adds false alarms
        f1 = 2 * (ranking.upto + 1) / (ranking.ends + 1 + support)
        at = int(f1.argmax())
        best[k], values[k] = f1[at], scores[ranking.order[ranking.ends[at]], k]
    return Thresholds(values, source, best)


def check_multi_hot(scores: Float, truth: NDArray[Any]) -> Mask:
    """Multi-hot labels as bool (N, C), held against finite scores (N, C).

    Raises:
        UsageError: Another shape, a value that is neither 0 nor 1, or a score that is not finite.
    """
    truth = np.asarray(truth)
    if scores.ndim != 2 or truth.shape != scores.shape or not scores.size:
        raise UsageError(f"scores {scores.shape} and multi-hot labels {truth.shape}: expected the same (N, C)")
    if not np.isfinite(scores).all():
        row = int(np.argmin(np.isfinite(scores).all(axis=1)))
        raise UsageError(f"scores of image {row} are not finite; leave it out or embed it again")
    if not np.isin(truth, (0, 1)).all():
        raise UsageError(f"multi-hot labels hold {truth[~np.isin(truth, (0, 1))][0]}; expected 0 and 1 only")
    return truth.astype(bool)


def check_thresholds(thresholds: Thresholds, class_keys: Sequence[str]) -> None:
    """Refuse thresholds of another number of labels, or NaN.

    Raises:
        UsageError: With both numbers, or the label.
    """
    if thresholds.values.shape != (len(class_keys),):
        raise UsageError(f"{len(thresholds.values)} thresholds for {len(class_keys)} labels; tune them on these labels")
    if np.isnan(thresholds.values).any():
        raise UsageError(
            f"threshold of label {class_keys[int(np.isnan(thresholds.values).argmax())]!r} is not a number"
        )
