"""How many labels per class reach a zero-shot figure: classifiers of few labels on the same embeddings."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from senbench.datasets.catalog import spatially_listed
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
        pool: Labelled images at unit length; those in clusters of evaluated images are not drawn. None: there are no
            others, so that labels of either half of the evaluated images predict the other half.
        images: Embeddings of the evaluated images at unit length, float32 (N, D).
        sample: Their labels, one class each, and clusters.
        shots: Labelled images per class, each at least 1.
        seed: Seed of the draws.
        split: Split of a dataset of senbench that the evaluated images are of; empty: of none.
        told: Name of what labels are drawn from, kept with the figures; empty: it is told elsewhere.
    """

    pool: LabelledSplit | None
    images: Float
    sample: Sample
    shots: tuple[int, ...]
    seed: int = 0
    split: str = ""
    told: str = ""

    @cached_property
    def drawable(self) -> LabelledSplit | None:
        """The images that may be drawn: those that share no cluster with an evaluated one."""
        if self.pool is None:
            return None
        own, other = self.pool.sample.clusters, self.sample.clusters
        return self.pool if own is None or other is None else self.pool.take(~np.isin(own, other))

    @property
    def separation(self) -> str:
        """How images that are drawn are kept apart from those that they predict (`FewShot.separation`)."""
        located = self.sample.clusters is not None
        if self.pool is None:
            return "spatial halves" if located else "halves"
        if located and self.pool.sample.clusters is not None:
            return "spatial"
        return "spatial list" if spatially_listed(self.split, self.pool.split) else "random"

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
        n_pool = len(self.images if self.drawable is None else self.drawable.rows)
        return FewShot.model_validate(
            {
                "drawn_from": self.told,
                "n_pool": n_pool,
                "left_out": 0 if self.pool is None else len(self.pool.rows) - n_pool,
                "separation": self.separation,
                "figures": tuple(
                    _figure(name, k, found[name, k], right, self.sample.codes) for name in METHODS for k in self.shots
                ),
            }
        )

    @cached_property
    def _without_text(self) -> dict[tuple[str, int], Hits]:
        """What does not depend on the prompts: the same for all prompt sets."""
        n_classes = len(self.sample.class_keys)
        return self._hits(np.zeros((n_classes, self.images.shape[1]), np.float32), set(METHODS) - TEXT_METHODS)

    def _hits(self, class_rows: Float, methods: set[str]) -> dict[tuple[str, int], Hits]:
        evaluated = Evaluated(self.images, self.sample.labels)
        if self.drawable is None:
            self._enough(self.sample.labels, 2, "half of the evaluated images has")
            return few_shot.halved_hits(
                evaluated, class_rows, self.sample.clusters, self.shots, methods, seed=self.seed
            )
        labels = self.drawable.sample.labels
        self._enough(labels, 1, f"{self.drawable.split} has")
        pool = Training(self.drawable.rows, labels, class_rows)
        return few_shot.hits(pool, evaluated, self.shots, methods, seed=self.seed)

    def _enough(self, labels: Index, parts: int, whose: str) -> None:
        """Refuse more labels than a class has in the smallest of so many equal parts."""
        counts = np.bincount(labels, minlength=len(self.sample.class_keys)) // parts
        if counts.min() >= (most := max(self.shots)):
            return
        near = self.pool is not None and self.drawable is not self.pool
        raise UsageError(
            f"--shots {most}: {whose} {counts.min()} tiles of class {self.sample.class_keys[int(counts.argmin())]} "
            f"that can be drawn{', since those in places of evaluated tiles are left out' * near}; ask for fewer, or "
            f"{'give others with --anchors' if self.pool is None else 'for another split'}"
        )


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
