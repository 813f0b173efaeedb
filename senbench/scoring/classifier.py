"""From embeddings to one score per image and class: the ensembling rules."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError
from senbench.scoring.postprocess import DEFAULT, Scoring, log_softmax

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from senbench.scoring import Array, Float, Index

CHUNK_CELLS = 1 << 18
"""Cells of the largest temporary array: 2 MB in float64 stay in the CPU cache, twice as fast as 32 MB."""


def chunks(n: int, width: int) -> Iterator[slice]:
    """Yield slices of 0..n such that a slice times `width` columns has at most `CHUNK_CELLS` cells."""
    step = max(1, CHUNK_CELLS // max(1, width))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def unit(rows: NDArray[Any], what: str = "embeddings") -> Float:
    """Scale rows to unit Euclidean length.

    Rows are divided by their largest magnitude first, in float64, so that neither huge nor tiny
    values overflow or vanish when squared.

    Args:
        rows: Real numbers, shape (N, D).
        what: Name of the array in error messages.

    Returns:
        float32, shape (N, D).

    Raises:
        UsageError: A row contains NaN or infinity, or is all zero; the message gives its index.
    """
    if rows.ndim != 2:
        raise UsageError(f"{what} has shape {rows.shape}; expected rows and columns (N, D)")
    out = np.empty(rows.shape, np.float32)
    for part in chunks(*rows.shape):
        out[part] = _unit_block(rows, part, what)
    return out


def _unit_block(rows: NDArray[Any], part: slice, what: str) -> Float:
    """Unit rows of one slice; messages count rows from the start of `rows`."""
    block = rows[part].astype(np.float64)
    largest = np.abs(block).max(axis=1, initial=0.0)
    bad = np.flatnonzero(~np.isfinite(largest) | (largest == 0))
    if len(bad):
        kind = "zero" if largest[bad[0]] == 0 else "not finite"
        row = part.start + bad[0]
        raise UsageError(f"{what}: row {row} is {kind} and has no direction; leave it out or embed it again")
    block /= largest[:, None]
    block /= np.sqrt(np.einsum("ij,ij->i", block, block))[:, None]
    return block.astype(np.float32)


@dataclass(frozen=True)
class Classifier:
    """The zero-shot classifier of one model and one prompt set.

    Attributes:
        texts: Prompt embeddings as the model outputs them, sorted by class, (P, D).
        starts: First row of each class, (C,).
        counts: Rows of each class, (C,).
        scoring: Ensembling rule, post-processing and native scale.
        names: Class names as prompted, C; empty if only scores are needed.
        template_aligned: Whether prompt j of every class comes from one template, which `prob-mean` needs.
    """

    texts: NDArray[Any]
    starts: Index
    counts: Index
    scoring: Scoring = DEFAULT
    names: tuple[str, ...] = ()
    template_aligned: bool = False

    @classmethod
    def of(
        cls,
        texts: NDArray[Any],
        text_class: NDArray[Any],
        n_classes: int,
        scoring: Scoring = DEFAULT,
        *,
        names: Sequence[str] = (),
        template_aligned: bool = False,
    ) -> Classifier:
        """Sort prompts by class, keeping their order within a class.

        Args:
            texts: Prompt embeddings, (P, D); they need not be unit length.
            text_class: Class of each prompt, integers 0..n_classes-1, (P,); every class occurs.
            n_classes: C.
            scoring: See the attribute.
            names: See the attribute.
            template_aligned: See the attribute.

        Raises:
            UsageError: Lengths differ, a class is out of range, or a class has no prompt.
        """
        if len(texts) != len(text_class):
            raise UsageError(f"{len(texts)} prompt rows but {len(text_class)} entries in text_class")
        if len(text_class) and not (text_class.min() >= 0 and text_class.max() < n_classes):
            raise UsageError(f"text_class ranges {text_class.min()}..{text_class.max()}; expected 0..{n_classes - 1}")
        counts = np.bincount(text_class, minlength=n_classes)
        if np.any(counts == 0):
            raise UsageError(f"class {int(np.argmin(counts))} has no prompt; every class 0..{n_classes - 1} needs one")
        order = np.argsort(text_class, kind="stable")
        return cls(texts[order], np.cumsum(counts) - counts, counts, scoring, tuple(names), template_aligned)

    @cached_property
    def rows(self) -> Float:
        """Prompt embeddings at unit length, (P, D)."""
        return unit(self.texts, "texts")

    @property
    def ragged(self) -> bool:
        """Whether classes have different numbers of prompts."""
        return bool(np.any(self.counts != self.counts[0]))

    def scores(self, images: NDArray[Any]) -> Float:
        """Score of every class for every image, before post-processing (docs/methods.md, "Scores and ensembling").

        Args:
            images: Image embeddings, (N, D); they need not be unit length.

        Returns:
            As `class_scores`.

        Raises:
            UsageError: Shapes do not fit, a row has no direction, or the rule does not fit the prompts.
        """
        if images.ndim != 2 or self.texts.ndim != 2 or images.shape[1] != self.texts.shape[1]:
            raise UsageError(f"images {images.shape} and texts {self.texts.shape} must be (N, D) and (P, D) with one D")
        rule, rows, n_classes = self.scoring.rule, self.rows, len(self.counts)
        if rule in ("norm-mean-norm", "mean-norm", "logit-mean"):
            voices = self.texts if rule == "mean-norm" else rows
            means = np.add.reduceat(voices.astype(np.float64), self.starts, axis=0) / self.counts[:, None]
            weights = means.astype(np.float32) if rule == "logit-mean" else unit(means, "mean prompt per class")
            return _in_blocks(images, weights, n_classes)
        if rule == "max":
            if self.ragged:
                raise UsageError(
                    f"max favours classes with more prompts, and the counts range {self.counts.min()}"
                    f"..{self.counts.max()}; use norm-mean-norm or give every class the same number"
                )
            return _in_blocks(images, rows, n_classes, lambda cos: np.maximum.reduceat(cos, self.starts, axis=1))
        scale = self._scale
        if rule == "prob-mean":
            if self.ragged or not self.template_aligned:
                raise UsageError(
                    "prob-mean averages over templates: prompt j of every class must come from one template,"
                    " and these prompts are not aligned so; use norm-mean-norm"
                )
            return _in_blocks(images, rows, n_classes, lambda cos: _prob_mean(scale * cos, n_classes))
        return self._dap(images)

    @property
    def _scale(self) -> np.float32:
        if self.scoring.logit_scale is None:
            raise UsageError(
                f"{self.scoring.rule} takes a softmax over prompts and needs the model's logit_scale, which is missing"
            )
        return np.float32(self.scoring.logit_scale)

    def _dap(self, images: NDArray[Any]) -> Float:
        """Sum over a class's prompts of log p(t | x) - log p(t), in one pass over the images, (N, C)."""
        out = np.empty((len(images), len(self.starts)))
        log_total = np.full(len(self.rows), -np.inf)
        for part, log_p in self.log_posteriors(images):
            out[part] = np.add.reduceat(log_p, self.starts, axis=1)
            log_total = np.logaddexp(log_total, np.logaddexp.reduce(log_p, axis=0))
        return np.asarray(out - np.add.reduceat(log_total - np.log(len(images)), self.starts), np.float32)

    def log_posteriors(self, images: NDArray[Any]) -> Iterator[tuple[slice, Array]]:
        """Log p(t | x): log-softmax over all prompts of scale x cosine, in blocks of images.

        Args:
            images: Image embeddings, (N, D).

        Yields:
            Slice of the images, and float64 (n, P) in nats.
        """
        for part in chunks(len(images), max(self.rows.shape)):
            yield part, log_softmax(self._scale * (_unit_block(images, part, "images") @ self.rows.T))


def class_scores(
    images: NDArray[Any],
    texts: NDArray[Any],
    text_class: NDArray[Any],
    n_classes: int,
    rule: str = "norm-mean-norm",
    *,
    logit_scale: float | None = None,
    template_aligned: bool = False,
) -> Float:
    """Zero-shot score of every class for every image: `Classifier.scores` on arrays.

    Rows need not be unit length; only `mean-norm` depends on the lengths of the prompt rows.

    Args:
        images: Image embeddings, (N, D).
        texts: Prompt embeddings, (P, D).
        text_class: Class of each prompt, integers 0..n_classes-1, (P,); every class occurs.
        n_classes: C.
        rule: One of `ENSEMBLES`.
        logit_scale: Native multiplier of the cosine, needed by `prob-mean` and `dap`.
        template_aligned: True if prompt j of every class comes from one template; needed by `prob-mean`.

    Returns:
        float32 (N, C): cosines in -1..1 (`norm-mean-norm`, `mean-norm`, `logit-mean`, `max`),
        probabilities (`prob-mean`) or log-likelihood ratios in nats (`dap`).

    Raises:
        UsageError: Shapes do not fit, a row has no direction, or the rule does not fit the prompts.
    """
    scoring = Scoring(rule, logit_scale=logit_scale)
    return Classifier.of(texts, text_class, n_classes, scoring, template_aligned=template_aligned).scores(images)


def _in_blocks(
    images: NDArray[Any], rows: Float, n_classes: int, reduce: Callable[[Float], NDArray[Any]] | None = None
) -> Float:
    """Return scores (N, C): the cosines with `rows`, in blocks (n, P), reduced to classes by `reduce`."""
    out = np.empty((len(images), n_classes), np.float32)
    for part in chunks(len(images), max(rows.shape)):
        cosines = _unit_block(images, part, "images") @ rows.T
        out[part] = cosines if reduce is None else reduce(cosines)
    return out


def _prob_mean(logits: Float, n_classes: int) -> Array:
    by_template = logits.reshape(len(logits), n_classes, -1).swapaxes(1, 2)
    return np.asarray(np.exp(log_softmax(by_template)).mean(axis=1))
