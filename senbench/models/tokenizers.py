"""Tokenizes texts with the tokenizer that a card names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from senbench.errors import ContractError, UnavailableError, brief
from senbench.models import architectures
from senbench.models.checkpoints import fetch
from senbench.models.clip import bpe
from senbench.models.encoder import Tokenizer
from senbench.runtime.environment import versions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from senbench.schema.model_card import ModelCard


def make(card: ModelCard, text: dict[str, Any], vocabulary: int | None) -> Tokenizer:
    """Return the tokenizer of a card, checked against its text tower.

    Args:
        card: The contract.
        text: open_clip's configuration of the text tower (`text_cfg`).
        vocabulary: Number of tokens of the text tower; None if it was not built and is not checked.

    Raises:
        ContractError: The card names a tokenizer that is not the text tower's.
        UnavailableError: Files of a Hugging Face tokenizer are missing.
    """
    wanted = text.get("hf_tokenizer_name") or ""
    if card.tokenizer.startswith("hf:") != bool(wanted):
        raise ContractError(
            f"card {card.id} states tokenizer {card.tokenizer!r}, architecture {card.architecture!r} takes "
            f"{'that of ' + wanted if wanted else 'a byte-pair vocabulary'}"
        )
    return _hugging_face(card, text, vocabulary) if wanted else _byte_pairs(card, text, vocabulary)


def counter(card: ModelCard) -> Callable[[Sequence[str]], list[int]]:
    """Return a function that counts tokens as the model of a card does, without loading the model (see `of`).

    Args:
        card: The model.

    Returns:
        Texts -> the number of tokens of each before truncation, including begin and end; the model does not see the
        whole text if it exceeds `card.context_length`.

    Raises:
        ContractError: As `of`.
        UnavailableError: As `of`.
    """
    made = of(card)
    return lambda texts: [made.count(text) for text in texts]


def of(card: ModelCard) -> Tokenizer:
    """Return the tokenizer of a card, without loading the model.

    Byte-pair vocabularies are read by the `tokenizers` library, without torch and open_clip, whose imports take
    seconds; a Hugging Face tokenizer is the one that the model itself would use.

    Args:
        card: The model.

    Raises:
        ContractError: The vocabulary cannot be read.
        UnavailableError: Files of a Hugging Face tokenizer are missing; nothing is fetched.
    """
    if not card.tokenizer.startswith("hf:"):
        return _byte_pairs(card, {}, None)
    if card.adapter.startswith("senbench.models.transformers_clip:"):
        from senbench.models import transformers_clip

        fetch.companion_files(card)
        return transformers_clip.tokenizer(card, transformers_clip.config(card))
    return make(card, architectures.config(card)["text_cfg"], None)


def identity(card: ModelCard) -> dict[str, Any]:
    """Return everything that determines the tokens of a text with a card, as a cache key."""
    return {
        "model": card.id,
        "tokenizer": card.tokenizer,
        "vocabulary": vocabulary_sha256(card),
        "companions": fetch.companion_hashes(card),
        "architecture": Path(card.architecture).name,
        "context": card.context_length,
        "versions": versions(),
    }


def vocabulary_sha256(card: ModelCard) -> str | None:
    """Return the hash of a card's own vocabulary file; None if the tokenizer is CLIP's or a companion's.

    Raises:
        ContractError: There is no such vocabulary.
    """
    if card.tokenizer == "clip-bpe" or card.tokenizer.startswith("hf:"):
        return None
    return fetch.sha256(_vocabulary(card))


def _byte_pairs(card: ModelCard, text: dict[str, Any], vocabulary: int | None) -> Tokenizer:
    if text.get("tokenizer_kwargs"):
        raise ContractError(
            f"card {card.id}: architecture {card.architecture!r} reads texts in a way of its own "
            f"(tokenizer_kwargs {text['tokenizer_kwargs']}), which is not supported for a byte-pair vocabulary"
        )
    try:
        path = _vocabulary(card)
        size = bpe.encoder(path).get_vocab_size()
    except (OSError, EOFError, ValueError) as error:  # BadGzipFile is an OSError
        what = f"vocabulary {card.tokenizer!r} cannot be read as a gzipped file of merges"
        raise ContractError(f"card {card.id}: {what}: {brief(error)}") from error
    if vocabulary is not None and size != vocabulary:
        raise ContractError(
            f"card {card.id} states tokenizer {card.tokenizer!r} with {size} tokens, the text tower of "
            f"{card.architecture!r} knows {vocabulary}"
        )
    length = card.context_length
    return Tokenizer(lambda texts: bpe.tokens(texts, path, length), lambda text: bpe.counts([text], path)[0])


def _vocabulary(card: ModelCard) -> Path:
    if card.tokenizer == "clip-bpe":
        return bpe.clip_vocabulary()
    path = fetch.SHIPPED / card.tokenizer
    if not path.is_file():
        known = ", ".join(["clip-bpe", *sorted(one.name for one in fetch.SHIPPED.glob("*.txt.gz"))])
        raise ContractError(
            f"card {card.id}: there is no tokenizer {card.tokenizer!r}; known are {known}, a file of merges beside "
            "your own card, and hf:OWNER/NAME for the files of a repository among its companions"
        )
    return path


def _hugging_face(card: ModelCard, text: dict[str, Any], vocabulary: int | None) -> Tokenizer:
    repo = card.tokenizer.removeprefix("hf:")
    if not any(repo == one.repo for one in fetch.companion_files(card)):
        raise ContractError(f"card {card.id} states tokenizer {card.tokenizer!r}, but no companion of that repository")
    folder = fetch.companions(card, repo)
    from open_clip.tokenizer import HFTokenizer

    try:
        made = HFTokenizer(
            str(folder),
            context_length=card.context_length,
            tokenizer_mode=text.get("tokenizer_mode"),
            local_files_only=True,
            **text.get("tokenizer_kwargs", {}),
        )
    except Exception as error:  # for damaged files the library raises almost anything
        reason = brief(error)
        raise UnavailableError(f"model {card.id}: the tokenizer in {folder} cannot be read ({reason})") from error
    if vocabulary is not None and len(made.tokenizer) > vocabulary:
        raise ContractError(
            f"card {card.id}: the tokenizer of {repo} has {len(made.tokenizer)} tokens, the text tower of "
            f"{card.architecture!r} knows {vocabulary}"
        )
    _check_marks(card, made, ends_in_last_position=text.get("pool_type") == "last")
    return Tokenizer(lambda texts: made(texts).numpy(), lambda one: len(made.tokenizer(made.clean_fn(one)).input_ids))


def _check_marks(card: ModelCard, made: Any, *, ends_in_last_position: bool) -> None:
    """Check begin, end and padding of tokens, in which versions of the library differ.

    Raises:
        ContractError: There is padding before the text, no end of text, or a begin mark that SigLIP does not use.
    """
    row, marks = made(["a"])[0].tolist(), made.tokenizer
    length = next((i for i, token in enumerate(row) if token == marks.pad_token_id), len(row))
    wrong = {
        "padding before the text": set(row[length:]) - {marks.pad_token_id} or not length,
        "no end of text": marks.eos_token_id not in row,
        "a begin mark": ends_in_last_position and row[0] == marks.bos_token_id,
    }
    if problems := [what for what, is_so in wrong.items() if is_so]:
        raise ContractError(
            f"card {card.id}: tokenizer {card.tokenizer!r} writes {row[:4]}... for 'a', with {' and '.join(problems)}; "
            "its files or the installed version of transformers are not those of the release"
        )
