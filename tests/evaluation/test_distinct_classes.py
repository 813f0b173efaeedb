"""Classes are compared by what a model reads, and refused before a tile is embedded."""

from __future__ import annotations

import hub_files
import numpy as np
import pytest
import stubs

import senbench
from senbench.datasets.open import dataset_info
from senbench.errors import UsageError
from senbench.evaluation import distinct_classes
from senbench.models import registry, tokenizers
from senbench.models.checkpoints import fetch
from senbench.models.load import load
from senbench.prompts import load_prompts, prompts_from_dict, vocabulary_for

CARD = registry.find("mini")
INFO = dataset_info("eurosat")
VOCABULARY, NAMES = vocabulary_for(INFO, None)
LONG = "field " * 100


def pack(**change):
    texts = {key: [f"a photo of {key} number {i}" for i in range(2)] for key in INFO.classes} | change
    return prompts_from_dict(texts, INFO, VOCABULARY)


@pytest.mark.parametrize(
    ("forest", "river"),
    [
        (["a lake &amp; sea"], ["a lake & sea"]),
        ([LONG + "forest"], [LONG + "river"]),
        (["A  Lake"], ["a lake"]),
        (["a lake", "a sea"], ["a sea", "A LAKE"]),
        (["\uff4cake"], ["lake"]),
    ],
    ids=["entity", "cut", "case and spaces", "order", "width"],
)
def test_what_is_read_alike_is_refused(forest, river, tmp_path):
    given = pack(Forest=forest, River=river)
    for cache in (tmp_path, tmp_path, None):  # tokenized, kept, and not kept
        with pytest.raises(UsageError, match=r"classes 'Forest' and 'River' are the same to model mini") as error:
            distinct_classes.of_card(CARD, [pack(), given], cache)
        assert "\n" not in str(error.value)
    with pytest.raises(UsageError, match="classes 'Forest' and 'River'"):
        distinct_classes.of_encoder(load("mini", device="cpu"), [given])


def test_what_differs_in_one_prompt_passes(tmp_path):
    given = [
        pack(),
        pack(Forest=["a lake", "a sea"], River=["a lake", "a pond"]),
        load_prompts("clip", INFO, VOCABULARY),
    ]
    distinct_classes.of_card(CARD, given, tmp_path)
    distinct_classes.of_encoder(stubs.StubEncoder(), given)  # its tokens are not known


def test_what_is_kept_needs_no_tokenizer(tmp_path, monkeypatch):
    distinct_classes.of_card(CARD, [pack()], tmp_path)
    monkeypatch.setattr(tokenizers, "of", None)
    distinct_classes.of_card(CARD, [pack()], tmp_path)
    with pytest.raises(TypeError):
        distinct_classes.of_card(CARD, [pack(Forest=["new"])], tmp_path)


def test_a_run_refuses_before_a_tile_is_embedded(tmp_path, monkeypatch):
    monkeypatch.setattr("senbench.evaluation.grid._model", None)
    texts = {key: [f"a photo of {key}"] for key in INFO.classes} | {"Forest": [LONG + "a"], "River": [LONG + "b"]}
    with pytest.raises(UsageError, match="are the same to model mini"):
        senbench.evaluate("mini", "demo", texts, offline=True, cache=False, device="cpu")


def test_a_tokenizer_of_transformers_reads_the_texts(tmp_path):
    """SigLIP 2's removes punctuation and case, and cuts after 64 tokens: here a letter each."""
    card = registry.find("siglip2-vit-b-16")
    hub_files.byte_pairs(fetch.companions(card, "timm/ViT-B-16-SigLIP2"))
    differing = pack(**{key: [f"{'abcdefghij'[i]} field"] for i, key in enumerate(INFO.classes)})
    distinct_classes.of_card(card, [differing], tmp_path)
    for forest, river in (("a lake, wide!", "A lake wide"), ("x" * 80 + "a", "x" * 80 + "b")):
        given = pack(Forest=[forest], River=[river])
        for cache in (tmp_path, tmp_path, None):
            with pytest.raises(UsageError, match="'Forest' and 'River' are the same to model siglip2-vit-b-16"):
                distinct_classes.of_card(card, [given], cache)


def test_tokens_of_a_card_are_those_of_the_loaded_model():
    texts = ["a lake", LONG, "wälder &amp; wiesen"]
    np.testing.assert_array_equal(tokenizers.of(CARD).tokenize(texts), load("mini", device="cpu").tokens(texts))
