"""Scores and multi-hot labels of six labels from common to rare."""

from __future__ import annotations

import numpy as np


def sample(n: int = 200, seed: int = 0, decimals: int | None = None):
    """Scores (n, 6) that favour the true labels, rounded where ties are wanted, and the labels, bool (n, 6)."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 6)) < [0.6, 0.4, 0.3, 0.2, 0.1, 0.05]
    truth[0] = True  # every label has a positive
    scores = rng.normal(0.2, 0.05, (n, 6)) + 0.04 * truth
    return (scores if decimals is None else np.round(scores, decimals)).astype(np.float32), truth
