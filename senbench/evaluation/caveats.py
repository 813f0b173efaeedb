"""What a reader must know of how a result was made, in sentences that follow from its own fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from senbench.datasets.bands import level_note
from senbench.datasets.readers import product_metadata
from senbench.schema import contamination

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.schema.blocks import DatasetBlock, ModelBlock, Settings
    from senbench.schema.model_card import ModelCard
    from senbench.schema.terms import Grade

FACTS = ("dn_offset", "dn_offset_from", "nodata_share", "below_offset_share")
"""Fields of a dataset that `product_metadata.notes` reads."""


def unpinned(model: ModelBlock, given: str | None) -> bool:
    """Whether the weights were given as a file whose bytes are not ones that the card states.

    Args:
        model: The model's block.
        given: `--weights` as passed.
    """
    own = (model.model_extra or {}).get("weights") or {}
    return given is not None and model.weights_sha256 not in (own.get("sha256"), *own.get("also_sha256", ()))


def told(
    how: Settings,
    model: ModelBlock,
    data: DatasetBlock,
    card: ModelCard | None,
    grade: Grade,
    *,
    given: str | None,
    heard: Sequence[str] = (),
) -> list[str]:
    """The sentences.

    Args:
        how: Settings in force.
        model: The model's block.
        data: The dataset's block.
        card: The model's card; None for a user's object.
        grade: How close the training data come to the images.
        given: `--weights` as passed.
        heard: What model and prompts warn of themselves; it stands among the others.
    """
    found = [note for note in (how.note, contamination.note(grade), level_note(card, data)) if note]
    found += product_metadata.notes({name: getattr(data, name) for name in FACTS if name in data.model_fields_set})
    found += heard
    bare = [key for key in data.classes if re.fullmatch(r"(?:class|label|c)?[ _-]*\d+", key, re.IGNORECASE)]
    if bare and data.class_names == "folder":
        found.append(
            f"class folders are numbers ({', '.join(bare[:3])}), and so are the names in the prompts: "
            "give names with --class-names FILE.yaml"
        )
    if how.overrides:
        differ = "differs" if len(how.overrides) == 1 else "differ"
        found.append(f"not {how.protocol} as defined: {', '.join(how.overrides)} {differ} from the protocol")
    if unpinned(model, given):
        found.append("weights given as a file that the card does not pin: what it says of their training is on trust")
    if data.synthetic:
        found.append("synthetic tiles: this figure says nothing about real Sentinel-2 data")
    if model.synthetic:
        found.append("the model was trained on synthetic scenes only: a demonstration, not a baseline")
    if lost := len(data.skipped):
        found.append(f"{lost} tile{'s' * (lost != 1)} could not be decoded, left out: incomplete, not ranked")
    if data.n_evaluated < data.n_expected:
        why = f"--limit {data.limit}" if data.limit is not None else data.source
        found.append(f"subset: {data.n_evaluated:,} of {data.n_expected:,} tiles ({why}): incomplete, not ranked")
    return found


def tied(n: int) -> list[str]:
    """The sentence on ties.

    Args:
        n: Images whose best score was tied.
    """
    return [f"{n:,} image{'s' * (n != 1)} tied for the best score, broken by class order"] if n else []
