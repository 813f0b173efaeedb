"""Caveats on how a result was made, as sentences derived from its own fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from senbench.datasets.bands import level_note
from senbench.datasets.readers import product_metadata

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.schema.blocks import DatasetBlock, ModelBlock, Settings
    from senbench.schema.model_card import ModelCard

FACTS = {"dn_offset", "dn_offset_from", "nodata_share", "pixels"}
"""Fields of a dataset that `product_metadata.notes` reads."""


def unpinned(model: ModelBlock, passed: str | None) -> bool:
    """Return whether `--weights` named a file whose hash is not one of the card's.

    Args:
        model: The model's block.
        passed: `--weights` as passed.
    """
    stated = (model.model_extra or {}).get("weights") or {}
    return passed is not None and model.weights_sha256 not in (stated.get("sha256"), *stated.get("also_sha256", ()))


def told(settings: Settings, data: DatasetBlock, card: ModelCard | None, heard: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the sentences, without the qualifications (`results.qualifications`).

    Args:
        settings: Resolved settings.
        data: The dataset's block.
        card: The model's card; None for a user's object.
        heard: Warnings of model and prompts, which are inserted among the others.
    """
    notes = [note for note in (settings.note, level_note(card, data)) if note]
    facts = data.model_dump(mode="json", include=FACTS, exclude_none=True)
    notes += product_metadata.notes(facts)
    notes += heard
    bare = [key for key in data.classes if re.fullmatch(r"(?:class|label|c)?[ _-]*\d+", key, re.IGNORECASE)]
    if bare and data.class_names == "folder":
        notes.append(
            f"class folders are numbers ({', '.join(bare[:3])}), and so are the names in the prompts: "
            "give names with --class-names FILE.yaml"
        )
    return tuple(notes)
