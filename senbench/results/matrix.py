"""The figures of single prompts by class and model, as measured by the study and shown on its page."""

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
    """The figures of one model; rows are the prompts, class by class, and columns are the classes.

    Attributes:
        title: Display name of the model.
        cosine: Mean cosine of the prompt with the images of each class, (P, C); NaN for a class without images.
        contribution: Figure of each class with all prompts minus the figure without this prompt, (P, C); NaN for the
            only prompt of a class.
        top: Positions in `Matrix.tiles` of the tiles that the prompt ranks highest, best first, (P, TOP).
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
        prompts: The prompts, each text once per class.
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
        """Return the name of the figure of which the contributions are differences."""
        return "recall" if self.tiles.info.task == "single-label" else "average precision"

    def classes_of(self, tile: int) -> list[int]:
        """Return the class indices of the tile at a position."""
        labels = self.tiles.tile_labels
        return [int(labels[tile])] if labels.ndim == 1 else [int(k) for k in np.flatnonzero(labels[tile])]
