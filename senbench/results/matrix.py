"""Prompts by classes, by models: what a study of the prompts measures, and a page shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.schema.prompt_set import PromptSet


@dataclass(frozen=True)
class ModelMatrix:
    """One model's figures; rows are prompts class by class, columns classes.

    Attributes:
        title: Name of the model for people.
        cosine: Mean cosine of the prompt with the images of each class, (P, C); NaN for a class without images.
        contribution: Figure of each class with all prompts less that without this one, (P, C); NaN where it
            is the only prompt of its class.
        top: Tiles that the prompt ranks highest, best first, positions in `Matrix.tiles`, (P, TOP).
        top_cosine: Their cosines, (P, TOP).
    """

    title: str
    cosine: NDArray[np.float64]
    contribution: NDArray[np.float64]
    top: NDArray[np.int64]
    top_cosine: NDArray[np.float64]


@dataclass(frozen=True)
class Matrix:
    """Prompts by classes, by models.

    Attributes:
        prompts: The prompts, each text once in its class.
        tiles: The tiles.
        models: One entry per model.
        pictures: Position of a tile -> WebP bytes; not every tile of `top` has one.
    """

    prompts: PromptSet
    tiles: Tiles
    models: tuple[ModelMatrix, ...]
    pictures: dict[int, bytes]

    @property
    def figure(self) -> str:
        """What contributions are differences of."""
        return "recall" if self.tiles.info.task == "single-label" else "average precision"

    def classes_of(self, tile: int) -> list[int]:
        """Indices of the classes of a tile, by its position."""
        labels = self.tiles.tile_labels
        return [int(labels[tile])] if labels.ndim == 1 else [int(k) for k in np.flatnonzero(labels[tile])]
