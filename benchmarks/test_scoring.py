"""Scores and intervals: 27,000 images x 10 classes with all metrics, against scikit-learn on the same resamples."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from senbench.scoring.classifier import Classifier
from senbench.scoring.postprocess import Scoring
from senbench.scoring.sample import Sample
from senbench.scoring.single_label.evaluate import zero_shot

pytestmark = pytest.mark.benchmark(group="scoring")
N, D, C, PER_CLASS = 27_000, 512, 10, 51
RESAMPLES, DONE = 2000, 20


@pytest.mark.parametrize("postprocess", ["none", "column-mean"])
def test_all_metrics_with_intervals(against, postprocess):
    """2,000 resamples of every metric here, 20 of three metrics there: a hundredth of the work."""
    rng = np.random.default_rng(0)
    prototypes, labels, owner = rng.normal(size=(C, D)), rng.integers(0, C, N), np.repeat(np.arange(C), PER_CLASS)
    images = (0.12 * prototypes[labels] + rng.normal(size=(N, D)) + 0.5).astype(np.float32)
    texts = (0.3 * prototypes[owner] + rng.normal(size=(C * PER_CLASS, D)) + 0.5).astype(np.float32)
    sample = Sample(labels, [str(k) for k in range(C)], None)
    classifier = Classifier.of(
        texts, owner, C, Scoring("norm-mean-norm", postprocess, logit_scale=20.0), template_aligned=True
    )
    predicted = classifier.scores(images).argmax(axis=1)

    def by_scikit_learn() -> None:
        for _ in range(DONE):
            drawn = rng.integers(0, N, N)
            metrics.accuracy_score(labels[drawn], predicted[drawn])
            metrics.balanced_accuracy_score(labels[drawn], predicted[drawn])
            metrics.f1_score(labels[drawn], predicted[drawn], average="macro")

    what = "scikit-learn, per resample"
    against(lambda: zero_shot(classifier, images, sample), by_scikit_learn, what=what, work=RESAMPLES / DONE, rounds=3)
