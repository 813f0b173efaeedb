"""What a reader must know of how a result was made, in sentences that follow from its own fields."""

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


def unpinned(model: ModelBlock, given: str | None) -> bool:
    """Whether the weights were given as a file whose bytes are not ones that the card states.

    Args:
        model: The model's block.
        given: `--weights` as passed.
    """
    own = (model.model_extra or {}).get("weights") or {}
    return given is not None and model.weights_sha256 not in (own.get("sha256"), *own.get("also_sha256", ()))


def told(how: Settings, data: DatasetBlock, card: ModelCard | None, heard: Sequence[str] = ()) -> tuple[str, ...]:
    """The sentences, but for the qualifications (`results.qualifications`).

    Args:
        how: Settings in force.
        data: The dataset's block.
        card: The model's card; None for a user's object.
        heard: What model and prompts warn of themselves; it stands among the others.
    """
    found = [note for note in (how.note, level_note(card, data)) if note]
    facts = data.model_dump(mode="json", include=FACTS, exclude_none=True)
    found += product_metadata.notes(facts)
    found += heard
    bare = [key for key in data.classes if re.fullmatch(r"(?:class|label|c)?[ _-]*\d+", key, re.IGNORECASE)]
    if bare and data.class_names == "folder":
        found.append(
            f"class folders are numbers ({', '.join(bare[:3])}), and so are the names in the prompts: "
            "give names with --class-names FILE.yaml"
        )
    return tuple(found)
