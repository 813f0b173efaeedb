"""Scores and labels of images in unequal clusters whose class mix and difficulty differ."""

from __future__ import annotations

import numpy as np


def unequal(rng: np.random.Generator, g: int) -> np.ndarray:
    """Cluster of each image: g clusters of very different sizes."""
    return np.repeat(np.arange(g), np.maximum(2, rng.lognormal(3, 1, g).astype(int)))


def sample(rng: np.random.Generator, n: int, clusters: np.ndarray | None = None):
    """Three unequal classes; with clusters, class mix and score shift vary between them."""
    if clusters is None:
        labels = rng.choice(3, n, p=[0.6, 0.3, 0.1])
        shift = 0.0
    else:
        mix = rng.dirichlet([1.2, 0.9, 0.6], clusters.max() + 1)[clusters]
        labels = (rng.random((n, 1)) > mix.cumsum(1)[:, :2]).sum(1)
        shift = rng.normal(0, 0.08, (clusters.max() + 1, 3))[clusters]
    scores = np.eye(3)[labels] * 0.1 + rng.normal(0.4, 0.1, (n, 3)) + shift
    return scores.astype(np.float32), labels


def coverage(draw, truth: dict[str, float], times: int, **options) -> dict[str, float]:
    """Share of the intervals of samples (scores, labels, clusters) that hold the true value, by metric."""
    from scored import evaluate

    hits = dict.fromkeys(truth, 0)
    for seed in range(times):
        scores, labels, clusters = draw(np.random.default_rng(seed))
        figures = evaluate(scores, labels, clusters, seed=seed, **options).metrics
        for name, value in truth.items():
            low, high = figures[name].ci
            hits[name] += low <= value <= high
    return {name: count / times for name, count in hits.items()}


def truths(scores, labels, names: tuple[str, ...], **options) -> dict[str, float]:
    """Figures of a large sample."""
    from scored import evaluate

    figures = evaluate(scores, labels, np.zeros(len(labels)), **options).metrics  # one cluster: no interval
    return {name: figures[name].value for name in names}


def in_scenes(rng: np.random.Generator, scenes: int, *, spread: float = 0.10, blocks: int = 20, images: int = 10):
    """Share of images that are right, where blocks and the scenes they lie in share an effect.

    Args:
        rng: Generator.
        scenes: Number of scenes.
        spread: Standard deviation of the effect of a scene, as a share; 0: blocks alone share one.
        blocks: Blocks of each scene.
        images: Images of each block.

    Returns:
        Effect of each image, (N,), 0 on average; its block and its scene.
    """
    scene = np.repeat(np.arange(scenes), blocks * images)
    block = np.repeat(np.arange(scenes * blocks), images)
    effect = rng.normal(0, spread, scenes)[scene] + rng.normal(0, 0.10, scenes * blocks)[block]
    return effect, block, scene
