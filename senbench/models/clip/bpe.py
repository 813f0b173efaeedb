"""CLIP's byte-pair encoding through the `tokenizers` library: tokens without torch or open_clip."""

from __future__ import annotations

import gzip
import html
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CONTEXT = 77
"""Tokens that CLIP's text tower reads."""
END = "</w>"
MARKS = ("<start_of_text>", "<end_of_text>")
MERGES = 49152 - 256 - 2
"""Most merges that CLIP's tokenizer reads from a vocabulary file."""
# CLIP's own pattern (openai/CLIP, clip/simple_tokenizer.py); texts are in lower case when it sees them
_WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


def counts(texts: list[str], vocabulary: Path | None) -> list[int]:
    """Number of tokens of each text before any cut, begin and end included.

    Args:
        texts: Texts as written.
        vocabulary: File of merges, gzipped, first line a comment; None: CLIP's own, from open_clip's package.

    Raises:
        OSError, EOFError, ValueError: The file cannot be read or is no list of merges.
    """
    made = encoder(vocabulary or clip_vocabulary())
    # one by one: a batch starts threads, and a process that forks later is warned of them
    return [len(made.encode(clean(text)).ids) + len(MARKS) for text in texts]


def tokens(texts: list[str], vocabulary: Path | None, context: int) -> NDArray[np.int64]:
    """Tokens of each text as CLIP's text tower reads them.

    Args:
        texts: Texts as written.
        vocabulary: As for `counts`.
        context: L, tokens that the text tower reads; a longer text loses its end, but not the mark of it.

    Returns:
        int64 (P, L): begin, text, end, zeros.
    """
    import numpy as np  # counting needs none

    made = encoder(vocabulary or clip_vocabulary())
    begin, end = (made.token_to_id(mark) for mark in MARKS)
    out = np.zeros((len(texts), context), np.int64)
    for row, text in zip(out, texts, strict=True):
        ids = [begin, *made.encode(clean(text)).ids[: context - 2], end]
        row[: len(ids)] = ids
    return out


def clip_vocabulary() -> Path:
    """CLIP's merges inside open_clip's package, found without importing it.

    Raises:
        OSError: open_clip is not installed.
    """
    spec = find_spec("open_clip")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("open_clip is not installed")
    return Path(spec.origin).parent / "bpe_simple_vocab_16e6.txt.gz"


@cache
def encoder(vocabulary: Path) -> Any:
    """The tokenizer of a vocabulary file."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers

    with gzip.open(vocabulary, "rt", encoding="utf-8") as stream:
        lines = stream.read().split("\n")[1 : MERGES + 1]
    merges: list[tuple[str, str]] = [(first, last) for first, last in (line.split() for line in lines)]
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    pieces = [*letters, *(letter + END for letter in letters), *(first + last for first, last in merges)]
    vocab = {piece: number for number, piece in enumerate(pieces)}
    made = Tokenizer(models.BPE(vocab=vocab, merges=merges, end_of_word_suffix=END))
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_WORDS), "removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.add_special_tokens(list(MARKS))
    return made


def clean(text: str) -> str:
    """Text as CLIP's tokenizer reads it: mended, entities resolved, one space between words, lower case."""
    if not text.isascii() or "&" in text or not text.isprintable():  # ftfy changes no other text; it imports slowly
        import ftfy

        text = html.unescape(html.unescape(ftfy.fix_text(text)))
    return " ".join(text.split()).lower()
