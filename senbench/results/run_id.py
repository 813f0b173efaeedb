"""The id of a run: a readable name with a hash of everything that determines the scores."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from senbench.schema.blocks import DatasetBlock, ModelBlock, PromptBlock, Settings

TOLD = {"title", "licence", "source", "packed", "rendering", "skipped", "dn_offset_from", "pixels"}
"""Fields of the dataset that do not determine a score."""
NAMED = {"prompts", "dataset", "model", "note"}
"""Settings that repeat other fields of the result."""


def run_id(
    model: ModelBlock,
    dataset: DatasetBlock,
    prompts: PromptBlock,
    settings: Settings,
    dtype: str,
    seed: int,
    scores: NDArray[np.float32],
) -> str:
    """Return the id of a run, derived from its result.

    Args:
        model: Block `model`.
        dataset: Block `dataset`.
        prompts: Block `prompts`.
        settings: Block `resolved`.
        dtype: Precision of the encoders.
        seed: Seed of the run.
        scores: Final scores, (N, C); only these distinguish two states of a user's own object.
    """
    level = prompts.access_level  # the same texts, selected with other knowledge, are another run
    what = {
        "model": model.model_dump(mode="json"),
        "dataset": dataset.model_dump(mode="json", exclude=TOLD),
        "prompts": [prompts.hash, level] if level else prompts.hash,
        "settings": settings.model_dump(mode="json", exclude=NAMED),
        "dtype": dtype,
        "seed": seed,
    }
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
    if model.weights_sha256 is None:
        digest.update(scores.tobytes())
    parts = [model.id, prompts.id, dataset.id, dataset.split, settings.protocol]
    slug = "_".join("".join(c if c.isalnum() or c in "-." else "-" for c in str(part))[:48] for part in parts)
    return f"{slug}_{digest.hexdigest()[:10]}"
