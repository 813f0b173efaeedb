"""A pool of prompts on a set of images: scores and figures of every class for any weighting of its prompts.

A weighting says how often each prompt of a class counts: 1 for all is the whole pool, 0 leaves a prompt out, 2 counts
it twice. Cosines are computed once; a weighting is then one column of a matrix product, and its length comes from the
Gram matrix of the prompts: |sum w t|^2 = w' G w.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from senbench.errors import UsageError
from senbench.scoring.classifier import Classifier, unit
from senbench.scoring.multi_label.ranking import Ranking

if TYPE_CHECKING:
    from collections.abc import Sequence

Float = NDArray[np.float32]
Array = NDArray[np.float64]
Index = NDArray[np.int64]

RULES = ("norm-mean-norm", "mean-norm", "logit-mean")
"""Ensembling rules whose class score is linear in the prompts except for a normalisation."""


@dataclass(frozen=True)
class Pool:
    """Prompts and images of one model.

    Attributes:
        products: Per class, unit image rows times its prompt rows (raw ones for `mean-norm`), float32 (N, n_c).
        grams: Per class, products of its prompt rows among each other, float64 (n_c, n_c).
        rule: One of `RULES`.
    """

    products: tuple[Float, ...]
    grams: tuple[Array, ...]
    rule: str

    @classmethod
    def of(
        cls,
        images: NDArray[Any],
        texts: NDArray[Any],
        text_class: NDArray[Any],
        n_classes: int,
        rule: str = "norm-mean-norm",
    ) -> Pool:
        """Multiply images and prompts once.

        Args:
            images: Image embeddings, (N, D).
            texts: Prompt embeddings as the model gives them, (P, D); within a class their order is kept.
            text_class: Class of each prompt, (P,); every class occurs.
            n_classes: C.
            rule: One of `RULES`.

        Raises:
            UsageError: Another rule, or rows that do not fit.
        """
        if rule not in RULES:
            raise UsageError(
                f"ensemble {rule!r} is not a mean of prompts, which is needed here; use {', '.join(RULES)}"
            )
        prompts = Classifier.of(texts, text_class, n_classes)
        rows = prompts.texts.astype(np.float32) if rule == "mean-norm" else prompts.rows
        pictures = unit(images, "images")
        parts = np.split(rows, prompts.starts[1:])
        products = tuple(np.ascontiguousarray(pictures @ part.T) for part in parts)
        return cls(products, tuple(wide @ wide.T for wide in (part.astype(np.float64) for part in parts)), rule)

    @property
    def counts(self) -> tuple[int, ...]:
        """Prompts of each class, C."""
        return tuple(len(gram) for gram in self.grams)

    @property
    def n(self) -> int:
        """Number of images."""
        return len(self.products[0])

    def column(self, c: int, weights: NDArray[Any]) -> Float:
        """Scores of class c under M weightings of its prompts.

        Args:
            c: The class.
            weights: Weight of each prompt, none negative, (n_c, M).

        Returns:
            float32 (N, M), what `class_scores` gives for the prompts so repeated, up to rounding.

        Raises:
            UsageError: A weighting sums to nothing, or its prompts cancel out.
        """
        wide = weights.astype(np.float64)
        if self.rule == "logit-mean":
            length = wide.sum(axis=0)
        else:
            length = np.sqrt(np.maximum(np.einsum("jm,jm->m", wide, self.grams[c] @ wide), 0))
        if not (length > 0).all():
            raise UsageError(f"class {c}: the mean of its prompts has no direction")
        return np.asarray(self.products[c] @ (wide / length).astype(np.float32))

    def scores(self) -> Float:
        """Scores of every class with all prompts, float32 (N, C)."""
        return np.column_stack([self.column(c, np.ones((n, 1))) for c, n in enumerate(self.counts)])


@dataclass(frozen=True)
class Truth:
    """True labels, and the figures computed from them.

    The figure of a class is its recall, or for several labels its average precision; each summary is a weighted mean
    of them: `top1` by support, `balanced_accuracy` and `map_macro` over the classes that have an image.

    Attributes:
        labels: Class index per image, int64 (N,), or multi-hot, bool (N, C).
        n_classes: C.
    """

    labels: NDArray[Any]
    n_classes: int

    @property
    def several(self) -> bool:
        """True for multi-hot labels."""
        return self.labels.ndim == 2

    @property
    def support(self) -> Index:
        """Images of each class, int64 (C,)."""
        if self.several:
            return np.asarray(self.labels.sum(axis=0), np.int64)
        return np.asarray(np.bincount(self.labels, minlength=self.n_classes), np.int64)

    @property
    def summaries(self) -> dict[str, Array]:
        """Name of each summary -> weight of each class, (C,); the headline comes first."""
        support = self.support
        equal = (support > 0) / max(1, int((support > 0).sum()))
        if self.several:
            return {"map_macro": equal}
        return {"top1": support / len(self.labels), "balanced_accuracy": equal}

    def figures(self, columns: Sequence[Float]) -> Array:
        """Figure of each class under M scorings at once.

        Args:
            columns: Per class, its scores, float32 (N, M).

        Returns:
            float64 (M, C), NaN for a class without an image.
        """
        if self.several:
            return np.stack([self._precision(c, column) for c, column in enumerate(columns)], axis=1)
        best = columns[0].copy()
        chosen = np.zeros(best.shape, np.uint16)
        for c, column in enumerate(columns[1:], 1):
            ahead = column > best  # ties go to the class that comes first
            chosen[ahead] = c
            np.maximum(best, column, out=best)
        return self._recall(chosen == self.labels[:, None].astype(np.uint16))

    def replaced(self, scores: Float, figures: Array, c: int, column: Float) -> Array:
        """Figures when class c's scores are replaced by each of M columns, the others staying as they are.

        Args:
            scores: Scores of every class, float32 (N, C).
            figures: Figures under these scores, (C,).
            c: The class.
            column: Its other scores, float32 (N, M).

        Returns:
            float64 (M, C); for several labels only class c's differ from `figures`.
        """
        if self.several:
            out = np.tile(figures, (column.shape[1], 1))
            out[:, c] = self._precision(c, column)
            return out
        others = scores.copy()
        others[:, c] = -np.inf
        rival = others.argmax(axis=1)
        highest = others.max(axis=1)[:, None]
        wins = (column > highest) | ((column == highest) & (c < rival)[:, None])
        return self._recall(np.where((self.labels == c)[:, None], wins, (rival == self.labels)[:, None] & ~wins))

    def _recall(self, hit: NDArray[np.bool_]) -> Array:
        """Share of hits by class, (M, C), from hits (N, M)."""
        order = np.argsort(self.labels, kind="stable")
        support = self.support
        present = np.flatnonzero(support)
        starts = (np.cumsum(support) - support)[present]
        out = np.full((hit.shape[1], self.n_classes), np.nan)
        out[:, present] = (np.add.reduceat(hit[order], starts, axis=0, dtype=np.int64) / support[present, None]).T
        return out

    def _precision(self, c: int, column: Float) -> Array:
        """Average precision of class c under each of M columns, (M,)."""
        truth, ones = self.labels[:, c], np.ones(len(self.labels), np.float32)
        return np.array([Ranking.of(scores, truth).average_precision(ones) for scores in column.T])

    def summary(self, name: str, figures: Array) -> Array:
        """A summary of figures (..., C): (...), rounded so that equal hits are equal values."""
        return np.asarray(np.round(np.nan_to_num(figures) @ self.summaries[name], 12))
