"""Narrow checkpoints of released layouts, put where `senbench models fetch` puts the real ones: a tool of the tests.

Keys, prefix, nesting, container, activation, preprocessing and resolution are the release's; towers are two layers.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import checkpoints
import open_clip

from senbench.models import files, weights, zoo

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

WRITTEN = {"SkyCLIP": ("module.", "state_dict")}
"""Family -> key prefix and nesting of its files, where there are any."""


@functools.cache
def state(arguments: tuple[Any, ...]) -> dict[str, Any]:
    return checkpoints.state_dict(arguments, images=4)


def release(monkeypatch: pytest.MonkeyPatch, names: Iterable[str]) -> None:
    """Make these models narrow, and write a checkpoint of each into SENBENCH_HOME; pinned hashes are its own."""
    known, layouts = dict(zoo.cards()), {}
    for name in names:
        card = known[name]
        config = checkpoints.narrowed(open_clip.get_model_config(card.architecture))
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, card.architecture, config)
        tensors = state(checkpoints.openai_arguments(config))
        folder = files.released_folder(card) / (card.weights.file or "").rpartition("/")[0]
        folder.mkdir(parents=True, exist_ok=True)
        path = checkpoints.released(folder, card, tensors, *WRITTEN.get(card.family, ("", "")))
        pinned = files.sha256(path) if card.weights.sha256 else None
        source = card.weights.model_copy(update={"sha256": pinned, "also_sha256": ()})
        known[name] = card.model_copy(update={"embed_dim": checkpoints.NARROW, "weights": source})
        layouts[card.layout] = {"keys": {key: list(tensor.shape) for key, tensor in tensors.items()}}
    real = weights.manifest
    monkeypatch.setattr(weights, "manifest", lambda layout: {**real(layout), **layouts.get(layout, {})})
    monkeypatch.setattr(zoo, "cards", lambda: known)
    by_name = {n: card for card in known.values() for n in (card.id, *card.aliases)}
    monkeypatch.setattr(zoo.cardfiles, "shipped_as", lambda name: by_name.get(name.lower()))
