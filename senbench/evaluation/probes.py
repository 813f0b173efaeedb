"""Supervised anchors: classifiers trained with labels on the same embeddings, for scale (access level 3)."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError
from senbench.schema.result import Anchor, Anchors
from senbench.scoring.multi_label.evaluate import macro_map
from senbench.scoring.single_label.evaluate import score_single_label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.evaluation.outcome import LabelledSplit
    from senbench.scoring import Float as Rows
    from senbench.scoring import Mask
    from senbench.scoring.sample import Sample

NEIGHBOURS = (1, 5, 10, 20, 50)
"""Candidates for k."""
STRENGTHS = (1.0, 10.0, 100.0, 1000.0, 10000.0)
"""Candidates for C. Rows have unit length, so that useful values lie above scikit-learn's default of 1."""
TRAINING_NOISE = "the interval takes the trained classifier as given: other training images would give another"
"""Note on the figures of anchors."""
HELD_OUT = 0.2
"""Share of the training images held out to choose k and C."""
ITERATIONS = 1000
"""Most iterations of logistic regression."""


def measure(train: LabelledSplit, images: Rows, sample: Sample, seed: int = 0) -> Anchors:
    """Train the classifiers on one split and measure them on the evaluated images.

    k and C are chosen on a part of the training split (whole clusters where positions are known), never on the
    evaluated images; then all of the training split is trained on.

    Args:
        train: Training images, at unit length; the caller ensures that none of them is evaluated.
        images: Embeddings of the evaluated images, at unit length, (N, D).
        sample: Their labels, of the same task, and clusters.
        seed: Seed of the held-out part and of the intervals.

    Returns:
        `knn` and `linear_probe`, with top-1 accuracy or macro mAP.

    Raises:
        UsageError: There are too few training images or classes.
    """
    import sklearn

    held, single = held_out(train.sample, seed), sample.labels.ndim == 1
    fit_on, chosen_on = train.take(~held), train.take(held)
    for part, name in ((train, ""), (fit_on, " without the part that k and C are chosen on")):
        if single and len(np.unique(part.sample.labels)) < 2:
            raise UsageError(
                f"--anchors {train.split}: {train.split}{name} holds images of one class only; raise --limit"
            )
    warned: dict[str, None] = {}
    anchors = []
    for kind, title, name, candidates, score in (
        ("knn", "kNN", "k", tuple(k for k in NEIGHBOURS if k <= len(fit_on.rows)), neighbour_scores),
        ("linear_probe", "logistic regression", "C", STRENGTHS, probe_scores),
    ):
        # stable: the first, simplest of equally good candidates
        best = max(candidates, key=lambda v: _value(score(fit_on, chosen_on.rows, v, warned), chosen_on.sample.labels))
        scores = score(train, images, best, warned)
        figure = (
            score_single_label(scores, sample, seed=seed).metrics["top1"] if single else macro_map(scores, sample, seed)
        )
        anchors.append(
            Anchor(
                id=kind,
                title=title,
                metric="top1" if single else "map_macro",
                figure=figure.model_copy(update={"access_level": 3, "note": TRAINING_NOISE}),
                hyperparameters={name: float(best)},
            )
        )
    if len(train.rows) < train.n_expected:
        warned[f"anchors trained on {len(train.rows):,} of the {train.n_expected:,} tiles of {train.split}"] = None
    return Anchors(
        split=train.split,
        n_train=len(train.rows),
        n_expected=train.n_expected,
        index_hash=train.index_hash,
        held_out=int(held.sum()),
        classifiers=tuple(anchors),
        scikit_learn=sklearn.__version__,
        warnings=tuple(warned),
    )


def held_out(train: Sample, seed: int) -> Mask:
    """Return the images for choosing k and C, bool (N,): about a fifth, in whole clusters if positions are known."""
    n, sizes = len(train.labels), train.sizes
    if len(sizes) < 2:
        raise UsageError(f"anchors: {n} training images in {len(sizes)} cluster cannot be divided")
    order = np.random.default_rng(seed).permutation(len(sizes))
    enough = int(np.searchsorted(np.cumsum(sizes[order]), HELD_OUT * n)) + 1
    return np.isin(train.codes, order[: min(enough, len(sizes) - 1)])


def neighbour_scores(train: LabelledSplit, rows: Rows, k: float, warned: dict[str, None]) -> Rows:
    """Return the share of the k nearest training images (cosine) with each class or label, float32 (M, C).

    Equal to `KNeighborsClassifier(k).predict_proba`; ties are broken by class order.
    """
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=int(k), algorithm="brute").fit(train.rows)
    hot = np.stack([train.sample.positive(c) for c in range(len(train.sample.class_keys))], axis=1)
    nearest = search.kneighbors(rows, return_distance=False)
    return np.asarray(hot[nearest].mean(axis=1), np.float32)


def probe_scores(train: LabelledSplit, rows: Rows, strength: float, warned: dict[str, None]) -> Rows:
    """Return scores of logistic regression, float32 (M, C): probabilities, or one-vs-rest decision values for labels.

    A class without a training image is never predicted.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    model, labels = LogisticRegression(C=strength, max_iter=ITERATIONS), train.sample.labels
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        if labels.ndim == 2:
            scores = OneVsRestClassifier(model).fit(train.rows, labels.astype(int)).decision_function(rows)
        else:
            model.fit(train.rows, labels)
            scores = np.zeros((len(rows), len(train.sample.class_keys)))
            scores[:, model.classes_] = model.predict_proba(rows)
    if any(issubclass(w.category, ConvergenceWarning) for w in raised):
        warned[f"logistic regression with C = {strength:g} did not converge in {ITERATIONS:,} iterations"] = None
    return np.asarray(scores, np.float32)


def _value(scores: Rows, labels: NDArray[Any]) -> float:
    """Return top-1 accuracy, or mean average precision over the labels with a positive."""
    if labels.ndim == 1:
        return float((scores.argmax(axis=1) == labels).mean())
    from sklearn.metrics import average_precision_score

    some = labels.any(axis=0)
    return float(np.mean([average_precision_score(labels[:, k], scores[:, k]) for k in np.flatnonzero(some)] or [0.0]))
