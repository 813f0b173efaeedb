"""How many labels per class reach a zero-shot figure: classifiers of few labels on the same embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from senbench.errors import UsageError
from senbench.schema.result import FewShot, ShotFigure
from senbench.scoring import few_shot
from senbench.scoring.classifier import unit
from senbench.scoring.few_shot import METHODS, TEXT_METHODS, Evaluated, Hits, Training, quantile, spread

if TYPE_CHECKING:
    from senbench.evaluation.outcome import LabelledSplit
    from senbench.scoring import Array, Float, Index
    from senbench.scoring.classifier import Classifier
    from senbench.scoring.sample import Sample


@dataclass(frozen=True)
class LabelsSaved:
    """One model's embeddings of a dataset, with labelled images to draw from.

    Attributes:
        pool: Labelled images at unit length; those in clusters of evaluated images are not drawn.
        images: Embeddings of the evaluated images at unit length, float32 (N, D).
        sample: Their labels, one class each, and clusters.
        shots: Labelled images per class, each at least 1.
        seed: Seed of the draws.
    """

    pool: LabelledSplit
    images: Float
    sample: Sample
    shots: tuple[int, ...]
    seed: int = 0

    @cached_property
    def drawable(self) -> LabelledSplit:
        """The images that may be drawn: those that share no cluster with an evaluated one."""
        own, other = self.pool.sample.clusters, self.sample.clusters
        return self.pool if own is None or other is None else self.pool.take(~np.isin(own, other))

    def against(self, classifier: Classifier, predictions: Index) -> FewShot:
        """The figures of all methods and sizes, and their gains over a zero-shot classifier.

        Args:
            classifier: The zero-shot classifier, whose mean text row per class Tip-Adapter starts from.
            predictions: Its predictions of the evaluated images, (N,).

        Raises:
            UsageError: A class has fewer labelled images than are to be drawn.
        """
        rows = unit(np.add.reduceat(classifier.rows.astype(np.float64), classifier.starts, axis=0), "mean prompt")
        found = self._without_text | self._hits(rows, TEXT_METHODS)
        right = (predictions == self.sample.labels).astype(float)
        spatial = self.pool.sample.clusters is not None and self.sample.clusters is not None
        return FewShot(
            n_pool=len(self.drawable.rows),
            left_out=len(self.pool.rows) - len(self.drawable.rows),
            separation="spatial" if spatial else "random",
            figures=tuple(
                _figure(name, k, found[name, k], right, self.sample.codes) for name in METHODS for k in self.shots
            ),
        )

    @cached_property
    def _without_text(self) -> dict[tuple[str, int], Hits]:
        """What does not depend on the prompts: the same for all prompt sets."""
        n_classes = len(self.sample.class_keys)
        return self._hits(np.zeros((n_classes, self.images.shape[1]), np.float32), set(METHODS) - TEXT_METHODS)

    def _hits(self, class_rows: Float, methods: set[str]) -> dict[tuple[str, int], Hits]:
        labels = self.drawable.sample.labels
        counts = np.bincount(labels, minlength=len(class_rows))
        if counts.min() < (most := max(self.shots)):
            raise UsageError(
                f"--shots {most}: {self.pool.split} has {counts.min()} tiles of class "
                f"{self.sample.class_keys[int(counts.argmin())]} that can be drawn"
                f"{', since those in places of evaluated tiles are left out' * (self.drawable is not self.pool)}; "
                "ask for fewer, or for another split"
            )
        pool = Training(self.drawable.rows, labels, class_rows)
        evaluated = Evaluated(self.images, self.sample.labels)
        return few_shot.hits(pool, evaluated, self.shots, methods, seed=self.seed)


def _figure(name: str, shots: int, found: Hits, right: Array, codes: Index) -> ShotFigure:
    value, gain = float(found.shares.mean()), float(found.shares.mean() - right.mean())
    half = _half(found.shares, found.by_draw, codes)
    gain_half = _half(found.shares - right, found.by_draw - right.mean(), codes)
    return ShotFigure.model_validate(
        {
            "method": name,
            "shots": shots,
            "value": value,
            "ci": (max(value - half, 0.0), min(value + half, 1.0)),
            "draws": tuple(map(float, found.by_draw)),
            "gain": gain,
            "gain_ci": (max(gain - gain_half, -1.0), min(gain + gain_half, 1.0)),
        }
    )


def _half(shares: Array, by_draw: Array, codes: Index) -> float:
    error, freedom = spread(shares, by_draw, codes)
    return error * quantile(freedom)
