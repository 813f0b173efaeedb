"""Classifiers trained on a few labelled images per class, on the same embeddings as the zero-shot figure.

All settings are fixed beforehand and the same for every model and dataset: no validation labels are used
(docs/methods.md, "Labels that zero-shot saves").
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import UsageError
from senbench.runtime.blas import one_thread
from senbench.scoring.intervals.clustered import jackknife_error, sums_by_cluster

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from senbench.scoring import Array, Float, Index

DRAWS = 5
"""Draws of labelled images."""
LOGISTIC_STRENGTH = 100.0
"""C of logistic regression on rows of unit length."""
RIDGE_PENALTY = 1.0
"""Penalty of the linear probe on rows of unit length."""
CACHE_WEIGHT = 1.0
"""Alpha of Tip-Adapter."""
CACHE_SHARPNESS = 5.5
"""Beta of Tip-Adapter."""
TEXT_SCALE = 100.0
"""Multiplier of the text scores in Tip-Adapter."""
ITERATIONS = 1000
"""Most iterations of logistic regression."""


@dataclass(frozen=True)
class Training:
    """What a classifier is trained on.

    Attributes:
        rows: Labelled image embeddings at unit length, float32 (M, D).
        labels: Class of each, 0..C-1, (M,); every class occurs.
        class_rows: Text row of each class at unit length, float32 (C, D).
    """

    rows: Float
    labels: Index
    class_rows: Float

    @property
    def one_hot(self) -> Float:
        """Labels as float32 (M, C)."""
        return np.eye(len(self.class_rows), dtype=np.float32)[self.labels]


def class_means(train: Training, rows: Float) -> Float:
    """Cosine with the mean of each class's labelled images, (N, C): nearest class mean."""
    means = train.one_hot.T @ train.rows
    return np.asarray(rows @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T)


def tip_adapter(train: Training, rows: Float) -> Float:
    """Text scores plus those of a cache of the labelled images, (N, C), without training.

    100 x.t + alpha sum over labelled images of exp(-beta (1 - x.x')) (Zhang et al., "Tip-Adapter", ECCV 2022), with
    alpha and beta as first published.
    """
    cache = np.exp(-CACHE_SHARPNESS * (1 - rows @ train.rows.T)) @ train.one_hot
    return np.asarray(TEXT_SCALE * (rows @ train.class_rows.T) + CACHE_WEIGHT * cache)


def linear_probe(train: Training, rows: Float) -> Float:
    """Ridge regression on one-hot labels, (N, C): a linear layer in closed form."""
    from sklearn.linear_model import Ridge

    return np.asarray(Ridge(RIDGE_PENALTY).fit(train.rows, train.one_hot).predict(rows))


def logistic_regression(train: Training, rows: Float) -> Float:
    """Multinomial logistic regression, decision values (N, C)."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():  # a few images can be told apart perfectly: the last steps change no prediction
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = LogisticRegression(C=LOGISTIC_STRENGTH, max_iter=ITERATIONS).fit(train.rows, train.labels)
    values = model.decision_function(rows)
    return np.stack([-values, values], axis=1) if values.ndim == 1 else values


METHODS: dict[str, Callable[[Training, Float], Float]] = {
    "class-means": class_means,
    "tip-adapter": tip_adapter,
    "linear-probe": linear_probe,
    "logistic-regression": logistic_regression,
}
"""Name -> scores of other rows (N, D), (N, C), after training."""
TEXT_METHODS = {"tip-adapter"}
"""Those that depend on the text rows."""


@dataclass(frozen=True)
class Evaluated:
    """The images on which classifiers are measured.

    Attributes:
        rows: Embeddings at unit length, float32 (N, D).
        labels: True classes, (N,).
    """

    rows: Float
    labels: Index


@dataclass(frozen=True)
class Hits:
    """How often each evaluated image is predicted right.

    Attributes:
        shares: Share of draws in which an image is right, 0..1, (N,).
        by_draw: Accuracy in each draw, (R,).
    """

    shares: Array
    by_draw: Array


def draw(labels: Index, n_classes: int, most: int, seed: int) -> Index:
    """Positions of `most` labelled images of each class, in random order, (C, most).

    The first k columns are the draw of k images per class, so that smaller draws lie within larger ones.

    Args:
        labels: Class of each image that may be drawn, (M,).
        n_classes: C.
        most: Images per class.
        seed: Seed of the draw.

    Raises:
        UsageError: A class has fewer images.
    """
    rng = np.random.default_rng(seed)
    found = []
    for c in range(n_classes):
        own = np.flatnonzero(labels == c)
        if len(own) < most:
            raise UsageError(f"--shots {most}: class {c} has {len(own)} labelled images to draw from; ask for fewer")
        found.append(rng.permutation(own)[:most])
    return np.stack(found)


def hits(
    pool: Training,
    evaluated: Evaluated,
    shots: Sequence[int],
    methods: Iterable[str] = tuple(METHODS),
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[tuple[str, int], Hits]:
    """Train every classifier on every draw of every size, and predict the evaluated images.

    Args:
        pool: Labelled images that may be drawn, none of which is evaluated, and the text rows.
        evaluated: The images to predict.
        shots: Labelled images per class, each at least 1.
        methods: Names of the classifiers.
        draws: R.
        seed: Seed of the draws.

    Returns:
        (method, images per class) -> its hits.

    Raises:
        UsageError: A class has fewer images than the largest draw.
    """
    every = np.arange(len(evaluated.rows))
    return _over_draws(lambda r: [(pool, every)], evaluated, shots, methods, draws, seed)


def halved_hits(
    images: Evaluated,
    class_rows: Float,
    clusters: NDArray[Any] | None,
    shots: Sequence[int],
    methods: Iterable[str] = tuple(METHODS),
    draws: int = DRAWS,
    seed: int = 0,
) -> dict[tuple[str, int], Hits]:
    """The same where there are no other labelled images: those of either half predict the other.

    Every draw divides the images anew, at random by class, or by whole clusters where there are some.

    Args:
        images: The images to predict.
        class_rows: Text row of each class at unit length, float32 (C, D).
        clusters: Spatial cluster of each image, (N,); None: positions are unknown.
        shots: Labelled images per class, each at least 1.
        methods: Names of the classifiers.
        draws: R.
        seed: Seed of the draws.

    Returns:
        (method, images per class) -> its hits.

    Raises:
        UsageError: A half has fewer images of a class than the largest draw.
    """

    def halves(r: int) -> Iterable[tuple[Training, Index]]:
        for drawn, predicted in halved(images.labels, clusters, seed + r):
            yield Training(images.rows[drawn], images.labels[drawn], class_rows), predicted

    return _over_draws(halves, images, shots, methods, draws, seed)


def halved(labels: Index, clusters: NDArray[Any] | None, seed: int) -> list[tuple[Index, Index]]:
    """Both ways of drawing labels from one half of images to predict the other, as positions.

    Args:
        labels: Class of each image, (N,).
        clusters: Spatial cluster of each, (N,), never in both halves; None: positions are unknown.
        seed: Seed.

    Raises:
        UsageError: There are fewer than two images of every class, or fewer than two clusters.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    kind = StratifiedKFold if clusters is None else StratifiedGroupKFold
    try:
        with warnings.catch_warnings():  # a class with a single image is refused where its label is to be drawn
            warnings.simplefilter("ignore", UserWarning)
            return list(kind(2, shuffle=True, random_state=seed).split(labels, labels, clusters))
    except ValueError:
        n = len(labels) if clusters is None else len(np.unique(clusters))
        raise UsageError(f"--shots: {n} {'images' if clusters is None else 'clusters'} cannot be halved") from None


def _over_draws(
    parts: Callable[[int], Iterable[tuple[Training, Index]]],
    evaluated: Evaluated,
    shots: Sequence[int],
    methods: Iterable[str],
    draws: int,
    seed: int,
) -> dict[tuple[str, int], Hits]:
    """Hits, where a draw has parts: what may be drawn, and which of the evaluated images it predicts."""
    n, methods = len(evaluated.rows), tuple(methods)
    found = {(name, k): Hits(np.zeros(n), np.zeros(draws)) for name in methods for k in shots}
    with one_thread():  # the products are small: threads cost more than they gain
        for r in range(draws):
            for pool, predicted in parts(r):
                chosen = draw(pool.labels, len(pool.class_rows), max(shots), seed + r)
                rows, labels = evaluated.rows[predicted], evaluated.labels[predicted]
                for k in shots:
                    drawn = chosen[:, :k].ravel()
                    train = Training(pool.rows[drawn], pool.labels[drawn], pool.class_rows)
                    for name in methods:
                        right = METHODS[name](train, rows).argmax(axis=1) == labels
                        found[name, k].shares[predicted] += right / draws
                        found[name, k].by_draw[r] += right.sum() / n
    return found


def spread(shares: Array, by_draw: Array, codes: Index) -> tuple[float, float]:
    """Standard error of a mean over images and draws, and its degrees of freedom (Welch and Satterthwaite).

    The variance over images (over clusters, where they hold several) of the mean over draws, plus the variance over
    draws divided by their number; both contain a part of the other, so that the error is not too small.

    Args:
        shares: Mean over draws of each image, (N,).
        by_draw: Mean over images of each draw, (R,); one draw: the figure does not depend on draws.
        codes: Cluster of each image, 0..G-1, (N,).
    """
    sums = sums_by_cluster(np.stack([shares, np.ones_like(shares)], axis=1), codes, int(codes.max()) + 1)
    rest = sums.sum(axis=0) - sums
    over_images = jackknife_error(rest[:, 0] / rest[:, 1]) ** 2
    over_draws = by_draw.var(ddof=1) / len(by_draw) if len(by_draw) > 1 else 0.0
    total = over_images + over_draws
    if total == 0:
        return 0.0, float("inf")
    weights = over_images**2 / (len(sums) - 1) + (over_draws**2 / (len(by_draw) - 1) if over_draws else 0.0)
    return float(np.sqrt(total)), float(total**2 / weights)


def quantile(freedom: float) -> float:
    """97.5 % quantile of Student's t; of the normal distribution where the degrees of freedom are infinite."""
    from scipy.special import ndtri, stdtrit  # here, since scipy costs a third of a second to import

    return float(ndtri(0.975) if np.isinf(freedom) else stdtrit(max(freedom, 1.0), 0.975))
