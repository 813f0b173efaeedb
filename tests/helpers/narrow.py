"""Narrow checkpoints of released layouts, put where `senbench models fetch` puts the real ones: a tool of the tests.

Keys, prefix, nesting, container, activation, preprocessing and resolution are the release's; towers are two layers.
"""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import checkpoints
import open_clip

from senbench.models import registry
from senbench.models.checkpoints import fetch, state_dict
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.openclip import OpenClipAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from senbench.schema.terms import Dtype, KernelChoice

WRITTEN = {"SkyCLIP": ("module.", "state_dict")}
"""Family -> key prefix and nesting of its files, where there are any."""
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 2}
VISION: dict[str, dict[str, Any]] = {
    "narrow-rn": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16},
    "narrow-vit": {"image_size": 64, "layers": 2, "width": 128, "head_width": 64, "patch_size": 16},
}
"""The image towers of `checkpoints.ARCHITECTURES`, as open_clip configures them."""


def adapter(
    folder: Path,
    name: str = "narrow-vit",
    dtype: Dtype = "float32",
    device: str = "cpu",
    kernels: KernelChoice = "auto",
) -> OpenClipAdapter:
    """One of OpenAI's two architectures, narrow, over a checkpoint in a folder; tiles of 64 pixels."""
    path = folder / f"{name}.pt"
    if not path.exists():
        checkpoints.write(path, checkpoints.state_dict(name, images=4))
        config = {"embed_dim": 64, "quick_gelu": True, "vision_cfg": VISION[name], "text_cfg": TEXT}
        path.with_suffix(".json").write_text(json.dumps(config))
    card = registry.find("clip-vit-b-32")
    how = card.preprocess.model_copy(update={"resolution": 64})
    own = {"architecture": str(path.with_suffix(".json")), "layout": None, "embed_dim": 64, "preprocess": how}
    how = {"device": device, "dtype": dtype, "kernels": kernels}
    return OpenClipAdapter.load(Checkpoint(card.model_copy(update=own), path, fetch.sha256(path), **how))


@functools.cache
def state(arguments: tuple[Any, ...]) -> dict[str, Any]:
    return checkpoints.state_dict(arguments, images=4)


def release(monkeypatch: pytest.MonkeyPatch, names: Iterable[str]) -> None:
    """Make these models narrow, and write a checkpoint of each into SENBENCH_HOME; pinned hashes are its own."""
    known, layouts = dict(registry.cards()), {}
    for name in names:
        card = known[name]
        config = checkpoints.narrowed(open_clip.get_model_config(card.architecture))
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, card.architecture, config)
        tensors = state(checkpoints.openai_arguments(config))
        folder = fetch.released_folder(card) / (card.weights.file or "").rpartition("/")[0]
        folder.mkdir(parents=True, exist_ok=True)
        path = checkpoints.released(folder, card, tensors, *WRITTEN.get(card.family, ("", "")))
        pinned = fetch.sha256(path) if card.weights.sha256 else None
        source = card.weights.model_copy(update={"sha256": pinned, "also_sha256": ()})
        known[name] = card.model_copy(update={"embed_dim": checkpoints.NARROW, "weights": source})
        layouts[card.layout] = {"keys": {key: list(tensor.shape) for key, tensor in tensors.items()}}
    real = state_dict.manifest
    monkeypatch.setattr(state_dict, "manifest", lambda layout: {**real(layout), **layouts.get(layout, {})})
    monkeypatch.setattr(registry.card_files, "shipped", lambda: known)
    by_name = {n: card for card in known.values() for n in (card.id, *card.aliases)}
    monkeypatch.setattr(registry.card_files, "shipped_as", lambda name: by_name.get(name.lower()))
