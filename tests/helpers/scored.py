"""Figures of scores and labels in one call, with classes a, b, c, ..."""

from __future__ import annotations

from string import ascii_lowercase

from senbench.scoring.multi_label.evaluate import score_multi_label
from senbench.scoring.postprocess import Scoring
from senbench.scoring.sample import Sample
from senbench.scoring.single_label.evaluate import score_single_label

OPTIONS = ("class_names", "together", "thresholds", "wilson", "seed")


def evaluate(scores, labels, clusters=None, **options):
    """Single-label or multi-label figures; options are those of `Scoring` and of the scoring functions."""
    call = score_single_label if labels.ndim == 1 else score_multi_label
    own = {name: options.pop(name) for name in OPTIONS if name in options}
    sample = Sample(labels, ascii_lowercase[: scores.shape[1]], clusters)
    return call(scores, sample, Scoring(**options), **own)
