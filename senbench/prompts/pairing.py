"""Pairs the prompts of packs for resampling: matched prompts are drawn jointly, all others independently."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from senbench.prompts import versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.schema.dataset import Vocabulary
    from senbench.schema.prompt_set import PromptSet


@dataclass(frozen=True)
class Resampling:
    """How the prompts of one pack are resampled.

    Attributes:
        matching: What pairs it with other packs: packs of one value are drawn together, prompt by prompt.
        order: Per class, in label order: the prompts by position in the pack, in the order of the draw.
        seeds: Per class: seed of its draws.
    """

    matching: str
    order: tuple[tuple[int, ...], ...]
    seeds: tuple[int, ...]


def resamplings(packs: Sequence[PromptSet], vocabulary: Vocabulary) -> tuple[Resampling, ...]:
    """How each pack is drawn.

    Two packs are matched where they have the same number of prompts in every class, and prompt j of both
    shows the same cue (or none) and names its class (or not); at least one prompt of a class shows a cue.
    Packs of the same sentences in another order are one pack.

    Args:
        packs: Rendered prompts of one dataset.
        vocabulary: Its classes with their paired cues.

    Returns:
        One entry per pack; the draws do not depend on the order of classes or of packs of other sentences.
    """
    by_content: dict[str, tuple[PromptSet, Resampling]] = {}
    out = []
    for pack in packs:
        content = _hash({key: sorted(texts) for key, texts in pack.texts.items()})
        if content not in by_content:
            by_content[content] = pack, _resampling(pack, content, vocabulary)
        first, earlier = by_content[content]
        order = []
        for key, positions in zip(first.texts, earlier.order, strict=True):
            renamed = dict(zip(_sorted(first.texts[key]), _sorted(pack.texts[key]), strict=True))
            order.append(tuple(renamed[j] for j in positions))
        out.append(replace(earlier, order=tuple(order)))
    return tuple(out)


def _resampling(pack: PromptSet, content: str, vocabulary: Vocabulary) -> Resampling:
    shown = _shown(pack, vocabulary)
    if shown is not None:
        matching, parts = _hash(shown), {key: [str(one) for one in line] for key, line in shown.items()}
        order = tuple(tuple(range(len(texts))) for texts in pack.texts.values())
    else:
        matching, parts = content, {key: sorted(texts) for key, texts in pack.texts.items()}
        order = tuple(tuple(_sorted(texts)) for texts in pack.texts.values())
    return Resampling(matching, order, tuple(int(_hash({key: parts[key]})[:16], 16) for key in pack.texts))


def _shown(pack: PromptSet, vocabulary: Vocabulary) -> dict[str, list[tuple[int, bool]]] | None:
    """Return for each prompt the index of its cue, -1 for none, and whether it names the class; None without cues."""
    if pack.source.startswith("builtin:"):
        vocabulary = versions.vocabulary_then(pack.id.partition("@")[0], pack.version, vocabulary)
    entries = {entry.key: entry for entry in vocabulary.classes}
    out: dict[str, list[tuple[int, bool]]] = {}
    for (key, texts), name in zip(pack.texts.items(), pack.names, strict=True):
        entry = entries[key]
        kinds = ((*entry.ground, *entry.ground_short), (*entry.aerial, *entry.aerial_short))
        cues = [(cue.lower(), i) for kind in kinds for i, cue in enumerate(kind)]
        cues.sort(key=lambda pair: -len(pair[0]))  # a cue may contain a shorter one
        lines = [text.lower() for text in texts]
        out[key] = [(next((i for cue, i in cues if cue in line), -1), name.lower() in line) for line in lines]
        if all(cue < 0 for cue, _ in out[key]):
            return None
    return out


def _sorted(texts: Sequence[str]) -> list[int]:
    return sorted(range(len(texts)), key=texts.__getitem__)


def _hash(what: object) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()
