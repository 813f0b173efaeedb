"""Turns scores into label sets: by the mean of each image, or by thresholds tuned on a validation set."""

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
    """One threshold per label, tuned on labels: figures based on them have access level 3.

    Attributes:
        values: A label is predicted if its score is at least its threshold, float32 (C,); infinite if the validation
            set has no positive, so that the label is never predicted.
        source: Description of the validation set, e.g. `bigearthnet-v2 val, 122,342 images`.
        f1: F1 of each label on that set, NaN without a positive, (C,).
    """

    values: Float
    source: str
    f1: Array


def above_image_mean(scores: Float) -> Mask:
    """Predict the labels whose score is above the mean of the image's scores over all labels, bool (N, C).

    Each image is treated by itself (access level 0). The mean is computed in float64; if all scores of an image are
    equal, no label is predicted.
    """
    return np.asarray(scores > scores.mean(axis=1, dtype=np.float64, keepdims=True))


def tune_thresholds(scores: Float, truth: NDArray[Any], source: str) -> Thresholds:
    """Choose for each label the threshold with the best F1 on a validation set.

    The candidates are the scores that occur; of equally good ones the highest is chosen, which predicts least. This
    maximises the F1 of each label and hence macro F1 on the validation set; micro F1 is not tuned separately.

    Args:
        scores: Scores of the validation images, made as those of the evaluated ones, float32 (N, C).
        truth: Their multi-hot labels, 0 or 1, (N, C). The images must not be among the evaluated ones.
        source: Description of the set.

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
        # F1 is best at a positive: lower thresholds without a further positive only add false alarms
        f1 = 2 * (ranking.upto + 1) / (ranking.ends + 1 + support)
        at = int(f1.argmax())
        best[k], values[k] = f1[at], scores[ranking.order[ranking.ends[at]], k]
    return Thresholds(values, source, best)


def check_multi_hot(scores: Float, truth: NDArray[Any]) -> Mask:
    """Return multi-hot labels as bool (N, C), checked against finite scores (N, C).

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
    """Check the number of thresholds, and that none is NaN.

    Raises:
        UsageError: The message states both numbers, or the label.
    """
    if thresholds.values.shape != (len(class_keys),):
        raise UsageError(f"{len(thresholds.values)} thresholds for {len(class_keys)} labels; tune them on these labels")
    if np.isnan(thresholds.values).any():
        raise UsageError(
            f"threshold of label {class_keys[int(np.isnan(thresholds.values).argmax())]!r} is not a number"
        )
