"""Selects K prompts of each class: by scores that need no label, or by greedy forward selection with labels.

Definitions and reasons: docs/methods.md, "Selection of prompts". Prompts and classes are matched by index here; the
caller has aligned them by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from senbench.errors import UsageError
from senbench.runtime.lookup import unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from senbench.prompts.pool import Array, Float, Index, Pool, Truth

TOP = 1000
"""Most images that represent a class, as in the SenCLIP release."""
BALANCE = 0.5
"""Weight of redundancy against relevance, both on 0..1."""


def images_per_class(n: int, n_classes: int) -> int:
    """Return how many images represent a class: min(1000, N / C), at most the size of a balanced class."""
    return max(1, min(TOP, n // n_classes))


def top_images(scores: Float) -> list[Index]:
    """Return the images that represent each class, without labels.

    These are the images with the highest score of the class relative to the image's mean over all classes; subtracting
    the mean removes what makes an image similar to every text.

    Args:
        scores: Class scores with all prompts, (N, C).

    Returns:
        Per class, positions of its images, best first.
    """
    n, c = scores.shape
    relative = scores - scores.mean(axis=1, keepdims=True)
    m = images_per_class(n, c)
    return [np.argsort(-relative[:, k], kind="stable")[:m] for k in range(c)]


def mean_similarity(pool: Pool) -> list[Array]:
    """Mean product of each prompt with the images that stand for its class, per class (n_c,)."""
    chosen = top_images(pool.scores())
    return [products[rows].mean(axis=0, dtype=np.float64) for products, rows in zip(pool.products, chosen, strict=True)]


def tfidf(pool: Pool) -> list[Array]:
    """TF-IDF with images as documents and prompts as terms, per class (n_c,).

    A prompt occurs in an image if it is among the image's q best prompts of all classes, q = P / C: the number that
    one class has. Its frequency there is the product above the image's mean over all prompts, else 0. df is the number
    of images in which it occurs, idf = ln((1 + N) / (1 + df)); the score is idf times the mean frequency over the
    images that stand for the class.
    """
    every = np.concatenate(pool.products, axis=1)
    n, p = every.shape
    q = max(1, round(p / len(pool.counts)))
    least = np.partition(every, p - q, axis=1)[:, p - q]
    occurs = every >= least[:, None]
    idf = np.log((1 + n) / (1 + occurs.sum(axis=0)))
    frequency = np.where(occurs, np.maximum(every - every.mean(axis=1, keepdims=True), 0), 0)
    starts = np.cumsum(pool.counts)[:-1]
    by_class = zip(np.split(frequency, starts, axis=1), np.split(idf, starts), top_images(pool.scores()), strict=True)
    return [frequencies[rows].mean(axis=0, dtype=np.float64) * weight for frequencies, weight, rows in by_class]


def concentration(pool: Pool) -> list[Array]:
    """Signed Herfindahl index of each prompt, per class (n_c,), -1..1.

    Of the images that a prompt ranks highest, relative to their mean over the classes, share s_k is predicted as class
    k by the whole pool; the index is the sum of s_k squared, 1 where all are one class. It is negative unless the
    prompt's own class has the largest share: being concentrated on another class is no merit.
    """
    scores = pool.scores()
    n, c = scores.shape
    predicted, mean, m = scores.argmax(axis=1), scores.mean(axis=1, keepdims=True), images_per_class(n, c)
    indices = []
    for k, products in enumerate(pool.products):
        best = np.argsort(-(products - mean), axis=0, kind="stable")[:m]
        shares = np.stack([np.bincount(predicted[rows], minlength=c) / m for rows in best.T])
        herfindahl = (shares**2).sum(axis=1)
        indices.append(np.where(shares[:, k] >= shares.max(axis=1), herfindahl, -herfindahl))
    return indices


def redundancy_aware(pool: Pool, k: int) -> list[Index]:
    """Greedy ranking by relevance less redundancy (maximal marginal relevance, Carbonell and Goldstein 1998).

    Relevance is the mean similarity, redundancy the largest cosine with a prompt that is chosen already; each is
    brought to 0..1 within the class, since cosines between texts lie far above those between text and image.

    Args:
        pool: The pool.
        k: Prompts per class.

    Returns:
        Per class, k positions in the order in which they were chosen; ties go to the prompt that comes first.
    """
    ranked = []
    for relevance, gram in zip(mean_similarity(pool), pool.grams, strict=True):
        length = np.sqrt(np.diag(gram))
        cosines = gram / np.outer(length, length)
        between = cosines[~np.eye(len(cosines), dtype=bool)]
        worth, alike = _rescaled(relevance, relevance), _rescaled(cosines, between if len(between) else cosines)
        chosen = [int(np.argmax(worth))]
        while len(chosen) < k:
            merit = (1 - BALANCE) * worth - BALANCE * alike[:, chosen].max(axis=1)
            merit[chosen] = -np.inf
            chosen.append(int(np.argmax(merit)))
        ranked.append(np.array(chosen))
    return ranked


def _rescaled(values: Array, scale: Array) -> Array:
    """Values with the range of `scale` brought to 0..1; 0 where that range is empty."""
    low, high = scale.min(), scale.max()
    return (values - low) / (high - low) if high > low else np.zeros_like(values)


def forward(pool: Pool, k: int, truth: Truth) -> list[Index]:
    """Greedy forward selection by labels (access level 3).

    In k rounds every class, in label order, takes the prompt that makes balanced accuracy (several labels: macro mAP)
    best, given what the others have; a class that has not had its first turn stands with all its prompts.

    Args:
        pool: The pool.
        k: Prompts per class.
        truth: Labels of its images.

    Returns:
        Per class, k positions in the order in which they were chosen; ties go to the prompt that comes first.
    """
    goal = list(truth.summaries)[-1]
    scores = pool.scores()
    figures = truth.figures(np.split(scores, len(pool.counts), axis=1))[0]
    selected: list[list[int]] = [[] for _ in pool.counts]
    for _ in range(k):
        for c, n in enumerate(pool.counts):
            candidates = np.eye(n)
            candidates[selected[c]] += 1
            columns = pool.column(c, candidates)
            possible = truth.replaced(scores, figures, c, columns)
            value = truth.summary(goal, possible)
            value[selected[c]] = -np.inf
            best = int(np.argmax(value))
            selected[c].append(best)
            scores[:, c], figures = columns[:, best], possible[best]
    return [np.array(chosen) for chosen in selected]


SCORES: dict[str, Callable[[Pool], list[Array]]] = {"mean": mean_similarity, "tfidf": tfidf, "hhi": concentration}
"""Scores that rate each prompt separately."""
METHODS = (*SCORES, "redundancy", "labels")
"""What `--by` takes."""


def choose(pool: Pool, k: int, by: str, truth: Truth | None = None) -> list[Index]:
    """Choose k prompts of each class.

    Args:
        pool: Prompts of every class on the images that selection may see.
        k: Prompts per class.
        by: One of `METHODS`.
        truth: Labels of these images, for `labels` only.

    Returns:
        Per class, k positions among its prompts, best first; ties go to the higher mean similarity, then to the prompt
        that comes first.

    Raises:
        UsageError: An unknown method, or a class with fewer than k prompts.
    """
    if by not in METHODS:
        raise unknown("--by", by, METHODS)
    if k < 1 or k > min(pool.counts):
        short = int(np.argmin(pool.counts))
        raise UsageError(f"--k {k}: class {short} has {pool.counts[short]} distinct prompts; give 1 to that many")
    if by == "redundancy":
        return redundancy_aware(pool, k)
    if by == "labels":
        if truth is None:
            raise UsageError("--by labels needs labels")
        return forward(pool, k, truth)
    return [
        np.lexsort((-mean, -score))[:k] for score, mean in zip(SCORES[by](pool), mean_similarity(pool), strict=True)
    ]
