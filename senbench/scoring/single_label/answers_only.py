"""Figures of answers without scores; those that need scores are undefined, with the reason."""

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
"""Figures that cannot be computed from the answer alone."""
CARRIERS = {"predictions": "predictions carry", "confusion": "a confusion matrix carries"}
"""Beginning of the reason, by kind of input."""


def evaluate_answers(
    predictions: Index, sample: Sample, kind: str, *, class_names: Sequence[str] = (), seed: int = 0
) -> Outcome:
    """Compute all figures that follow from one answer per image.

    Args:
        predictions: Class index per image, 0..C-1, (N,).
        sample: The images.
        kind: Kind of input, `predictions` or `confusion`, for the reasons.
        class_names: Class names, C; empty for the class keys.
        seed: Seed of the bootstrap.

    Returns:
        The figures, with `scores` that are 1 for the answer and 0 for every other class.

    Raises:
        UsageError: As `score_single_label`.
    """
    made = score_single_label(one_hot(predictions, len(sample.class_keys)), sample, class_names=class_names, seed=seed)
    reason = f"none: {CARRIERS[kind]} no scores"
    missing = {"value": None, "ci": None, "interval": reason, "note": None}
    metrics = {
        name: metric.model_copy(update=missing) if name in NEED_SCORES else metric
        for name, metric in made.metrics.items()
    }
    return replace(made, metrics=metrics, ties=0)


def one_hot(predictions: Index, c: int) -> Float:
    """Return float32 (N, C) with 1 for the answer."""
    return np.eye(c, dtype=np.float32)[predictions]


def spread_out(confusion: Index) -> tuple[Index, Index]:
    """Expand a confusion matrix to labels and answers (N,), row by row.

    Args:
        confusion: Counts (C, C), rows true class.
    """
    c = len(confusion)
    places = np.repeat(np.arange(c * c), confusion.ravel())
    return places // c, places % c
