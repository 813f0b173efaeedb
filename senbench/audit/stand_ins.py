"""Reconstructs the card and the dataset of a result from its fields and from the shipped data."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from pydantic import ValidationError

from senbench.datasets.catalog import BUILTIN
from senbench.models import card_files
from senbench.prompts.vocabulary import select, vocabulary_for, vocabulary_for_keys
from senbench.schema.dataset import DatasetInfo
from senbench.schema.model_card import ModelCard
from senbench.schema.terms import BANDS

if TYPE_CHECKING:
    from senbench.schema.blocks import ModelBlock
    from senbench.schema.dataset import Vocabulary
    from senbench.schema.result import RunResult

ELSEWHERE = "other than the one of this result"
"""Placeholder for an unknown default of a dataset that is not shipped, when the result did not use the default."""


class Known(NamedTuple):
    """What is known about a dataset."""

    info: DatasetInfo
    """Its facts; for a dataset that is not shipped, those stated in the result."""
    shipped: bool
    """Whether senbench ships the dataset's description."""


def card_of(block: ModelBlock) -> ModelCard | None:
    """Return the card recorded in a result; None for a user's object, or if it is incomplete."""
    fields = block.model_dump(mode="json")
    try:
        return ModelCard.model_validate({name: fields[name] for name in ModelCard.model_fields if name in fields})
    except ValidationError:
        return None


def shipped_card(result: RunResult) -> ModelCard | None:
    """Return the shipped card under whose name a result was run; None for a user's card file."""
    if result.resolved.model.endswith(".toml") or result.model.adapter is None:
        return None
    return card_files.shipped().get(result.model.id)


def dataset_of(result: RunResult) -> Known:
    """Return the facts of the dataset; for one that is not shipped, those consistent with the recorded overrides."""
    data, settings = result.dataset, result.resolved
    if data.id in BUILTIN:
        return Known(BUILTIN[data.id][1], shipped=True)
    info = DatasetInfo(
        id=data.id,
        title=data.title,
        collection="user",
        task=data.task,
        classes=data.classes,
        vocabulary="" if settings.class_names is None or "class_names" in settings.overrides else ELSEWHERE,
        splits={data.split: data.n_expected},
        default_split=ELSEWHERE if "split" in settings.overrides else data.split,
        bands=BANDS,
        unit="uint8",
        level=data.level,
        tile_size=None,
        radiometry="native-jpeg" if "radiometry" in settings.overrides else data.radiometry,
        licence=data.licence or "",
        citation="",
        synthetic=data.synthetic,
    )
    return Known(info, shipped=False)


def vocabulary_of(known: Known) -> Vocabulary:
    """Return names and cues of a dataset's classes; for one that is not shipped, those of its class folders."""
    info = known.info
    return _vocabulary(info.id if known.shipped else "", info.classes)


@lru_cache(maxsize=32)
def _vocabulary(shipped: str, classes: tuple[str, ...]) -> Vocabulary:
    vocabulary = vocabulary_for(BUILTIN[shipped][1], None)[0] if shipped else vocabulary_for_keys(classes)
    return select(vocabulary, classes)
