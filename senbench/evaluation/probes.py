"""Supervised anchors: what labels reach on the same embeddings, as a line for scale (access level 3)."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError
from senbench.schema.result import Anchor, Anchors, Metric
from senbench.scoring.multi_label.evaluate import macro_map
from senbench.scoring.sample import Sample
from senbench.scoring.single_label.evaluate import score_single_label

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Rows = NDArray[np.float32]

NEIGHBOURS = (1, 5, 10, 20, 50)
"""Candidates for k."""
STRENGTHS = (1.0, 10.0, 100.0, 1000.0, 10000.0)
"""Candidates for C. Rows have unit length, so that useful values lie above scikit-learn's default of 1."""
HELD_OUT = 0.2
"""Share of the training images on which k and C are chosen."""
ITERATIONS = 1000
"""Iterations of logistic regression."""


@dataclass(frozen=True)
class Labelled:
    """Embeddings with labels.

    Attributes:
        rows: Unit-length float32 (N, D).
        labels: Class index per image, int64 (N,), or multi-hot, bool (N, C).
        clusters: Spatial cluster per image, (N,); None where positions are unknown.
    """

    rows: Rows
    labels: NDArray[Any]
    clusters: NDArray[Any] | None = None

    def take(self, chosen: NDArray[Any]) -> Labelled:
        """Part of the images, by position or mask."""
        return Labelled(
            self.rows[chosen], self.labels[chosen], None if self.clusters is None else self.clusters[chosen]
        )


def measure(
    train: Labelled,
    test: Labelled,
    class_keys: Sequence[str],
    *,
    split: str,
    n_expected: int,
    index_hash: str,
    seed: int = 0,
) -> Anchors:
    """Train the classifiers on one split and measure them on the evaluated images.

    k and C are chosen on a part of the training split (whole clusters where positions are known), never on the
    evaluated images; then all of the training split is trained on.

    Args:
        train: Training images. None of them may be among the evaluated ones: the caller sees to it.
        test: Evaluated images, of the same task.
        class_keys: Class keys in label order, C.
        split: Name of the training split.
        n_expected: Images it should have.
        index_hash: Hash of its images and labels.
        seed: Seed of the held-out part and of the intervals.

    Returns:
        `knn` and `linear_probe`, with top-1 accuracy or macro mAP.

    Raises:
        UsageError: Too few training images or classes.
    """
    import sklearn

    c = len(class_keys)
    held = held_out(train, seed)
    fit_on, chosen_on = train.take(~held), train.take(held)
    for part, name in ((train, split), (fit_on, f"{split} without the part that k and C are chosen on")):
        if part.labels.ndim == 1 and len(np.unique(part.labels)) < 2:
            raise UsageError(f"--anchors {split}: {name} holds images of one class only; raise --limit")
    told: dict[str, None] = {}
    found = []
    for kind, title, name, candidates, score in (
        ("knn", "kNN", "k", tuple(k for k in NEIGHBOURS if k <= len(fit_on.rows)), neighbour_scores),
        ("linear_probe", "logistic regression", "C", STRENGTHS, probe_scores),
    ):
        # stable: of equally good candidates the first, the simplest
        best = max(candidates, key=lambda v: _value(score(fit_on, chosen_on.rows, c, v, told), chosen_on.labels))
        figure = _figure(score(train, test.rows, c, best, told), test, class_keys, seed)
        found.append(
            Anchor(
                id=kind,
                title=title,
                metric="top1" if test.labels.ndim == 1 else "map_macro",
                figure=figure.model_copy(update={"access_level": 3}),
                hyperparameters={name: float(best)},
            )
        )
    if len(train.rows) < n_expected:
        told[f"anchors trained on {len(train.rows):,} of the {n_expected:,} tiles of {split}"] = None
    return Anchors(
        split=split,
        n_train=len(train.rows),
        n_expected=n_expected,
        index_hash=index_hash,
        held_out=int(held.sum()),
        classifiers=tuple(found),
        scikit_learn=sklearn.__version__,
        warnings=tuple(told),
    )


def held_out(train: Labelled, seed: int) -> NDArray[np.bool_]:
    """Images on which k and C are chosen, bool (N,): about a fifth; whole clusters where positions are known."""
    n = len(train.rows)
    units = np.arange(n) if train.clusters is None else np.unique(train.clusters, return_inverse=True)[1]
    sizes = np.bincount(units)
    if len(sizes) < 2:
        raise UsageError(f"anchors: {n} training images in {len(sizes)} cluster cannot be divided")
    order = np.random.default_rng(seed).permutation(len(sizes))
    enough = int(np.searchsorted(np.cumsum(sizes[order]), HELD_OUT * n)) + 1
    return np.isin(units, order[: min(enough, len(sizes) - 1)])


def neighbour_scores(train: Labelled, rows: Rows, n_classes: int, k: float, told: dict[str, None]) -> Rows:
    """Share of the k nearest training images (cosine) with each class or label, float32 (M, C).

    As `KNeighborsClassifier(k).predict_proba`; equal shares go to the class that comes first.
    """
    from sklearn.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=int(k), algorithm="brute").fit(train.rows)
    hot = train.labels if train.labels.ndim == 2 else train.labels[:, None] == np.arange(n_classes)
    nearest = search.kneighbors(rows, return_distance=False)
    return np.asarray(hot[nearest].mean(axis=1), np.float32)


def probe_scores(train: Labelled, rows: Rows, n_classes: int, strength: float, told: dict[str, None]) -> Rows:
    """Scores of logistic regression, float32 (M, C): probabilities, or for labels one decision value against the rest.

    A class without a training image is never predicted.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    model = LogisticRegression(C=strength, max_iter=ITERATIONS)
    with warnings.catch_warnings(record=True) as raised:
        warnings.simplefilter("always")
        if train.labels.ndim == 2:
            scores = OneVsRestClassifier(model).fit(train.rows, train.labels.astype(int)).decision_function(rows)
        else:
            model.fit(train.rows, train.labels)
            scores = np.zeros((len(rows), n_classes))
            scores[:, model.classes_] = model.predict_proba(rows)
    if any(issubclass(w.category, ConvergenceWarning) for w in raised):
        told[f"logistic regression with C = {strength:g} did not converge in {ITERATIONS:,} iterations"] = None
    return np.asarray(scores, np.float32)


def _value(scores: Rows, labels: NDArray[Any]) -> float:
    """Top-1 accuracy, or mean average precision over the labels with a positive."""
    if labels.ndim == 1:
        return float((scores.argmax(axis=1) == labels).mean())
    from sklearn.metrics import average_precision_score

    some = labels.any(axis=0)
    return float(np.mean([average_precision_score(labels[:, k], scores[:, k]) for k in np.flatnonzero(some)] or [0.0]))


def _figure(scores: Rows, test: Labelled, class_keys: Sequence[str], seed: int) -> Metric:
    sample = Sample(test.labels, class_keys, test.clusters)
    if test.labels.ndim == 2:
        return macro_map(scores, sample, seed)
    return score_single_label(scores, sample, seed=seed).metrics["top1"]
