"""Resamples of a cell's figures over prompts, over images, and over both crossed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.scoring.classifier import unit
from senbench.scoring.intervals.bootstrap import bootstrap_weights
from senbench.scoring.multi_label.ranking import Ranking
from senbench.scoring.single_label.metrics import mean_defined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from senbench.scoring import Array, Float, Index, Mask
    from senbench.scoring.sample import Sample

DRAWS = 400
"""Number of resamples, which gives a standard error a relative error of 3.5 %."""
MIN_DRAWS = 100
"""Number of resamples for large multi-label datasets, with a relative error of 7 %."""
_SORTED = 5e7
"""Most scores that are sorted for one multi-label cell."""
_BLOCK = 1024


@dataclass(frozen=True)
class Draws:
    """Resamples of the headline, then of each class's figure; NaN if undefined.

    Attributes:
        prompts: Prompts resampled, all images, (R, 1 + C).
        images: Images (whole clusters) resampled, all prompts, (R, 1 + C).
        crossed: Both, independently, (R, 1 + C).
    """

    prompts: Array
    images: Array
    crossed: Array


@dataclass(frozen=True)
class Units:
    """The units by which images are resampled, with the same resamples for every model and pack.

    Attributes:
        codes: Unit of each image, 0..U-1, (N,).
        times: How often each unit occurs in each resample, uint16 (U, R).
    """

    codes: Index
    times: NDArray[np.uint16]

    @classmethod
    def of(cls, sample: Sample, n_resamples: int, seed: int) -> Units:
        """Resample clusters, or images if there are none, with replacement."""
        rows = [block.astype(np.uint16) for block in bootstrap_weights(len(sample.sizes), n_resamples, seed)]
        return cls(sample.codes, np.ascontiguousarray(np.concatenate(rows).T))


def draws_for(labels: NDArray[Any]) -> int:
    """Return the number of resamples: `DRAWS`, or fewer for large multi-label datasets (N, C)."""
    return DRAWS if labels.ndim == 1 else int(np.clip(_SORTED // labels.size, MIN_DRAWS, DRAWS))


def prompt_weights(texts: Sequence[Float], seeds: Sequence[int], n_resamples: int, seed: int) -> list[Float]:
    """Return the weight of each prompt in each resample, with n of n prompts of each class drawn with replacement.

    Scores with `norm-mean-norm` are products of cosines and these weights, since the length of a mean of prompt rows
    follows from the cosines between them.

    Args:
        texts: Unit prompt rows of each class, C arrays (n, D).
        seeds: Seed of each class; classes with equal seed and count are resampled equally.
        n_resamples: R.
        seed: Seed of the run.

    Returns:
        C arrays (n, 1 + R), divided by the length of the weighted sum of rows; in column 0 every prompt counts once.
    """
    out = []
    for rows, class_seed in zip(texts, seeds, strict=True):
        n = len(rows)
        times = np.random.default_rng([seed, class_seed]).multinomial(n, np.full(n, 1 / n), n_resamples)
        weights = np.concatenate([np.ones((1, n)), times]).T
        gram = rows.astype(np.float64) @ rows.T.astype(np.float64)
        squared = np.einsum("ir,ij,jr->r", weights, gram, weights, optimize=True)
        out.append((weights / np.sqrt(np.maximum(squared, 1e-30))).astype(np.float32))
    return out


def cell_draws(
    images: NDArray[Any], texts: Sequence[Float], weights: Sequence[Float], labels: NDArray[Any], units: Units
) -> Draws:
    """Return top-1 and recalls, or macro mAP and average precisions, of one model and pack in every resample.

    Args:
        images: Image embeddings, (N, D).
        texts: Unit prompt rows of each class, C arrays (n, D).
        weights: From `prompt_weights`, C arrays (n, 1 + R).
        labels: True class, (N,), or multi-hot labels, (N, C).
        units: Units by which images are resampled.

    Returns:
        The figures.
    """
    if labels.ndim == 1:
        return _single_label(images, texts, weights, labels, units)
    return _multi_label(images, texts, weights, labels, units)


def _single_label(
    images: NDArray[Any], texts: Sequence[Float], weights: Sequence[Float], labels: Index, units: Units
) -> Draws:
    c, n_resamples = len(texts), units.times.shape[1]
    rows = np.concatenate(texts)
    ends = np.cumsum([len(block) for block in texts])
    hits = {name: np.zeros((n_resamples, c)) for name in ("prompts", "images", "crossed")}
    support = np.zeros((n_resamples, c))
    for k in range(c):
        members = np.flatnonzero(labels == k)
        for start in range(0, len(members), _BLOCK):
            block = members[start : start + _BLOCK]
            times = units.times[units.codes[block]].astype(np.float32)
            cosines = np.split(unit(images[block], "images") @ rows.T, ends[:-1], axis=1)
            right = _right(cosines, weights, k)
            hits["prompts"][:, k] += right[:, 1:].sum(axis=0)
            hits["images"][:, k] += right[:, 0] @ times
            hits["crossed"][:, k] += np.einsum("ir,ir->r", right[:, 1:], times)
            support[:, k] += times.sum(axis=0, dtype=np.float64)
    once = np.broadcast_to(np.bincount(labels, minlength=c).astype(np.float64), (n_resamples, c))
    return Draws(_rates(hits["prompts"], once), _rates(hits["images"], support), _rates(hits["crossed"], support))


def _right(cosines: Sequence[Float], weights: Sequence[Float], k: int) -> Mask:
    """Return whether images of class k are predicted correctly in each resample, (n, 1 + R); ties go to the first."""
    own_scores = cosines[k] @ weights[k]
    right = np.ones(own_scores.shape, bool)
    for other, (cosine, weight) in enumerate(zip(cosines, weights, strict=True)):
        if other != k:
            right &= (own_scores > cosine @ weight) if other < k else (own_scores >= cosine @ weight)
    return right


def _rates(hits: Array, support: Array) -> Array:
    """Top-1 and recalls, (R, 1 + C)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate([hits.sum(axis=1, keepdims=True) / support.sum(axis=1, keepdims=True), hits / support], 1)


def _multi_label(
    images: NDArray[Any], texts: Sequence[Float], weights: Sequence[Float], truth: NDArray[Any], units: Units
) -> Draws:
    n, c, n_resamples = len(images), len(texts), units.times.shape[1]
    rows, ones = unit(images, "images"), np.ones(n, np.float32)
    precisions = {name: np.full((n_resamples, c), np.nan) for name in ("prompts", "images", "crossed")}
    for k in range(c):
        scores = np.ascontiguousarray(((rows @ texts[k].T) @ weights[k]).T)
        whole = Ranking.of(scores[0], truth[:, k])
        for r in range(n_resamples):
            times = units.times[units.codes, r].astype(np.float32)
            order = np.argsort(-scores[1 + r])  # sorting sorted values is fast; the order need not be stable
            ranking = Ranking.of(scores[1 + r][order], truth[order, k], order)
            precisions["prompts"][r, k] = ranking.average_precision(ones)
            precisions["images"][r, k] = whole.average_precision(times)
            precisions["crossed"][r, k] = ranking.average_precision(times)
    return Draws(
        *(np.concatenate([mean_defined(precisions[name])[:, None], precisions[name]], 1) for name in precisions)
    )
