"""Generates the small files that lie beside weights on the hub: tokenizers, configurations. A tool of the tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from senbench.models import architectures

if TYPE_CHECKING:
    from pathlib import Path

LETTERS = "▁abcdefghijklmnopqrstuvwxyzACL,!"


def xlm_roberta(folder: Path) -> Path:
    """Configuration of a narrow text tower, all else as the shipped one."""
    config = json.loads((architectures.FOLDER / "xlm-roberta-base" / "config.json").read_text())
    size = {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 256}
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**config, **size, "vocab_size": 64}))
    return folder


def unigrams(folder: Path) -> None:
    """Tokenizer files of XLM-RoBERTa's kind."""
    from transformers import XLMRobertaTokenizer

    marks = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    made = XLMRobertaTokenizer(vocab=[*marks, *((letter, -3.0) for letter in LETTERS), ("▁a", -1.0), ("<mask>", 0.0)])
    save(made, folder)


def byte_pairs(folder: Path, **how: Any) -> int:
    """Tokenizer files of Gemma's kind as SigLIP 2 has them, but for `how`; returns the size of the vocabulary."""
    from transformers import GemmaTokenizer

    words = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{i:02X}>" for i in range(256)), *LETTERS]
    vocabulary = {word: i for i, word in enumerate(words)}
    settings = {"add_bos_token": False, "add_eos_token": True, "padding_side": "right", **how}
    save(GemmaTokenizer(vocab=vocabulary, **settings), folder)
    return len(words)


def save(tokenizer: Any, folder: Path) -> None:
    tokenizer.save_pretrained(str(folder))
    (folder / "special_tokens_map.json").write_text("{}")  # older versions of the library wrote one
