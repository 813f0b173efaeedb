"""Scores, intervals and comparisons, against scikit-learn on as many resamples."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from senbench.scoring.classifier import Classifier, unit
from senbench.scoring.comparison.contrasts import ResampledCell, contrasts
from senbench.scoring.intervals.crossed_bootstrap import Units, cell_draws, draws_for, prompt_weights
from senbench.scoring.multi_label.evaluate import score_multi_label
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


@pytest.mark.whole
def test_multi_label(against):
    """120,000 x 19 in 60 tiles, all figures with intervals of 1,061 weightings; average precision of two there."""
    rng, n, labels, tiles, weightings, done = np.random.default_rng(0), 120_000, 19, 60, 1061, 2
    tile = rng.integers(0, tiles, n)
    truth = rng.random((n, labels)) < np.geomspace(0.45, 0.02, labels)
    scores = (rng.normal(0, 0.02, (n, labels)) + 0.2 + 0.02 * truth).astype(np.float32)
    sample, how = Sample(truth, [str(k) for k in range(labels)], tile), Scoring(logit_scale=100.0, logit_bias=-20.0)

    def by_scikit_learn() -> None:
        for _ in range(done):
            weights = rng.multinomial(tiles, np.full(tiles, 1 / tiles))[tile]
            for average in ("macro", "micro"):
                metrics.average_precision_score(truth, scores, average=average, sample_weight=weights)

    what, work = "scikit-learn, per weighting", weightings / done
    against(lambda: score_multi_label(scores, sample, how), by_scikit_learn, what=what, work=work, goal=20, rounds=3)


@pytest.mark.whole
def test_factorial(against):
    """Two models x three styles x 27,000 images, against the scores with intervals of these six cells."""
    models, styles = ("a", "b"), ("aerial", "ground", "generic")
    labels, owner = np.random.default_rng(9).integers(0, C, N), np.repeat(np.arange(C), PER_CLASS)
    images, texts = {}, {}
    for seed, model in enumerate(models):
        rng = np.random.default_rng(seed)
        prototypes = rng.normal(size=(C, D)).astype(np.float32)
        images[model] = 0.12 * prototypes[labels] + rng.normal(size=(N, D)).astype(np.float32)
        for style in styles:
            texts[model, style] = [unit(0.3 * p + rng.normal(size=(PER_CLASS, D))) for p in prototypes]
    sample = Sample(labels, [str(k) for k in range(C)], None)

    def cells() -> None:
        for (model, _), found in texts.items():
            classifier = Classifier.of(np.concatenate(found), owner, C, Scoring(logit_scale=20.0))
            zero_shot(classifier, images[model], sample)

    def factorial() -> None:
        draws = draws_for(labels)
        units, resampled = Units.of(sample, draws, 0), {}
        for (model, style), found in texts.items():
            weights = prompt_weights(found, [100 * styles.index(style) + k for k in range(C)], draws, 0)
            cell = cell_draws(images[model], found, weights, labels, units)
            resampled[model, style] = ResampledCell(0.5, np.full(C, 0.5), cell, PER_CLASS)
        contrasts(resampled, models, styles, (), {s: s for s in styles}, sample)

    against(factorial, cells, what="scores with intervals of the same cells", rounds=1)
