"""Grades how close a model's training data are to the evaluated images (docs/methods.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from senbench.schema.dataset import DatasetInfo
    from senbench.schema.model_card import ModelCard
    from senbench.schema.terms import Grade

NOT_ZERO_SHOT: Grade = "images"
"""The grade with which a figure is not zero-shot and is ranked separately."""


def grade(card: ModelCard | None, info: DatasetInfo, *, given: bool = False) -> Grade:
    """Return the grade of a model on a dataset, from its card.

    Args:
        card: The model; None for a user's object, about which nothing is known.
        info: The dataset.
        given: Whether the weights are a user's file that the card does not pin, and may have been trained further.

    Returns:
        The card's grade for the dataset's collection, `unknown` if it states none.
    """
    stated = () if card is None else card.contamination.items()
    found: Grade = next((grade for collection, grade in stated if collection == info.collection), "unknown")
    return "unknown" if given and found == "none known" else found


def note(grade: Grade) -> str | None:
    """Return the caveat about figures with this grade, or None."""
    return {
        "images": "not zero-shot: the model was trained on images of this dataset",
        "captions from labels": "the model was trained on captions made from labels of this dataset",
        "other split of the same data set": "the model was trained on another split of this dataset",
    }.get(grade)
