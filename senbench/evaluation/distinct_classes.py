"""Checks that the prompts of different classes differ in the tokens that a model reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.embedding import side_cache
from senbench.errors import UsageError
from senbench.models import tokenizers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from senbench.models.encoder import Encoder
    from senbench.schema.model_card import ModelCard
    from senbench.schema.prompt_set import PromptSet


def of_card(card: ModelCard, packs: Sequence[PromptSet], cache: Path | None) -> None:
    """Check that no two classes have the same tokens; the model is not loaded.

    Args:
        card: The model, whose files must be on this machine.
        packs: The prompt sets.
        cache: Cache folder, or None.

    Raises:
        UsageError: Two classes have the same tokens; the message names the set, the classes and a text.
    """
    texts = _distinct(packs)
    digests = side_cache.token_digests(
        tokenizers.identity(card), texts, lambda asked: tokenizers.of(card).tokenize(asked), cache
    )
    for pack in packs:
        _check(pack, dict(zip(texts, digests, strict=True)), f"model {card.id} (context {card.context_length} tokens)")


def of_encoder(encoder: Encoder, packs: Sequence[PromptSet]) -> None:
    """Check the same for a loaded model or a user's object, unless its tokens are unknown.

    Raises:
        UsageError: As `of_card`.
    """
    texts = _distinct(packs)
    tokens = encoder.tokens(texts)
    if tokens is None:
        return
    read = {text: row.tobytes() for text, row in zip(texts, tokens, strict=True)}
    for pack in packs:
        _check(pack, read, f"model {encoder.describe()['id']}")


def _distinct(packs: Sequence[PromptSet]) -> list[str]:
    return list(dict.fromkeys(text for pack in packs for text in pack.lines))


def _check(pack: PromptSet, read: dict[str, bytes], model: str) -> None:
    text_of: dict[frozenset[bytes], str] = {}
    for key, texts in pack.texts.items():
        other = text_of.setdefault(frozenset(read[text] for text in texts), key)
        if other == key:
            continue
        twin = next(text for text in pack.texts[other] if read[text] == read[texts[0]])
        raise UsageError(
            f"prompts {pack.id}: classes {other!r} and {key!r} are the same to {model}: it reads the same tokens of "
            f"{_short(twin)} and {_short(texts[0])}, so that both score the same on every tile; let them differ in "
            "letters that it reads, before it cuts the text"
        )


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
