"""Prompts of three classes, as often as a weighting says, on the ordinary scoring path."""

from __future__ import annotations

import numpy as np

from senbench.evaluation.outcome import outcome
from senbench.scoring.classifier import Classifier
from senbench.scoring.postprocess import Scoring
from senbench.scoring.sample import Sample

COUNTS = (4, 6, 3)


TEXT_CLASS = np.repeat(np.arange(3), COUNTS)


def repeated(texts, weights):
    """The prompts as often as a weighting says, and their classes."""
    times = np.concatenate(weights).astype(int)
    return np.repeat(texts, times, axis=0), np.repeat(TEXT_CLASS, times)


def ordinary(images, texts, text_class, labels, rule="norm-mean-norm"):
    return outcome(Classifier.of(texts, text_class, 3, Scoring(rule)), images, Sample(labels, "abc"))
