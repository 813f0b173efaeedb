"""Verification of a checkpoint against its card: every item of the contract, and the golden fingerprint."""

from __future__ import annotations

import fnmatch
import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import ContractError, UnavailableError, UsageError
from senbench.models import card_files, registry
from senbench.models.checkpoints import fetch, state_dict
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.runtime.access import Access
from senbench.schema.terms import BANDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from senbench.models.adapter import Adapter
    from senbench.schema.model_card import ModelCard

PROMPTS = (
    "a photo of a forest.",
    "A Centered Satellite Photo of INDUSTRIAL buildings, seen from above!",
    "sea or lake",
    "long rows of ripe golden wheat run up to a hedge under a grey sky in July, with a tractor on the track, two "
    "barns, a line of poplars and the roofs of a village behind them",
    "x",
)
"""Short and long, lower and upper case, with and without punctuation: a wrong tokenizer or padding shows."""

TOLERANCE = 1e-3
"""Largest accepted difference of a cosine: far above float32 noise, far below any wrong setting."""


@dataclass(frozen=True)
class Item:
    """One item of the contract.

    Attributes:
        name: What was looked at.
        ok: True or False; None: it could not be looked at.
        detail: What was found.
    """

    name: str
    ok: bool | None
    detail: str


@dataclass
class Verification:
    """Outcome of a verification.

    Attributes:
        card: The card.
        items: What was looked at, in order.
        sha256: Hash of the file.
        fingerprint: Cosines of the fixed image with the fixed prompts; empty where the model did not load.
        facts: Size and layout of the file, for a report.
    """

    card: ModelCard
    items: list[Item] = field(default_factory=list)
    sha256: str = ""
    fingerprint: tuple[float, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """True if no item failed."""
        return all(item.ok is not False for item in self.items)


def golden_image(bands: Sequence[str], unit: str) -> NDArray[np.generic]:
    """The fixed image: integer arithmetic only, oblong, coarse and fine structure.

    What a channel shows depends on the name of its band, so that a wrong order shows.

    Args:
        bands: Names of the C bands, in the model's order.
        unit: `uint8`, or `dn` for digital numbers.

    Returns:
        (72, 96, C): uint8 0..255, or uint16 0..4080.
    """
    y, x = np.ogrid[:72, :96]
    y, x, c = y[..., None], x[..., None], np.array([BANDS.index(band) for band in bands])
    blocks = ((x // 12 + 2 * (y // 9) + 3 * c) * 37) % 256
    waves = (x * y // 7 + 5 * (c + 1) * x) % 256
    image: NDArray[np.int64] = (3 * blocks + waves) // 4
    return image.astype(np.uint8) if unit == "uint8" else (image * 16).astype(np.uint16)


def fingerprint(adapter: Adapter) -> tuple[float, ...]:
    """Cosines of the golden image with the fixed prompts, float32.

    Args:
        adapter: The loaded model.

    Returns:
        One cosine a prompt, rounded to six digits.
    """
    image = golden_image(adapter.card.bands, adapter.card.unit)
    rows = adapter.encode_texts(PROMPTS) @ adapter.encode_images([image])[0]
    return tuple(round(float(value), 6) for value in rows)


def verify(card: ModelCard, *, file: str | None = None, offline: bool = False) -> Verification:
    """Load a model in float32 on the CPU and hold it against its card.

    Args:
        card: The contract.
        file: Local checkpoint; None: the released one, fetched if need be.
        offline: Never open a socket.

    Returns:
        Every item that was looked at; a contradiction is a failed item, not an error.

    Raises:
        UsageError: No such file.
        UnavailableError: The weights are missing or damaged.
    """
    from senbench.models.load import from_file

    found = Verification(card)
    path = fetch.locate(card, Access(offline=offline, weights=file))
    found.facts = {"file": path.name, "bytes": path.stat().st_size}
    try:
        found.sha256 = fetch.identify(card, path)
        pinned = fetch.pinned(card, found.sha256)
        known = "as pinned in the card" if pinned else "the card pins none"
        found.items.append(Item("weights", ok=pinned or None, detail=f"sha256 {found.sha256}, {known}"))
        checkpoint = Checkpoint(card, path, found.sha256, device="cpu")
        adapter = from_file(checkpoint)
    except ContractError as error:
        found.items.append(Item("contract" if found.sha256 else "weights", ok=False, detail=str(error)))
        return found
    try:
        found.fingerprint = fingerprint(adapter)
    except UsageError as error:
        found.items.append(Item("embeddings", ok=False, detail=str(error)))
        return found
    if max(found.fingerprint) - min(found.fingerprint) < 1e-6:
        same = f"the fixed image has the cosine {found.fingerprint[0]:.4f} with every prompt: it tells nothing apart"
        found.items.append(Item("embeddings", ok=False, detail=same))
    compared = _compared(card, found.fingerprint)
    found.items += [*_contract(adapter, known=compared.ok or None), compared]
    if card.derived_from:
        found.items.append(_lineage(checkpoint))
    return found


def report(found: Verification) -> dict[str, Any]:
    """What somebody who has the real file sends back: facts, no weights, no paths.

    Args:
        found: The verification.

    Returns:
        JSON-able, with the lines to put into the card.
    """
    from senbench.runtime import environment

    return {
        "senbench_report": 1,
        "model": found.card.id,
        "card": card_files.portable(found.card),
        "file": {**found.facts, "sha256": found.sha256},
        "items": [{"name": i.name, "ok": i.ok, "detail": _without_folders(i.detail, found.card)} for i in found.items],
        "ok": found.ok,
        "fingerprint": list(found.fingerprint),
        "prompts_sha256": hashlib.sha256("\n".join(PROMPTS).encode()).hexdigest(),
        "environment": environment.describe(None, "float32"),
    }


def _without_folders(text: str, card: ModelCard) -> str:
    for path in filter(None, (card.weights.path, card.architecture, card.tokenizer)):
        if Path(path).is_absolute():
            text = text.replace(f"{Path(path).parent}/", "")
    return text


def _contract(adapter: Adapter, *, known: bool | None) -> list[Item]:
    """What loading has proved: it raises where card, architecture and file disagree.

    Mean, filter, crop and padding show in nothing but the output: they are as good as the fingerprint, which is
    right (`known`) or cannot be told (None).
    """
    card, how, scale = adapter.card, adapter.card.preprocess, adapter.logit_scale
    n = sum(parameter.numel() for parameter in adapter.model.parameters())
    size = f"{n:,}" if n == card.parameters else f"{n:,}, the card states {card.parameters:,}"
    pixels = f"{how.resize_mode} to {how.resolution}, {how.interpolation}, mean {how.mean[0]:g}, ..."
    items: dict[str, tuple[bool | None, str]] = {
        "layout": (True, f"every key and shape of {card.layout or card.architecture}"),
        "parameters": (n == card.parameters, size),
        "activation": (True, f"{card.activation}, as built"),
        "preprocess": (known, pixels),
        "logit scale": (scale is None or 1.0 <= scale <= 200.0, "none" if scale is None else f"{scale:.4g}"),
        "text": (known, f"{card.tokenizer}, {card.context_length} tokens"),
    }
    return [Item(name, ok, detail) for name, (ok, detail) in items.items()]


def _compared(card: ModelCard, cosines: tuple[float, ...]) -> Item:
    shown = ", ".join(f"{value:.4f}" for value in cosines)
    if not card.fingerprint:
        return Item("fingerprint", None, f"{shown}; the card has none to compare with")
    worst = max(abs(a - b) for a, b in zip(cosines, card.fingerprint, strict=True))
    ok = worst <= TOLERANCE
    return Item("fingerprint", ok, f"{shown}; differs from the card by at most {worst:.1e} (allowed {TOLERANCE:g})")


def _lineage(checkpoint: Checkpoint) -> Item:
    """Frozen tensors are bit-identical to the model they come from, where its file is here."""
    import torch

    card = checkpoint.card
    base = registry.find(card.derived_from)
    try:
        file = fetch.locate(base, Access(offline=True))
    except UnavailableError:
        return Item("lineage", None, f"{base.id} is not here; `senbench models fetch {base.id}` lets it be checked")
    own = state_dict.read(checkpoint)
    theirs = state_dict.read(Checkpoint(base, file, fetch.identify(base, file)))

    def compare(patterns: tuple[str, ...]) -> tuple[list[str], list[str]]:
        keys = [key for key in theirs if any(fnmatch.fnmatchcase(key, pattern) for pattern in patterns)]
        return keys, [key for key in keys if not torch.equal(own[key].float(), theirs[key].float())]

    frozen, changed = compare(card.frozen)
    reported, moved = compare(card.frozen_reported)
    if changed:
        some = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
        detail = f"{len(changed)} of {len(frozen)} frozen tensors differ from {base.id}: {some}"
        return Item("lineage", ok=False, detail=detail)
    detail = f"{len(frozen)} frozen tensors are bit-identical to {base.id}'s"
    if reported:
        same = len(reported) - len(moved)
        detail += f"; of {len(reported)} that the authors report as frozen, {same} are"
    return Item("lineage", None if moved else True, detail)
