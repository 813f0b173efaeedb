"""Multi-label metrics as functions of average precisions and sums over images."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from senbench.scoring.multi_label.ranking import label_ranking
from senbench.scoring.single_label.metrics import class_rates, mean_defined

if TYPE_CHECKING:
    from typing import Literal

    from senbench.scoring import Array, Float, Index, Mask


class Definition(NamedTuple):
    """What a metric averages over, the source of its decision threshold, and the threshold's access level."""

    average: Literal["macro", "micro", "samples"]
    threshold: str | None = None
    access_level: int = 0


ORACLE = "the k best, k the true number of labels (oracle)"
AT_MEAN = "score > mean of the image's scores"
TUNED = "tuned on a validation set"
DEFINITIONS: dict[str, Definition] = {
    "map_macro": Definition("macro"),
    "map_micro": Definition("micro"),
    "lrap": Definition("samples"),
    "r_precision_micro": Definition("micro", ORACLE),
    "r_precision_samples": Definition("samples", ORACLE),
    "f1_macro_at_mean": Definition("macro", AT_MEAN),
    "f1_micro_at_mean": Definition("micro", AT_MEAN),
    "f1_macro_tuned": Definition("macro", TUNED, 3),
    "f1_micro_tuned": Definition("micro", TUNED, 3),
    "nll": Definition("micro"),
    "brier": Definition("micro"),
}
NAMES = tuple(DEFINITIONS)
PER_SAMPLE = ("lrap", "r_precision_micro", "r_precision_samples")
"""Metrics from which images without a label are left out."""
_FIXED = 8


def image_rows(
    scores: Float, truth: Mask, hits: Index, logits: Array | None, at_mean: Mask, tuned: Mask | None
) -> Array:
    """Contribution of each image to every sum.

    Args:
        scores: (N, C).
        truth: True labels, (N, C).
        hits: True labels among the k best, (N,).
        logits: Log-odds of each label, (N, C), or None.
        at_mean: Labels predicted at the mean of the image, (N, C).
        tuned: Labels predicted at tuned thresholds, (N, C), or None.

    Returns:
        float64 (N, 8 + 5 C): LRAP, R-precision, hits, labels, has a label, 1, NLL, Brier; then per label
        true, hit and predicted at the mean, hit and predicted at tuned thresholds.
    """
    k = truth.sum(axis=1)
    n, c = scores.shape
    out = np.zeros((n, _FIXED + 5 * c))
    out[:, 0] = np.nan_to_num(label_ranking(scores, truth))
    out[:, 1] = hits / np.maximum(k, 1)
    out[:, 2:6] = np.stack([hits, k, k > 0, np.ones(n)], axis=1)
    if logits is not None:
        # -log sigmoid(±z) as softplus(∓z): 1 - p would lose the small probabilities that cost most
        against = np.where(truth, -logits, logits)
        loss = np.logaddexp(0, against)
        out[:, 6] = loss.sum(axis=1) / c
        out[:, 7] = np.exp(2 * (against - loss)).sum(axis=1) / c
    for j, part in enumerate([truth, truth & at_mean, at_mean] + ([] if tuned is None else [truth & tuned, tuned])):
        out[:, _FIXED + j * c : _FIXED + (j + 1) * c] = part
    return out


def statistic(totals: Array, c: int) -> Array:
    """Totals (..., C + 1 + 8 + 5 C) -> `NAMES`, then average precision per label."""
    precision, micro, rest = totals[..., :c], totals[..., c], totals[..., c + 1 :]
    lrap, ratio, hits, labels, labelled, n, nll, brier = np.moveaxis(rest[..., :_FIXED], -1, 0)
    truth, *pairs = (rest[..., _FIXED + j * c : _FIXED + (j + 1) * c] for j in range(5))
    with np.errstate(invalid="ignore", divide="ignore"):
        out = [mean_defined(precision), micro, lrap / labelled, hits / labels, ratio / labelled]
        for hit, predicted in (pairs[:2], pairs[2:]):
            out.append(mean_defined(class_rates(hit, predicted, truth)[2]))
            out.append(2 * hit.sum(axis=-1) / (predicted.sum(axis=-1) + labels))
        out += [nll / n, brier / n]
    return np.concatenate([np.stack(out, axis=-1), precision], axis=-1)


def bounds(n_metrics: int) -> Array:
    """Range of each entry of `statistic`, (M, 2)."""
    out = np.tile([0.0, 1.0], (n_metrics, 1))
    out[NAMES.index("nll"), 1] = np.inf
    return out
