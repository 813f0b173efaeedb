"""TransCLIP: all tiles are classified together, from their class scores and from each other.

Zanella, Gerin and Ben Ayed, "Boosting vision-language models with transduction" (NeurIPS 2024), as RS-TransCLIP
(El Khoury et al., ICASSP 2025, arXiv 2409.00698) uses it without labels. Notation of docs/methods.md, "TransCLIP".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csr_array

    from senbench.scoring import Float, Index

SCALE = 100.0
"""Multiplier of the cosines before the softmax, whatever the model's own scale is."""
NEIGHBOURS = 3
"""Nearest other tiles that a tile is tied to."""
SEEDS = 8
"""Tiles of largest probability that a class mean starts from."""
STEPS = 11
"""Updates of the class means and of the variance."""
INNER_STEPS = 5
"""Updates of the assignments for the same means and variance."""
TEMPERATURE = 50.0
"""Divisor of the sum of distance and neighbour terms."""
SPARE = 9
"""Further neighbours that are kept, so that most tiles need no new search where some tiles are left out."""
BLOCK_CELLS = 1 << 25
"""Similarities held at a time: 128 MB in float32, whatever the number of tiles is."""


@dataclass(frozen=True)
class Neighbours:
    """The nearest other tiles of every tile.

    Attributes:
        nearest: Row of each neighbour, nearest first, (N, k).
        cosines: Their cosines, float32 (N, k).
    """

    nearest: Index
    cosines: Float

    @classmethod
    def of(cls, rows: Float, k: int = NEIGHBOURS) -> Neighbours:
        """Find them by comparing every tile with every other, in blocks.

        Ties are resolved in favour of the first row.

        Args:
            rows: Image embeddings at unit length, float32 (N, D).
            k: Neighbours of each tile; at most N - 1 are found.
        """
        return cls(*_search(rows, np.arange(len(rows)), k))

    def among(self, rows: Float, kept: Index) -> Neighbours:
        """The nearest `NEIGHBOURS` among the tiles that are kept, as if there were no others.

        Only tiles that keep too few of the neighbours known here are compared with all others again.

        Args:
            rows: Image embeddings at unit length, float32 (N, D).
            kept: Rows that are kept, ascending, (M,).
        """
        place = np.full(len(rows), -1)
        place[kept] = np.arange(len(kept))
        known = place[self.nearest[kept]]
        k = min(NEIGHBOURS, len(kept) - 1)
        order = np.argsort(known < 0, axis=1, kind="stable")[:, :k]
        nearest = np.take_along_axis(known, order, axis=1)
        cosines = np.take_along_axis(self.cosines[kept], order, axis=1)
        if len(short := np.flatnonzero((known >= 0).sum(axis=1) < k)):
            nearest[short], cosines[short] = _search(rows[kept], short, k)
        return Neighbours(nearest, cosines)

    @property
    def affinity(self) -> csr_array:
        """W + W', where W holds the cosines of each tile's first `NEIGHBOURS` neighbours: sparse (N, N)."""
        from scipy.sparse import csr_array  # here, since scipy costs a third of a second to import

        nearest, cosines = self.nearest[:, :NEIGHBOURS], self.cosines[:, :NEIGHBOURS]
        n, k = nearest.shape
        one_way = csr_array((cosines.ravel(), nearest.ravel(), k * np.arange(n + 1)), shape=(n, n))
        return csr_array(one_way + one_way.T)


def _search(rows: Float, wanted: Index, k: int) -> tuple[Index, Float]:
    """Nearest other rows of the wanted rows (M,), and their cosines, (M, min(k, N - 1)) each."""
    n, m = len(rows), len(wanted)
    k = min(k, n - 1)
    nearest, cosines = np.empty((m, k), np.int64), np.empty((m, k), np.float32)
    step = max(1, BLOCK_CELLS // n)
    for start in range(0, m, step):
        block = wanted[start : start + step]
        similar = rows[block] @ rows.T
        here = np.arange(len(block))
        similar[here, block] = -np.inf
        for j in range(k):  # as many passes for the largest cost less than sorting or partitioning
            best = similar.argmax(axis=1)
            nearest[start + here, j], cosines[start + here, j] = best, similar[here, best]
            similar[here, best] = -np.inf
    return nearest, cosines


def transclip(rows: Float, cosines: Float, neighbours: Neighbours | None = None) -> Float:
    """Probability of every class for every tile, with all tiles classified together.

    Args:
        rows: Image embeddings at unit length, float32 (N, D).
        cosines: Cosine of every tile with every class's text row, (N, C).
        neighbours: Those of `rows`, where they are known already.

    Returns:
        float32 (N, C), 0..1; rows sum to one.
    """
    affinity = (neighbours or Neighbours.of(rows)).affinity
    text = _softmax(SCALE * np.asarray(cosines, np.float32))
    z = text
    n, dims = rows.shape
    squares = np.einsum("nd,nd->d", rows, rows, dtype=np.float64)
    means = _first_means(rows, z)
    variance = np.full(dims, 1 / dims)
    for step in range(STEPS):
        precision = 1 / variance
        # -1/2 (x - mu)^2 / s summed over dimensions, without the term of x alone, which the normalisation removes
        distance = rows @ (means * precision).astype(np.float32).T
        distance -= (0.5 * (means * means) @ precision).astype(np.float32)
        for _ in range(INNER_STEPS):
            z = _weighted(text, (distance + TEMPERATURE / (2 * NEIGHBOURS) * (affinity @ z)) / TEMPERATURE)
        if step == STEPS - 1:
            break
        sums, masses = (z.T @ rows).astype(np.float64), z.sum(axis=0, dtype=np.float64)
        means = _unit(sums / np.maximum(masses, np.finfo(np.float64).tiny)[:, None], means)
        variance = (squares - 2 * np.einsum("cd,cd->d", sums, means) + masses @ (means * means)) / n
        variance = np.maximum(variance, np.finfo(np.float32).tiny)
    return z


@dataclass(frozen=True)
class Transduction:
    """Image embeddings with what TransCLIP needs of them, for the whole sample and for parts of it.

    Attributes:
        rows: Image embeddings at unit length, float32 (N, D).
        neighbours: Their nearest other tiles, with some to spare.
    """

    rows: Float
    neighbours: Neighbours

    @classmethod
    def of(cls, rows: Float) -> Transduction:
        """Look for the neighbours of image embeddings at unit length, float32 (N, D)."""
        return cls(rows, Neighbours.of(rows, NEIGHBOURS + SPARE))

    def predict(self, cosines: Float, kept: Index | None = None) -> Float:
        """Probabilities of the classes, all tiles classified together, float32 (M, C).

        Args:
            cosines: Cosine of every tile with every class's text row, (N, C).
            kept: Tiles that there are, ascending, (M,); None: all.
        """
        if kept is None:
            return transclip(self.rows, cosines, self.neighbours)
        return transclip(self.rows[kept], cosines[kept], self.neighbours.among(self.rows, kept))


def effect(cosines: Float, final: Float, labels: Index, class_keys: Sequence[str]) -> list[str]:
    """What classifying together changed, and where it is known to hurt, one sentence each.

    Args:
        cosines: Scores before, (N, C).
        final: Probabilities after, (N, C).
        labels: True class, (N,).
        class_keys: Names of the classes, C.
    """
    before, after = cosines.argmax(axis=1), final.argmax(axis=1)
    n, c = cosines.shape
    support = np.bincount(labels, minlength=c)
    gained = np.bincount(labels, (after == labels).astype(float) - (before == labels), minlength=c)
    points = 100 * gained / np.maximum(support, 1)
    low, high = int(points.argmin()), int(points.argmax())
    told = [
        f"transclip changes {int((before != after).sum()):,} of {n:,} predictions: top-1 from "
        f"{100 * (before == labels).mean():.2f} to {100 * (after == labels).mean():.2f} %, recall by class from "
        f"{points[low]:+.1f} points ({class_keys[low]}) to {points[high]:+.1f} ({class_keys[high]})"
    ]
    predicted = np.bincount(before, minlength=c)
    if len(rare := [key for key, n_likely in zip(class_keys, predicted, strict=True) if n_likely < SEEDS]):
        told.append(
            f"transclip starts each class from its {SEEDS} likeliest tiles, and fewer are predicted as "
            f"{', '.join(rare)}: with few tiles, missing or rare classes it can draw other tiles to them"
        )
    return told


def _softmax(logits: Float) -> Float:
    return _weighted(np.ones((), np.float32), logits)


def _weighted(weights: Float, logits: Float) -> Float:
    """Weights times exp(logits), normalised over classes, float32 (N, C)."""
    z = np.exp(logits - logits.max(axis=1, keepdims=True)) * weights
    return np.asarray(z / z.sum(axis=1, keepdims=True), np.float32)


def _first_means(rows: Float, z: Float) -> Float:
    """Unit mean of each class's tiles of largest probability, weighted by it, (C, D)."""
    seeds = min(SEEDS, len(rows))
    best = np.argsort(-z, axis=0, kind="stable")[:seeds]
    weights = np.take_along_axis(z, best, axis=0).astype(np.float64)
    means = np.einsum("sc,scd->cd", weights, rows[best])
    return _unit(means, means)


def _unit(means: Float, instead: Float) -> Float:
    """Rows at unit length; a class that holds no mass keeps the row given instead."""
    lengths = np.sqrt(np.einsum("cd,cd->c", means, means))
    return np.where(lengths[:, None] > 0, means / np.where(lengths, lengths, 1)[:, None], instead)
