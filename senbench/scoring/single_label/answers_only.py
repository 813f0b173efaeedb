"""Figures of answers without scores: what only scores can tell is undefined, with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from senbench.scoring.single_label.evaluate import score_single_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.scoring import Float, Index
    from senbench.scoring.figures import Outcome
    from senbench.scoring.sample import Sample

NEED_SCORES = ("top5", "nll", "brier", "ece", "ece_l1")
"""Figures that the answer alone does not give."""
CARRIERS = {"predictions": "predictions carry", "confusion": "a confusion matrix carries"}
"""What was given, for the reason that stands in place of a figure."""


def evaluate_answers(
    predictions: Index, sample: Sample, given: str, *, class_names: Sequence[str] = (), seed: int = 0
) -> Outcome:
    """All figures that follow from one answer per image.

    Args:
        predictions: Class index per image, 0..C-1, (N,).
        sample: The images.
        given: What the answers are known from, `predictions` or `confusion`, for the reasons.
        class_names: Class names, C; empty: the class keys.
        seed: Seed of the bootstrap.

    Returns:
        The figures, with `scores` that are 1 for the answer and 0 for every other class.

    Raises:
        UsageError: As `score_single_label`.
    """
    made = score_single_label(one_hot(predictions, len(sample.class_keys)), sample, class_names=class_names, seed=seed)
    reason = f"none: {CARRIERS[given]} no scores"
    missing = {"value": None, "ci": None, "interval": reason, "note": None}
    metrics = {
        name: metric.model_copy(update=missing) if name in NEED_SCORES else metric
        for name, metric in made.metrics.items()
    }
    return replace(made, metrics=metrics, ties=0)


def one_hot(predictions: Index, c: int) -> Float:
    """float32 (N, C), 1 for the answer."""
    return np.eye(c, dtype=np.float32)[predictions]


def spread_out(confusion: Index) -> tuple[Index, Index]:
    """Labels and answers (N,) that a confusion matrix counts, rows first.

    Args:
        confusion: Counts (C, C), rows true class.
    """
    c = len(confusion)
    places = np.repeat(np.arange(c * c), confusion.ravel())
    return places // c, places % c
