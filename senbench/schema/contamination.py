"""How close a model's training data come to the images it is evaluated on (docs/methods.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from senbench.schema.dataset import DatasetInfo
    from senbench.schema.model_card import ModelCard
    from senbench.schema.terms import Grade

NOT_ZERO_SHOT: Grade = "images"
"""The grade under which a figure is no zero-shot figure and is ranked apart."""


def grade(card: ModelCard | None, info: DatasetInfo, *, given: bool = False) -> Grade:
    """Grade of a model on a dataset, from the card.

    Args:
        card: The model; None for a user's object, of which nothing is known.
        info: The dataset.
        given: The weights are a user's file that the card does not pin: they may have been trained further, so
            that nothing is known to be clean.

    Returns:
        The card's grade for the dataset's collection, `unknown` where it states none.
    """
    stated = () if card is None else card.contamination.items()
    found: Grade = next((grade for collection, grade in stated if collection == info.collection), "unknown")
    return "unknown" if given and found == "none known" else found


def note(grade: Grade) -> str | None:
    """What a reader of a figure of this grade must know; None where nothing stands against it."""
    return {
        "images": "not zero-shot: the model was trained on images of this dataset",
        "captions from labels": "the model was trained on captions made from labels of this dataset",
        "other split of the same data set": "the model was trained on another split of this dataset",
    }.get(grade)
