"""Figures of one cell under resampled prompts, resampled images, and both crossed."""

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
"""Crossed draws: a standard error is known to 3.5 %."""
MIN_DRAWS = 100
"""Draws for large multi-label datasets: known to 7 %."""
_SORTED = 5e7
"""Scores that one multi-label cell may sort."""
_BLOCK = 1024


@dataclass(frozen=True)
class Draws:
    """The headline, then the figure of each class, in every draw; NaN where undefined.

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
    """The units that images are resampled by, the same draws for every model and pack.

    Attributes:
        codes: Unit of each image, 0..U-1, (N,).
        times: How often each unit is drawn, uint16 (U, R).
    """

    codes: Index
    times: NDArray[np.uint16]

    @classmethod
    def of(cls, sample: Sample, draws: int, seed: int) -> Units:
        """Clusters, or the images where there are none, drawn with replacement."""
        rows = [block.astype(np.uint16) for block in bootstrap_weights(len(sample.sizes), draws, seed)]
        return cls(sample.codes, np.ascontiguousarray(np.concatenate(rows).T))


def draws_for(labels: NDArray[Any]) -> int:
    """Draws that a dataset gets: `DRAWS`, fewer for large multi-label ones (N, C), where each sorts all scores."""
    return DRAWS if labels.ndim == 1 else int(np.clip(_SORTED // labels.size, MIN_DRAWS, DRAWS))


def prompt_weights(texts: Sequence[Float], seeds: Sequence[int], draws: int, seed: int) -> list[Float]:
    """How much each prompt counts in each draw, n of n with replacement inside each class.

    Scores under `norm-mean-norm` are products of cosines and these weights, since the length of a mean of
    prompt rows follows from the cosines between them.

    Args:
        texts: Unit prompt rows of each class, C arrays (n, D).
        seeds: Seed of each class; classes with one seed and one count are drawn alike.
        draws: R.
        seed: Seed of the run.

    Returns:
        C arrays (n, 1 + R), column 0 for every prompt once, divided by the length of the weighted sum of rows.
    """
    out = []
    for rows, own in zip(texts, seeds, strict=True):
        n = len(rows)
        times = np.random.default_rng([seed, own]).multinomial(n, np.full(n, 1 / n), draws)
        weights = np.concatenate([np.ones((1, n)), times]).T
        gram = rows.astype(np.float64) @ rows.T.astype(np.float64)
        squared = np.einsum("ir,ij,jr->r", weights, gram, weights, optimize=True)
        out.append((weights / np.sqrt(np.maximum(squared, 1e-30))).astype(np.float32))
    return out


def cell_draws(
    images: NDArray[Any], texts: Sequence[Float], weights: Sequence[Float], labels: NDArray[Any], units: Units
) -> Draws:
    """Top-1 and recalls, or macro mAP and average precisions, of one model and pack in every draw.

    Args:
        images: Image embeddings, (N, D).
        texts: Unit prompt rows of each class, C arrays (n, D).
        weights: As from `prompt_weights`, C arrays (n, 1 + R).
        labels: True class, (N,), or multi-hot labels, (N, C).
        units: What images are resampled by.

    Returns:
        The figures.
    """
    if labels.ndim == 1:
        return _single_label(images, texts, weights, labels, units)
    return _multi_label(images, texts, weights, labels, units)


def _single_label(
    images: NDArray[Any], texts: Sequence[Float], weights: Sequence[Float], labels: Index, units: Units
) -> Draws:
    c, draws = len(texts), units.times.shape[1]
    rows = np.concatenate(texts)
    ends = np.cumsum([len(block) for block in texts])
    hits = {name: np.zeros((draws, c)) for name in ("prompts", "images", "crossed")}
    support = np.zeros((draws, c))
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
    once = np.broadcast_to(np.bincount(labels, minlength=c).astype(np.float64), (draws, c))
    return Draws(_rates(hits["prompts"], once), _rates(hits["images"], support), _rates(hits["crossed"], support))


def _right(cosines: Sequence[Float], weights: Sequence[Float], k: int) -> Mask:
    """Whether images of class k are predicted right in each draw, (n, 1 + R); ties go to the first class."""
    own = cosines[k] @ weights[k]
    right = np.ones(own.shape, bool)
    for other, (cosine, weight) in enumerate(zip(cosines, weights, strict=True)):
        if other != k:
            right &= (own > cosine @ weight) if other < k else (own >= cosine @ weight)
    return right


def _rates(hits: Array, support: Array) -> Array:
    """Top-1 and recalls, (R, 1 + C)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.concatenate([hits.sum(axis=1, keepdims=True) / support.sum(axis=1, keepdims=True), hits / support], 1)


def _multi_label(
    images: NDArray[Any], texts: Sequence[Float], weights: Sequence[Float], truth: NDArray[Any], units: Units
) -> Draws:
    n, c, draws = len(images), len(texts), units.times.shape[1]
    rows, ones = unit(images, "images"), np.ones(n, np.float32)
    found = {name: np.full((draws, c), np.nan) for name in ("prompts", "images", "crossed")}
    for k in range(c):
        scores = np.ascontiguousarray(((rows @ texts[k].T) @ weights[k]).T)
        whole = Ranking.of(scores[0], truth[:, k])
        for r in range(draws):
            times = units.times[units.codes, r].astype(np.float32)
            order = np.argsort(-scores[1 + r])  # sorting what is sorted costs little; this order need not be stable
            ranking = Ranking.of(scores[1 + r][order], truth[order, k], order)
            found["prompts"][r, k] = ranking.average_precision(ones)
            found["images"][r, k] = whole.average_precision(times)
            found["crossed"][r, k] = ranking.average_precision(times)
    return Draws(*(np.concatenate([mean_defined(found[name])[:, None], found[name]], 1) for name in found))
