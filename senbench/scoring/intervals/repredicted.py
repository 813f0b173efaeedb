"""Totals of predictions that depend on the whole sample and are therefore recomputed in every resample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.scoring import Array, Float, Index
from senbench.scoring.classifier import Classifier, unit
from senbench.scoring.intervals.clustered import leave_out_weights
from senbench.scoring.postprocess import COLUMN_MEAN_EPS, Scoring
from senbench.scoring.transclip import Transduction, effect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


LogPrior = Callable[[Float], Array]
"""Weights (R, N) -> sum over each class's prompts of log p(t), (R, C)."""
Together = LogPrior | Transduction
"""Input of level-2 predictions from all images: the prior of `dap`, or the embeddings for `transclip`."""


def depends_on_all(classifier: Classifier, images: NDArray[Any]) -> Together | None:
    """Return what single-label predictions of the classifier need from all images; None if they need nothing.

    Args:
        classifier: Prompts, rule and post-processing.
        images: Image embeddings, (N, D).
    """
    if classifier.scoring.postprocess == "transclip":
        return Transduction.of(unit(images, "images"))
    return dap_prior(classifier, images) if classifier.scoring.rule == "dap" else None


def finished(
    scores: Float, labels: Index, class_keys: Sequence[str], scoring: Scoring, together: Together | None
) -> tuple[Float, list[str]]:
    """Return scores (N, C) after post-processing, and warnings.

    Raises:
        UsageError: As `Scoring.finish`.
    """
    if isinstance(together, Transduction):
        final = together.predict(scores)
        return final, effect(scores, final, labels, class_keys)
    return scoring.finish(scores, class_keys)


@dataclass(frozen=True)
class Repredicted:
    """Totals [hits, predicted, support (C each), top-5 hits, n] with `column-mean` or `dap`.

    Attributes:
        scores: Scores that do not depend on the sample, float32 (C, N), one contiguous row per class.
        labels: True class, int64 (N,).
        log_prior: `dap`'s sample-dependent term, which is subtracted; None divides by the column mean instead.
    """

    scores: Float
    labels: NDArray[np.int64]
    log_prior: LogPrior | None = None

    @property
    def n(self) -> int:
        """Number of images."""
        return int(self.scores.shape[1])

    def resampled(self, weights: Float) -> Array:
        """Return totals (R, 3 C + 2); NaN if a column mean is at or below zero, or a prior is not finite."""
        if self.log_prior is None:
            level = weights @ self.scores.T / weights.sum(axis=1)[:, None]
            usable = (level > 0).all(axis=1)
            level += COLUMN_MEAN_EPS
        else:
            level = self.log_prior(weights).astype(np.float32)
            usable = np.isfinite(level).all(axis=1)
        out = np.full((len(weights), 3 * len(self.scores) + 2), np.nan)
        buffer = np.empty_like(self.scores)
        for r in np.flatnonzero(usable):
            if self.log_prior is None:
                np.divide(self.scores, level[r][:, None], out=buffer)
            else:
                np.subtract(self.scores, level[r][:, None], out=buffer)
            out[r] = _totals(buffer, self.labels, weights[r])
        return out

    def without(self, codes: NDArray[np.int64], n_clusters: int) -> Array:
        """Totals (G, 3 C + 2) with each cluster left out in turn, in blocks of clusters."""
        return np.concatenate([self.resampled(w) for w in leave_out_weights(codes, n_clusters)])


def _totals(scores: Float, labels: NDArray[np.int64], weights: Float) -> Array:
    """Return the totals of one weighting (N,), from final scores (C, N)."""
    c, n = scores.shape
    best = scores.max(axis=0)
    predicted = np.empty(n, np.int64)
    for k in range(c - 1, -1, -1):  # downwards, so that the first of tied classes is kept
        np.putmask(predicted, scores[k] == best, k)
    true_scores = np.take_along_axis(scores, labels[None], axis=0)[0]
    rank = np.zeros(n, np.int64)
    for k in range(c):
        rank += (scores[k] > true_scores) | ((scores[k] == true_scores) & (k < labels))
    cells = np.bincount(labels * c + predicted, weights=weights, minlength=c * c).reshape(c, c)
    top5 = weights[rank < 5].sum(dtype=np.float64)
    return np.concatenate([np.diag(cells), cells.sum(axis=0), cells.sum(axis=1), [top5, cells.sum()]])


def without_groups(
    transduction: Transduction, cosines: Float, labels: NDArray[np.int64], codes: NDArray[np.int64]
) -> Array:
    """Return totals with TransCLIP when each group of images is left out and the others are predicted again.

    Args:
        transduction: The images.
        cosines: Cosine of every image with every class's text row, (N, C).
        labels: True class, int64 (N,).
        codes: Group of each image, 0..G-1, (N,).

    Returns:
        Totals as `Repredicted`, (G, 3 C + 2).
    """
    out = []
    for group in range(int(codes.max()) + 1):
        kept = np.flatnonzero(codes != group)
        scores = np.ascontiguousarray(transduction.predict(cosines, kept).T)
        out.append(_totals(scores, labels[kept], np.ones(len(kept), np.float32)))
    return np.array(out)


def repredicted(scores: Float, labels: NDArray[np.int64], log_prior: LogPrior | None) -> Repredicted:
    """Return totals that predict again in every resample, from the scores of the whole sample.

    Args:
        scores: `dap` scores of the whole sample, or scores before `column-mean`, float32 (N, C).
        labels: True class, int64 (N,).
        log_prior: `dap`'s sample-dependent term; None for `column-mean`.

    Returns:
        Totals for any weighting of the images.
    """
    if log_prior is not None:
        scores = scores + log_prior(np.ones((1, len(scores)), np.float32)).astype(np.float32)
    return Repredicted(np.ascontiguousarray(scores.T), labels, log_prior)


def dap_prior(classifier: Classifier, images: NDArray[Any]) -> LogPrior:
    """Return the term of `dap` that depends on the evaluated images, for any weighting of them.

    Stores p(t | x) of all images, N x P x 4 bytes (55 MB for 27,000 images and 510 prompts), so that a
    resample costs a matrix product.

    Args:
        classifier: Prompts and native scale.
        images: Image embeddings, (N, D).

    Returns:
        Weights (R, N) -> sum over each class's prompts of log p(t), float64 (R, C), in nats.
    """
    posterior = np.empty((len(images), len(classifier.rows)), np.float32)
    for part, log_p in classifier.log_posteriors(images):
        posterior[part] = np.exp(log_p)

    def log_prior(weights: Float) -> Array:
        with np.errstate(divide="ignore"):
            log_p = np.log((weights @ posterior / weights.sum(axis=1)[:, None]).astype(np.float64))
        return np.asarray(np.add.reduceat(log_p, classifier.starts, axis=1))

    return log_prior
