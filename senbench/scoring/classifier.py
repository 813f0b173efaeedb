"""From embeddings to one score per image and class: the ensembling rules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from senbench.errors import UsageError
from senbench.schema.terms import Ensemble

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Float = NDArray[np.float32]
Index = NDArray[np.int64]

ENSEMBLES: tuple[str, ...] = get_args(Ensemble)
CHUNK_CELLS = 1 << 18
"""Cells of the largest temporary array (2 MB in float64, which stay in the cache: twice as fast as 32 MB)."""


def chunks(n: int, width: int) -> Iterator[slice]:
    """Slices of 0..n such that a slice times `width` columns stays within `CHUNK_CELLS`."""
    step = max(1, CHUNK_CELLS // max(1, width))
    for start in range(0, n, step):
        yield slice(start, min(start + step, n))


def unit(rows: NDArray[Any], what: str = "embeddings") -> Float:
    """Rows at unit Euclidean length.

    Rows are divided by their largest magnitude first, in float64, so that neither huge nor tiny
    values overflow or vanish when squared.

    Args:
        rows: Real numbers, shape (N, D).
        what: Name of the array in error messages.

    Returns:
        float32, shape (N, D).

    Raises:
        UsageError: A row holds NaN or infinity, or is all zero; the message gives its index.
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
class PromptRows:
    """Prompt rows sorted by class.

    Attributes:
        raw: Rows as given, (P, D).
        starts: First row of each class, (C,).
        counts: Rows of each class, (C,).
    """

    raw: NDArray[Any]
    starts: Index
    counts: Index

    @property
    def ragged(self) -> bool:
        """Whether classes have different numbers of prompts."""
        return bool(np.any(self.counts != self.counts[0]))


def by_class(texts: NDArray[Any], text_class: NDArray[Any], n_classes: int) -> PromptRows:
    """Prompt rows sorted by class, in their own order within a class.

    Args:
        texts: Prompt embeddings, (P, D).
        text_class: Class of each prompt, integers, (P,).
        n_classes: C.

    Returns:
        Sorted rows with the extent of each class.

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
    return PromptRows(texts[order], np.cumsum(counts) - counts, counts)


def _class_means(rows: NDArray[Any], prompts: PromptRows) -> NDArray[np.float64]:
    sums = np.add.reduceat(rows.astype(np.float64), prompts.starts, axis=0)
    return np.asarray(sums / prompts.counts[:, None])


def _need_scale(rule: str, logit_scale: float | None) -> np.float32:
    if logit_scale is None:
        raise UsageError(f"{rule} takes a softmax over prompts and needs the model's logit_scale; none is given")
    return np.float32(logit_scale)


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
    """Zero-shot score of every class for every image (docs/methods.md, "Scores and ensembling").

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
    if rule not in ENSEMBLES:
        raise UsageError(f"unknown ensembling rule {rule!r}; available: {', '.join(ENSEMBLES)}")
    if images.ndim != 2 or texts.ndim != 2 or images.shape[1] != texts.shape[1]:
        raise UsageError(f"images {images.shape} and texts {texts.shape} must be (N, D) and (P, D) with one D")
    prompts = by_class(texts, text_class, n_classes)
    rows = unit(prompts.raw, "texts")
    if rule in ("norm-mean-norm", "mean-norm", "logit-mean"):
        means = _class_means(prompts.raw if rule == "mean-norm" else rows, prompts)
        weights = means.astype(np.float32) if rule == "logit-mean" else unit(means, "mean prompt per class")
        return _cosines(images, weights)
    if rule == "max":
        if prompts.ragged:
            raise UsageError(
                f"max favours classes with more prompts, and the counts range {prompts.counts.min()}"
                f"..{prompts.counts.max()}; use norm-mean-norm or give every class the same number"
            )
        return _per_prompt(images, rows, lambda cos: np.maximum.reduceat(cos, prompts.starts, axis=1), n_classes)
    scale = _need_scale(rule, logit_scale)
    if rule == "prob-mean":
        if prompts.ragged or not template_aligned:
            raise UsageError(
                "prob-mean averages over templates: prompt j of every class must come from one template,"
                " and these prompts are not aligned so; use norm-mean-norm"
            )
        return _per_prompt(images, rows, lambda cos: _prob_mean(scale * cos, n_classes), n_classes)
    return _dap(images, rows, prompts.starts, scale)


def _cosines(images: NDArray[Any], weights: Float) -> Float:
    out = np.empty((len(images), len(weights)), np.float32)
    for part in chunks(len(images), max(images.shape[1], len(weights))):
        out[part] = _unit_block(images, part, "images") @ weights.T
    return out


def _per_prompt(images: NDArray[Any], rows: Float, reduce: Callable[[Float], NDArray[Any]], n_classes: int) -> Float:
    """Scores (N, C) from `reduce` on blocks of cosines (n, P)."""
    out = np.empty((len(images), n_classes), np.float32)
    for part in chunks(len(images), max(rows.shape)):
        out[part] = reduce(_unit_block(images, part, "images") @ rows.T)
    return out


def log_softmax(logits: NDArray[Any]) -> NDArray[np.float64]:
    """Log-probabilities along the last axis, in float64."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return np.asarray(shifted)


def _prob_mean(logits: Float, n_classes: int) -> NDArray[np.float64]:
    by_template = logits.reshape(len(logits), n_classes, -1).swapaxes(1, 2)
    return np.asarray(np.exp(log_softmax(by_template)).mean(axis=1))


def _dap(images: NDArray[Any], rows: Float, starts: Index, scale: np.float32) -> Float:
    """Sum over a class's prompts of log p(t | x) - log p(t), in one pass over the images, float32 (N, C)."""
    out = np.empty((len(images), len(starts)))
    log_total = np.full(len(rows), -np.inf)
    for part, log_p in log_posteriors(images, rows, scale):
        out[part] = np.add.reduceat(log_p, starts, axis=1)
        log_total = np.logaddexp(log_total, np.logaddexp.reduce(log_p, axis=0))
    return np.asarray(out - np.add.reduceat(log_total - np.log(len(images)), starts), np.float32)


def log_posteriors(
    images: NDArray[Any], rows: Float, scale: float | np.float32
) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Log p(t | x): log-softmax over all prompts of scale x cosine, in blocks of images.

    Args:
        images: Image embeddings, (N, D).
        rows: Unit prompt rows, (P, D).
        scale: Native multiplier of the cosine.

    Yields:
        Slice of the images, and float64 (n, P) in nats.
    """
    for part in chunks(len(images), max(rows.shape)):
        yield part, log_softmax(np.float32(scale) * (_unit_block(images, part, "images") @ rows.T))
