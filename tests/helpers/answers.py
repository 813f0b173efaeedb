"""Result folders with given answers: tools of the tests of comparison and gate. No torch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import stubs

import senbench

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

PROMPTS = {"Field": ["a field"], "Lake": ["a lake"], "Town": ["a town"]}


class Given(stubs.StubEncoder):
    """Scores an image by the row that its number names; class directions are those of the stub's texts."""

    def __init__(self, scores: np.ndarray, weights: str) -> None:
        super().__init__()
        self.given, self.weights = scores, weights

    def encode_prepared(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        rows = np.zeros((len(batch), self.embed_dim), np.float32)
        rows[:, :3] = self.given[[int(tile[0, 0, 0]) << 8 | int(tile[0, 0, 1]) for tile in batch]]
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "weights_sha256": self.weights}


def one_hot(answers: np.ndarray) -> np.ndarray:
    """Scores that favour the answers a little, so that the probabilities are no extreme ones."""
    return np.eye(3)[answers] * 0.002 + 1


def save(
    folder: Path,
    scores: np.ndarray,
    labels: np.ndarray,
    clusters: np.ndarray | None = None,
    *,
    prompts: Mapping[str, Sequence[str]] = PROMPTS,
    weights: str = "0" * 64,
    change: Mapping[str, Any] | None = None,
    **options: Any,
) -> Path:
    """Evaluate scores (N, 3) against labels and write the result; the folder of it."""
    n = len(scores)

    def reader(i: int) -> np.ndarray:
        tile = np.zeros((8, 8, 3), np.uint8)
        tile[..., 0], tile[..., 1] = i >> 8, i & 255
        return tile

    task = "multi-label" if labels.ndim == 2 else "single-label"
    tiles = stubs.tiles(
        n,
        info=stubs.info(task=task, splits={"all": n}),
        ids=tuple(f"tile_{i:04}" for i in range(n)),
        labels=labels,
        reader=reader,
        keys=lambda i: reader(i).tobytes(),
        locate=None if clusters is None else lambda chosen: [f"block {clusters[i]}" for i in chosen],
    )
    if change:
        tiles = replace(tiles, **change)
    result = senbench.evaluate(Given(scores, weights), tiles, prompts, results=str(folder), cache=False, **options)
    return folder / result.run_id


def draw(seed: int = 0, n: int = 600, g: int = 20, wrong: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, answers of which `wrong` are wrong, clusters."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    answers = labels.copy()
    rows = rng.choice(n, wrong, replace=False)
    answers[rows] = (labels[rows] + 1) % 3
    return labels, answers, rng.integers(0, g, n)


def pair(folder: Path) -> tuple[Any, ...]:
    """Two prompt sets on clustered images; the second loses 30 images and gains 9.

    Returns:
        Both folders, labels, both answers, clusters.
    """
    labels, first, clusters = draw()
    second = first.copy()
    right, wrong = np.flatnonzero(first == labels), np.flatnonzero(first != labels)
    second[right[:30]] = (labels[right[:30]] + 1) % 3
    second[wrong[:9]] = labels[wrong[:9]]
    second[wrong[9:11]] = (labels[wrong[9:11]] + 2) % 3
    a = save(folder, one_hot(first), labels, clusters)
    longer = {**PROMPTS, "Lake": ["a lake", "a wide lake"]}
    b = save(folder, one_hot(second), labels, clusters, prompts=longer)
    return a, b, labels, first, second, clusters
