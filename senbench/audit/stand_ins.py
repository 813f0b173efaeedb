"""The card and the dataset of a result, from what the result says of them and from what is shipped."""

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
"""Stands for a default of a dataset that is not shipped, where the result says that it was not used."""


class Known(NamedTuple):
    """What is known of a dataset."""

    info: DatasetInfo
    """Its facts; of a dataset that is not shipped those that the result states."""
    shipped: bool
    """Whether senbench knows it."""


def card_of(block: ModelBlock) -> ModelCard | None:
    """The card that a result recorded; None for a user's object, or where it is not whole."""
    told = block.model_dump(mode="json")
    try:
        return ModelCard.model_validate({name: told[name] for name in ModelCard.model_fields if name in told})
    except ValidationError:
        return None


def shipped_card(result: RunResult) -> ModelCard | None:
    """The shipped card of the name under which a result was run; None where that was a user's card file."""
    if result.resolved.model.endswith(".toml") or result.model.adapter is None:
        return None
    return card_files.shipped().get(result.model.id)


def dataset_of(result: RunResult) -> Known:
    """Facts of the dataset; of one that is not shipped those that agree with the recorded overrides."""
    data, how = result.dataset, result.resolved
    if data.id in BUILTIN:
        return Known(BUILTIN[data.id][1], shipped=True)
    info = DatasetInfo(
        id=data.id,
        title=data.title,
        collection="user",
        task=data.task,
        classes=data.classes,
        vocabulary="" if how.class_names is None or "class_names" in how.overrides else ELSEWHERE,
        splits={data.split: data.n_expected},
        default_split=ELSEWHERE if "split" in how.overrides else data.split,
        bands=BANDS,
        unit="uint8",
        level=data.level,
        tile_size=None,
        radiometry="native-jpeg" if "radiometry" in how.overrides else data.radiometry,
        licence=data.licence or "",
        citation="",
        synthetic=data.synthetic,
    )
    return Known(info, shipped=False)


def vocabulary_of(known: Known) -> Vocabulary:
    """Names and cues of a dataset's classes; of one that is not shipped those that follow from its class folders."""
    info = known.info
    return _vocabulary(info.id if known.shipped else "", info.classes)


@lru_cache(maxsize=32)
def _vocabulary(shipped: str, classes: tuple[str, ...]) -> Vocabulary:
    found = vocabulary_for(BUILTIN[shipped][1], None)[0] if shipped else vocabulary_for_keys(classes)
    return select(found, classes)
