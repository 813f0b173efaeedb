"""Weighted average precision and ranking metrics per image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.scoring.classifier import chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.scoring import Array, Float, Index, Mask


@dataclass(frozen=True)
class Ranking:
    """Images sorted once by decreasing score, so that average precision for any weights takes a few sums.

    Attributes:
        order: Image at each position of the ranking, (M,); an image may occur several times (micro average).
        positives: Positions that are positive, ascending, (K,).
        ends: Last position of each positive's group of equal scores, (K,).
        upto: Index of the last positive at or before `ends`, (K,).
    """

    order: Index
    positives: Index
    ends: Index
    upto: Index

    @classmethod
    def of(cls, scores: Float, truth: NDArray[Any], images: Index | None = None) -> Ranking:
        """Sort scores (M,) with their truth (M,); `images` (M,) gives the image of each."""
        order = np.argsort(-scores, kind="stable")
        ordered = scores[order]
        last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
        positives = np.flatnonzero(truth[order])
        ends = last[np.searchsorted(last, positives)]
        upto = np.searchsorted(positives, ends, side="right") - 1
        return cls(order if images is None else images[order], positives, ends, upto)

    @classmethod
    def of_labels(cls, scores: Float, truth: NDArray[Any]) -> tuple[Ranking, ...]:
        """One ranking per label, from scores (N, C) and multi-hot labels (N, C)."""
        return tuple(cls.of(scores[:, k], truth[:, k]) for k in range(scores.shape[1]))

    def average_precision(self, weights: Float) -> float:
        """Average precision when image i counts weights[i] times.

        Sum over distinct thresholds of precision x gain in recall, equal scores taken together, as
        scikit-learn's `average_precision_score`.

        Args:
            weights: float32 (N,).

        Returns:
            0..1, NaN without a positive.
        """
        placed = weights[self.order]
        gained = placed[self.positives].astype(np.float64)
        if not gained.any():
            return float("nan")
        above = np.cumsum(placed, dtype=np.float64)[self.ends]
        hits = np.cumsum(gained)[self.upto]
        precision = np.divide(hits, above, out=np.zeros_like(hits), where=above > 0)
        return float(gained @ precision / gained.sum())

    def influence(self, n: int) -> Array:
        """Derivative of average precision with respect to the weight of each image, all weights being 1.

        Args:
            n: Number of images N.

        Returns:
            float64 (N,), summing to zero; NaN without a positive. Leaving image i out changes average
            precision by minus its entry, to first order.
        """
        above, hits, k = self.ends + 1.0, self.upto + 1.0, len(self.positives)
        if not k:
            return np.full(n, np.nan)
        # each position counts in the precision of every positive whose group ends at or after it
        steps = np.diff(np.concatenate([[-1], self.ends, [len(self.order) - 1]]))
        dilutes = np.append(np.cumsum((hits / above**2)[::-1])[::-1], 0.0)
        place = np.repeat(-dilutes, steps)
        lifts = np.cumsum((1 / above)[::-1])[::-1]
        group = np.searchsorted(self.ends, self.ends)
        place[self.positives] += hits / above + lifts[group] - (hits / above).mean()
        return np.asarray(np.bincount(self.order, place / k, minlength=n), np.float64)


def label_ranking(scores: Float, truth: Mask) -> Array:
    """Label ranking average precision per image, ties at the worst rank, as scikit-learn.

    Args:
        scores: (N, C).
        truth: True labels, bool (N, C).

    Returns:
        (N,) in 0..1, NaN for images without a label.
    """
    n, c = scores.shape
    out = np.empty(n)
    for part in chunks(n, c * c):
        above = scores[part, None, :] >= scores[part, :, None]
        with np.errstate(invalid="ignore"):
            share = (above & truth[part, None, :]).sum(axis=2) / above.sum(axis=2)
            out[part] = (share * truth[part]).sum(axis=1) / truth[part].sum(axis=1)
    return out


def top_k_hits(scores: Float, truth: Mask) -> tuple[Index, int]:
    """Count the true labels among the k best of each image, where k is its number of true labels.

    Args:
        scores: (N, C).
        truth: True labels, bool (N, C).

    Returns:
        Hits, int64 (N,), and the number of images where places k and k+1 are tied, broken by class order.
    """
    order = np.argsort(-scores, axis=1, kind="stable")
    hit = np.take_along_axis(truth, order, axis=1)
    k = truth.sum(axis=1)
    within = np.arange(scores.shape[1]) < k[:, None]
    edge = np.flatnonzero((k > 0) & (k < scores.shape[1]))
    last, following = order[edge, k[edge] - 1], order[edge, k[edge]]
    ties = int((scores[edge, last] == scores[edge, following]).sum())
    return np.asarray((hit & within).sum(axis=1)), ties
