"""Makes a card for a user's checkpoint from a known card; detects hash, nesting, prefix and ignored keys."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from senbench.errors import ContractError, UsageError
from senbench.models import card_files, load
from senbench.models.checkpoints import fetch, keys, state_dict, values
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.schema.model_card import ModelCard, WeightsSource

if TYPE_CHECKING:
    import torch

UNKNOWN: dict[str, Any] = {
    "aliases": (),
    "licence": "none stated",
    "commercial_use": "not stated",
    "citation": "",
    "trained_on": (),
    "contamination": {},
    "derived_from": "",
    "frozen": (),
    "frozen_reported": (),
    "verified": False,
    "fingerprint": (),
    "synthetic": False,
}
"""Fields of a card that apply only to its own weights."""
USUAL = 100.0
"""Multiplier at which CLIP's training clips, and at which most models end."""


def write(like: ModelCard, weights: str, out: str | None = None) -> tuple[Path, list[str]]:
    """Write a card for loading a file in the architecture of a known card; the model is loaded as a check.

    Args:
        like: The known card.
        weights: The checkpoint file.
        out: File to write; None for a file next to the checkpoint, with the suffix `.toml`.

    Returns:
            The card's file, and what the user must check.

    Raises:
        UsageError: The checkpoint does not exist, or the card's file exists or cannot be written.
        ContractError: The file does not contain a model of that architecture.
    UnavailableError: The file is damaged.
    """
    file = Path(weights).expanduser()
    if not file.is_file():
        raise UsageError(f"--weights {weights}: no such file")
    target = Path(out).expanduser() if out else file.with_suffix(".toml")
    if target.suffix != ".toml":
        raise UsageError(f"--out {out}: a card is a .toml file")
    if target.exists():
        raise UsageError(f"{target} exists already; give another name with --out, or delete it")
    card, notes = found(like, file)
    load.from_file(Checkpoint(card, file, str(card.weights.sha256), device="cpu"))
    try:
        target.write_text(text(card, os.path.relpath(file.resolve(), target.resolve().parent)), encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}; give another place with --out") from error
    return target, notes


def found(like: ModelCard, file: Path) -> tuple[ModelCard, list[str]]:
    """Make the card of a file, in the architecture of a known card.

    Args:
        like: The known card.
        file: The checkpoint.

    Returns:
        The card, with `weights.path` and `weights.sha256`, and what the user must check.

    Raises:
            ContractError: The file does not contain a model of that architecture, or a usable scale.
    """
    digest = fetch.sha256(file)
    taken = card_files.shipped()
    name = file.stem.lower().replace(" ", "-") if file.stem.lower() not in taken else f"my-{file.stem.lower()}"
    change = {**UNKNOWN, "id": name, "family": f"like {like.family}", "title": file.stem, "companions": like.companions}
    weights = WeightsSource(path=str(file.resolve()), sha256=digest)
    note = f"made after the card {like.id}; activation, preprocessing and tokenizer are its own: check them"
    card = like.model_copy(update={**change, "weights": weights, "note": note, "drop": ()})
    loaded = state_dict.load(Checkpoint(card, file, digest))
    scale = card.model_copy(update={"logit_scale": USUAL})  # a file without a scale need not be of another architecture
    expected = state_dict.expected(scale, _shapes(card, file, digest))
    held = keys.arrangement(loaded, expected)
    if held is None:
        have = keys.own(keys.unnested(loaded, card) or dict(loaded), expected, card, file.name)
        raise ContractError(keys.refusal(loaded, have, expected, card, file))
    card = card.model_copy(update={"nesting": held.nesting, "prefixes": (held.prefix,), "drop": held.drop})
    tensors = loaded[held.nesting] if held.nesting else loaded
    logit_scale, notes = _scale(card, tensors.get(held.prefix + "logit_scale"))
    return card.model_copy(update={"logit_scale": logit_scale}), [note, *notes]


def text(card: ModelCard, weights: str) -> str:
    """Return a card as the text of its file.

    Args:
        card: The card.
        weights: Path of the file of weights, relative to the card's folder.
    """
    import tomlkit

    fields = {
        name: value for name, value in card.model_dump(mode="json", exclude_defaults=True).items() if value is not None
    }
    fields |= {name: getattr(card, name) for name in ("prefixes", "nesting") if name not in fields}
    fields["weights"] = {"path": weights, "sha256": card.weights.sha256}
    last = {name: fields.pop(name) for name in ("preprocess", "weights")}
    table = {**{name: list(value) if isinstance(value, tuple) else value for name, value in fields.items()}, **last}
    return tomlkit.dumps({"model": [table]})


def _shapes(card: ModelCard, file: Path, digest: str) -> dict[str, list[int]]:
    """Return keys and shapes of the architecture, if the card names no layout."""
    if card.layout is not None:
        return {}
    return load.adapter_class(card).file_keys(Checkpoint(card, file, digest, device="cpu"))


def _scale(card: ModelCard, stored: torch.Tensor | None) -> tuple[Any, list[str]]:
    """Return the scale for the card, and notes about it."""
    if card.logit_scale != "checkpoint":
        return card.logit_scale, []
    if stored is None:
        return USUAL, [f"the file has no logit_scale: the card states {USUAL:g}, as most models have; correct it"]
    try:
        values.logit_scale(stored, "")
    except ContractError:
        if not values.SCALES[0] <= float(stored) <= values.SCALES[1]:
            raise
        return round(float(stored), 6), [f"logit_scale is stored as {float(stored):g}, not as its logarithm: stated so"]
    return "checkpoint", []
