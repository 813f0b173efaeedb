"""Tokenizers: exact tokens, padding and marks, and every mismatch between a card and its text tower."""

from __future__ import annotations

import gzip
import subprocess
import sys

import hub_files
import numpy as np
import open_clip
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.errors import ContractError, UnavailableError
from senbench.models import architectures, registry, tokenizers
from senbench.models.checkpoints import fetch

CLIP, SIGLIP = registry.find("clip-vit-b-32"), registry.find("siglip2-vit-b-16")
CLIP_TEXT = open_clip.get_model_config("ViT-B-32-quickgelu")["text_cfg"]
SIGLIP_TEXT = open_clip.get_model_config("ViT-B-16-SigLIP2")["text_cfg"]
FOLDER = "timm/ViT-B-16-SigLIP2"


def gemma(**how):
    """Tokenizer files of SigLIP 2's kind in the card's folder; returns the size of the vocabulary."""
    return hub_files.byte_pairs(fetch.companions(SIGLIP, FOLDER), **how)


def test_clips_tokens():
    made = tokenizers.make(CLIP, CLIP_TEXT, 49408)
    tokens = made.tokenize(["a river", "x " * 90])
    assert tokens.dtype == np.int64
    assert tokens.shape == (2, 77)
    assert tokens[0].tolist() == [49406, 320, 2473, 49407] + [0] * 73
    assert tokens[1, -1] == 49407  # cut, with its end kept
    assert made.count("a river") == 4
    assert made.count("x " * 75) == 77
    assert made.count("x " * 76) == 78


def test_context_of_32():
    card = registry.find("pe-core")
    made = tokenizers.make(card, open_clip.get_model_config(card.architecture)["text_cfg"], 49408)
    assert made.tokenize(["a river"])[0].tolist() == [49406, 320, 2473, 49407] + [0] * 28


def test_siglip_pads_to_its_context_without_a_begin_mark():
    size = gemma()
    made = tokenizers.make(SIGLIP, SIGLIP_TEXT, size)
    tokens = made.tokenize(["A, b!", "ab " * 70])
    letters = [261 + hub_files.LETTERS.index(letter) for letter in "a▁b"]
    # lower case, punctuation removed, end of text 1, padding 0
    assert tokens[0].tolist() == [*letters, 1] + [0] * 60
    assert tokens.shape == (2, 64)
    assert tokens[1, -1] == 1
    assert made.count("A, b!") == 4
    assert made.count("ab " * 70) == 3 * 70


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"padding_side": "left"}, "padding before the text"),
        ({"add_eos_token": False}, "no end of text"),
        ({"add_bos_token": True}, "a begin mark"),
    ],
)
def test_files_read_in_another_way_are_refused(how, says):
    size = gemma(**how)
    with pytest.raises(ContractError, match=f"with {says}; its files or the installed version"):
        tokenizers.make(SIGLIP, SIGLIP_TEXT, size)


def test_missing_files_say_what_to_run():
    with pytest.raises(UnavailableError, match="`senbench models fetch siglip2-vit-b-16`"):
        tokenizers.make(SIGLIP, SIGLIP_TEXT, 256000)


def test_damaged_files_are_one_line():
    gemma()
    (fetch.companions(SIGLIP, FOLDER) / "tokenizer.json").write_text("{")
    with pytest.raises(UnavailableError, match="cannot be read") as error:
        tokenizers.make(SIGLIP, SIGLIP_TEXT, 256000)
    assert "\n" not in str(error.value)


def test_the_text_tower_must_know_every_token():
    size = gemma()
    with pytest.raises(ContractError, match=f"has {size} tokens, the text tower of 'ViT-B-16-SigLIP2' knows 100"):
        tokenizers.make(SIGLIP, SIGLIP_TEXT, 100)
    with pytest.raises(ContractError, match="49408 tokens, the text tower of 'ViT-B-32-quickgelu' knows 6514"):
        tokenizers.make(CLIP, CLIP_TEXT, 6514)


def test_another_kind_of_tokenizer_is_refused():
    with pytest.raises(ContractError, match=r"'clip-bpe', architecture 'ViT-B-16-SigLIP2' takes that of timm/ViT"):
        tokenizers.make(SIGLIP.model_copy(update={"tokenizer": "clip-bpe"}), SIGLIP_TEXT, 256000)
    with pytest.raises(ContractError, match="takes a byte-pair vocabulary"):
        tokenizers.make(CLIP.model_copy(update={"tokenizer": "hf:a/b"}), CLIP_TEXT, 49408)
    gemma()
    with pytest.raises(ContractError, match="no companion of that repository"):
        tokenizers.make(SIGLIP.model_copy(update={"tokenizer": "hf:a/b"}), SIGLIP_TEXT, 256000)


# What a count without open_clip could get wrong: contractions, entities, accents, marks, spaces, digits, long words.
AWKWARD = (
    "a river",
    "It's the farmer's field, isn't it? WE'VE seen 12,345 trees!!",
    "Sea &amp; Lake &amp;amp; &lt;b&gt; caf\u00e9 \u2018quoted\u2019 \u2014 na\u00efve \u0130stanbul \u00c3\u00a9",
    "  many \t spaces\u00a0here ",
    "<start_of_text> in the middle <end_of_text>",
    "hyphen-ated under_scored /slashed/ (braced) 10m x 10m #1",
    "\u6cb3\u5ddd \U0001f30d \U0001f33e",
    "supercalifragilisticexpialidocious " * 3,
    "x " * 90,
    ".",
)


@pytest.mark.parametrize("name", ["clip-vit-b-32", "mini", "pe-core"])
def test_a_count_without_open_clip_is_its_tokenizers(name):
    card = registry.find(name)
    path = {} if card.tokenizer == "clip-bpe" else {"bpe_path": str(fetch.SHIPPED / card.tokenizer)}
    own = open_clip.SimpleTokenizer(**path)
    assert tokenizers.counter(card)(AWKWARD) == [len(own.encode(text)) + 2 for text in AWKWARD]


# which of the characters that Unicode has not assigned yet are letters depends on the version of either library
ASSIGNED = st.characters(exclude_categories=["Cs", "Cn"])


@given(st.lists(st.text(ASSIGNED, max_size=60), max_size=5))
@settings(max_examples=150, deadline=None)
def test_a_count_of_any_text_is_that_of_open_clips_tokenizer(texts):
    own = open_clip.tokenizer._tokenizer
    assert tokenizers.counter(CLIP)(texts) == [len(own.encode(text)) + 2 for text in texts]


@pytest.mark.parametrize("name", ["clip-vit-b-32", "mini", "pe-core"])
def test_tokens_are_those_of_open_clips_tokenizer(name):
    card = registry.find(name)
    path = {} if card.tokenizer == "clip-bpe" else {"bpe_path": str(fetch.SHIPPED / card.tokenizer)}
    theirs = open_clip.SimpleTokenizer(**path)
    made = tokenizers.make(card, architectures.config(card)["text_cfg"], theirs.vocab_size)
    np.testing.assert_array_equal(made.tokenize([*AWKWARD]), theirs([*AWKWARD], context_length=card.context_length))
    assert made.tokenize([*AWKWARD]).max() == theirs.eot_token_id


@given(st.lists(st.text(ASSIGNED, max_size=60), min_size=1, max_size=5))
@settings(max_examples=150, deadline=None)
def test_tokens_of_any_text_are_those_of_open_clips_tokenizer(texts):
    made, theirs = tokenizers.make(CLIP, CLIP_TEXT, 49408), open_clip.tokenizer._tokenizer
    np.testing.assert_array_equal(made.tokenize(texts), theirs(texts, context_length=77))


def test_texts_read_in_another_way_are_refused():
    odd = {**CLIP_TEXT, "tokenizer_kwargs": {"clean": "canonicalize"}}
    with pytest.raises(ContractError, match=r"way of its own .*canonicalize.* not supported for a byte-pair"):
        tokenizers.make(CLIP, odd, 49408)


def test_a_count_imports_neither_torch_nor_open_clip():
    code = (
        "import sys; from senbench.models import tokenizers, registry;"
        "print(tokenizers.counter(registry.find('mini'))(['a']));"
        "heavy = {'torch', 'open_clip', 'transformers', 'ftfy'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, "[3]"), done.stderr


def test_no_byte_pair_architecture_cleans_texts_in_another_way():
    for name in open_clip.list_models():
        text = open_clip.get_model_config(name)["text_cfg"]
        assert text.get("hf_tokenizer_name") or not text.get("tokenizer_kwargs"), name


def test_a_count_by_files_of_the_hub():
    gemma()
    count = tokenizers.counter(SIGLIP)
    own = tokenizers.make(SIGLIP, SIGLIP_TEXT, 256000)
    texts = ["A, b!", "ab " * 70]
    assert count(texts) == [own.count(text) for text in texts] == [4, 210]


def test_a_count_fetches_nothing():
    with pytest.raises(UnavailableError, match="`senbench models fetch siglip2-vit-b-16`"):
        tokenizers.counter(SIGLIP)


def test_a_damaged_vocabulary_is_one_line(tmp_path):
    (tmp_path / "bad.txt.gz").write_bytes(b"no zip")
    (tmp_path / "odd.txt.gz").write_bytes(gzip.compress(b"#\na b c\n"))
    for name in ("bad.txt.gz", "odd.txt.gz"):
        with pytest.raises(ContractError, match="cannot be read"):
            tokenizers.counter(CLIP.model_copy(update={"tokenizer": str(tmp_path / name)}))


@pytest.mark.parametrize("name", ["none.txt.gz", "", "."])
def test_a_vocabulary_that_is_not_there_is_told_with_the_known_ones(name):
    card = CLIP.model_copy(update={"tokenizer": name})
    for ask in (tokenizers.counter, tokenizers.vocabulary_sha256):
        with pytest.raises(ContractError, match=r"no tokenizer '.*'; known are clip-bpe, mini-bpe\.txt\.gz, .* hf:"):
            ask(card)
