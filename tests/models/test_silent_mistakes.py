"""Silent mistakes: every way to load a checkpoint almost right changes the output, and is refused.

One table. A mistake that card, architecture, manifest or file can reveal is refused when loading; one that
nothing but the output shows (a mean, a filter, a padding) is refused by `senbench models verify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import checkpoints
import numpy as np
import pytest
import stubs

from senbench.errors import ContractError
from senbench.evaluation.grid import evaluate
from senbench.models import registry, verify
from senbench.models.load import load
from senbench.models.openclip import OpenClipAdapter

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.schema.model_card import ModelCard

SENCLIP = registry.find("senclip")
HOW = SENCLIP.preprocess
OPENAI = registry.find("clip-vit-b-32").preprocess


@dataclass(frozen=True)
class Mistake:
    """One wrong statement on an otherwise right card."""

    name: str
    change: dict[str, Any]
    refused_when: str
    """`loading`, or `verifying`: by the golden fingerprint."""
    says: str


def how(**change: Any) -> dict[str, Any]:
    return {"preprocess": HOW.model_copy(update=change)}


MISTAKES = [
    Mistake("GELU for QuickGELU", {"architecture": "ViT-B-32", "activation": "gelu"}, "loading", "gelu"),
    Mistake("GELU architecture under a QuickGELU card", {"architecture": "ViT-B-32"}, "loading", "gelu"),
    Mistake("context of 64", {"context_length": 64}, "loading", "context_length"),
    Mistake("resolution of 256", how(resolution=256), "loading", "resolution"),
    Mistake("mean and std swapped", how(mean=HOW.std, std=HOW.mean), "verifying", "fingerprint"),
    Mistake("OpenAI's mean and std", how(mean=OPENAI.mean, std=OPENAI.std), "verifying", "fingerprint"),
    Mistake("mean in BGR order", how(mean=HOW.mean[::-1]), "verifying", "fingerprint"),
    Mistake("no normalisation", how(mean=(0, 0, 0), std=(1, 1, 1)), "verifying", "fingerprint"),
    Mistake("crop for squash", how(resize_mode="shortest-crop"), "verifying", "fingerprint"),
    Mistake("bilinear for bicubic", how(interpolation="bilinear"), "verifying", "fingerprint"),
    Mistake("BGR", {"bands": ("B02", "B03", "B04")}, "verifying", "fingerprint"),
]


@pytest.fixture(scope="module")
def right(vit_file) -> tuple[ModelCard, tuple[float, ...]]:
    """SenCLIP's card, blessed with the fingerprint of the generated file."""
    cosines = verify.fingerprint(load(SENCLIP, file=str(vit_file), device="cpu"))
    return SENCLIP.model_copy(update={"fingerprint": cosines}), cosines


def test_the_right_card_is_accepted(right, vit_file):
    card, _ = right
    assert verify.verify(card, file=str(vit_file), offline=True).ok


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.name)
def test_refused(mistake: Mistake, right, vit_file: Path):
    card, cosines = right
    wrong = card.model_copy(update=mistake.change)
    found = verify.verify(wrong, file=str(vit_file), offline=True)
    (failed,) = [item for item in found.items if item.ok is False]
    if mistake.refused_when == "loading":
        assert mistake.says in failed.detail
        with pytest.raises(ContractError, match=mistake.says):
            load(wrong, file=str(vit_file), device="cpu")
    else:
        assert failed.name == mistake.says
        # it changes the output, by far more than the tolerance forgives
        assert max(abs(a - b) for a, b in zip(found.fingerprint, cosines, strict=True)) > 2 * verify.TOLERANCE


def test_channels_go_by_name_and_the_order_is_recorded(right, vit_file):
    card, _ = right
    prompts = {"Field": ["a"], "Lake": ["b"], "Town": ["c"]}
    rgb = load(card, file=str(vit_file), device="cpu")
    bgr = load(card.model_copy(update={"bands": ("B02", "B03", "B04")}), file=str(vit_file), device="cpu")
    plain, turned = (evaluate(model, stubs.tiles(6), prompts) for model in (rgb, bgr))
    assert plain.dataset.band_order == "rgb"
    assert turned.dataset.band_order == "B02,B03,B04"
    assert plain.run_id != turned.run_id


@pytest.mark.parametrize("prefix", ["module.", "model.", "clip.clip."])
def test_unknown_prefix(vit_state, tmp_path, prefix):
    path = checkpoints.write(tmp_path / "w.pt", vit_state, prefix)
    with pytest.raises(ContractError, match="keys are missing"):
        load(SENCLIP, file=str(path), device="cpu")


def test_a_dropped_prefix_would_have_loaded_nothing(vit_state):
    # what a non-strict loader does: no key fits, the weights stay random, the output differs
    import open_clip
    import torch

    torch.manual_seed(0)
    model = open_clip.CLIP(**open_clip.get_model_config("ViT-B-32-quickgelu")).eval()
    missing = model.load_state_dict({"module." + k: v for k, v in vit_state.items()}, strict=False)
    assert len(missing.missing_keys) == len(vit_state)


def test_tokens_cut_before_the_end_of_text_change_the_output(right, vit_file, monkeypatch):
    card, _ = right
    tokenize = OpenClipAdapter._tokenize

    def short(self, texts):
        tokens, lengths = tokenize(self, texts)
        return tokens, np.minimum(lengths, 8)

    monkeypatch.setattr(OpenClipAdapter, "_tokenize", short)
    found = verify.verify(card, file=str(vit_file), offline=True)
    (failed,) = [item for item in found.items if item.ok is False]
    assert failed.name == "fingerprint"


def test_lower_case_text_with_another_vocabulary_is_noticed(right, vit_file):
    card, _ = right
    wrong = card.model_copy(update={"tokenizer": "mini-bpe.txt.gz"})
    found = verify.verify(wrong, file=str(vit_file), offline=True)
    assert not found.ok
