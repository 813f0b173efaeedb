"""Texts: prompts cut at their end, against all 77 tokens."""

from __future__ import annotations

import open_clip
import pytest
import torch

from senbench.datasets.open import dataset_info
from senbench.models import load
from senbench.prompts.load import load_prompts
from senbench.prompts.vocabulary import vocabulary_for

pytestmark = pytest.mark.benchmark(group="text")


def short_prompts(n):
    """The prompts of `ground-short`, 9 to 23 tokens, again from the first until there are enough."""
    info = dataset_info("eurosat-rgb")
    vocabulary, names = vocabulary_for(info, "senclip")
    lines = [text for texts in load_prompts("ground-short", info, vocabulary, names).texts.values() for text in texts]
    return (lines * n)[:n]


def test_mini(against):
    """The shipped model, against its own tower over the whole context with torch's kernels."""
    texts, mine, plain = (
        short_prompts(128),
        load.load("mini", device="cpu"),
        load.load("mini", device="cpu", kernels="torch"),
    )
    tokens = torch.from_numpy(plain.tokens(texts))

    def whole_context() -> None:
        with torch.inference_mode():
            for part in tokens.split(64):
                plain._encode_token_batch(part)

    against(lambda: mine.encode_texts(texts), whole_context, what="all 77 tokens, torch's kernels")


@pytest.mark.whole
def test_against_open_clip(against, weights):
    """510 prompts through ViT-B/32's text tower, against open_clip's over all 77 tokens."""
    file, texts = weights("openai-vit-b-32"), short_prompts(510)
    mine = load.load("clip-vit-b-32", file=str(file), device="cpu")
    theirs = open_clip.create_model("ViT-B-32-quickgelu").eval().requires_grad_(requires_grad=False)
    theirs.load_state_dict(torch.load(file, weights_only=True), strict=False)
    tokenize = open_clip.SimpleTokenizer()

    def whole_context() -> None:
        with torch.inference_mode():
            for start in range(0, 128, 64):
                theirs.encode_text(tokenize(texts[start : start + 64], context_length=77))

    what = "open_clip, all 77 tokens"
    against(lambda: mine.encode_texts(texts), whole_context, what=what, work=510 / 128, goal=10, rounds=3)
