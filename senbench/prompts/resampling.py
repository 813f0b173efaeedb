"""Measures how much a figure depends on the choice of prompts: resampled prompts, and each prompt left out.

Definitions and reasons: docs/methods.md, "Sensitivity to prompts".
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from senbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.prompts.pool import Array, Pool, Truth

CELLS = 1 << 21
"""Most scores of one class in memory at a time (8 MB)."""
STEPS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000)
"""Numbers of prompts on the curve of accuracy."""


def check_size(counts: Sequence[int], k: int | None) -> int:
    """The number of prompts per class to draw without replacement: k, or half of the smallest class.

    Raises:
        UsageError: k is not within 1..n/2.
    """
    half = min(counts) // 2
    if half < 1:
        raise UsageError("a class has one prompt: there is nothing to resample; give at least two per class")
    if k is not None and not 1 <= k <= half:
        raise UsageError(
            f"--k {k} of {min(counts)} prompts per class: without replacement the band shrinks artificially as k nears "
            f"all of them, since draws then share most prompts; give 1 to {half}, or --bootstrap for n of n with "
            "replacement"
        )
    return half if k is None else k


def draw(counts: Sequence[int], k: int | None, n_draws: int, seed: int) -> list[Array]:
    """Weightings of random draws of prompts, the same for every model.

    Args:
        counts: Prompts of each class, C.
        k: Prompts per class, without replacement; None: as many as the class has, with replacement.
        n_draws: Draws M.
        seed: Seed.

    Returns:
        Per class, how often each prompt is drawn, float64 (n_c, M).
    """
    rng = np.random.default_rng(seed)
    weightings = []
    for n in counts:
        if k is None:
            weightings.append(rng.multinomial(n, np.full(n, 1 / n), n_draws).T.astype(np.float64))
        else:
            order = rng.random((n, n_draws)).argsort(axis=0)
            weights = np.zeros((n, n_draws))
            np.put_along_axis(weights, order[:k], 1, axis=0)
            weightings.append(weights)
    return weightings


def resampled(pool: Pool, truth: Truth, weights: Sequence[Array]) -> Array:
    """Figure of each class under each draw.

    Args:
        pool: Prompts and images of one model.
        truth: Labels.
        weights: Per class (n_c, M), from `draw`.

    Returns:
        float64 (M, C).
    """
    parts = _parts(weights[0].shape[1], pool)
    return np.concatenate([truth.figures([pool.column(c, w[:, p]) for c, w in enumerate(weights)]) for p in parts])


def _parts(n: int, pool: Pool) -> list[slice]:
    """Split n weightings into parts whose scores fit into `CELLS`."""
    step = max(1, CELLS // pool.n)
    return [slice(start, start + step) for start in range(0, n, step)]


def steps(half: int) -> tuple[int, ...]:
    """Numbers of prompts of the curve: 1, 2, 5, 10, 25, ... up to half of the smallest class."""
    return (*(k for k in STEPS if k < half), half)


@dataclass(frozen=True)
class Band:
    """Spread of one figure over draws: median, and the quantiles that 5 and 95 % of the draws stay below."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Array) -> Band:
        """Of the values of M draws."""
        low, median, high = np.quantile(values, (0.05, 0.5, 0.95))
        return cls(float(median), float(low), float(high))


@dataclass(frozen=True)
class Flips:
    """How often the order of models depends on the draw.

    Attributes:
        order_changes: Share of draws in which at least one pair has another order than with all prompts.
        pairs: For each pair (positions of the models), the share of draws that reverse it; None if the two are equal
            with all prompts.
    """

    order_changes: float
    pairs: dict[tuple[int, int], float | None]


def flips(everything: Sequence[float], values: Sequence[Array]) -> Flips:
    """Compare the order of models in each draw with that for all prompts; equal values reverse nothing.

    Args:
        everything: Value of each model with all prompts.
        values: Of each model, its value in each of the same draws, (M,).
    """
    pairs: dict[tuple[int, int], float | None] = {}
    changed = np.zeros(len(values[0]), bool)
    for i, j in combinations(range(len(values)), 2):
        usual = np.sign(everything[i] - everything[j])
        turned = np.sign(values[i] - values[j]) == -usual
        pairs[i, j] = float(turned.mean()) if usual else None
        if usual:
            changed |= turned
    return Flips(float(changed.mean()), pairs)


def left_out(pool: Pool, truth: Truth) -> tuple[Array, list[Array]]:
    """Figures with all prompts, and without each of them.

    Args:
        pool: Prompts and images of one model.
        truth: Labels.

    Returns:
        With all, (C,); and per class, row j without its prompt j, (n_c, C): NaN where it is the only one.
    """
    scores = pool.scores()
    everything = truth.figures(np.split(scores, len(pool.counts), axis=1))[0]
    without = []
    for c, n in enumerate(pool.counts):
        if n == 1:
            without.append(np.full((1, len(pool.counts)), np.nan))
            continue
        weights = np.ones((n, n)) - np.eye(n)
        columns = (pool.column(c, weights[:, part]) for part in _parts(n, pool))
        without.append(np.concatenate([truth.replaced(scores, everything, c, column) for column in columns]))
    return everything, without


def contributions(truth: Truth, name: str, everything: Array, without: Sequence[Array]) -> list[Array]:
    """Leave-one-out contribution of each prompt: the summary with all prompts less that without it.

    Returns:
        Per class, (n_c,); above 0: the prompt helps; NaN where it is the only one of its class.
    """
    whole = truth.summary(name, everything)
    return [
        np.where(np.isnan(rows).all(axis=1), np.nan, np.round(whole - truth.summary(name, rows), 12))
        for rows in without
    ]
