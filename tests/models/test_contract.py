"""Where QuickGELU is enforced: card, release, tag and what was built are held against each other."""

from __future__ import annotations

import open_clip
import pytest
import torch

from senbench.errors import ContractError
from senbench.models import architectures, contract, registry
from senbench.models.clip import vit

CLIP = registry.find("clip-vit-b-32")
TINY = {
    "embed_dim": 512,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 224, "layers": 1, "width": 64, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2},
}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("ViT-B-32", ({"gelu"}, {"gelu"})),
        ("ViT-B-32-quickgelu", ({"quickgelu"}, {"quickgelu"})),
        ("RN50-quickgelu", (set(), {"quickgelu"})),
        ("ViT-B-16-SigLIP2", ({"gelu"}, {"gelu-tanh"})),
        ("ViT-B-32-SigLIP2-256", ({"gelu-tanh"}, {"gelu-tanh"})),
        ("PE-Core-B-16", ({"gelu"}, {"gelu"})),
        ("xlm-roberta-base-ViT-B-32", ({"gelu"}, {"gelu"})),
        ("EVA02-B-16", ({"silu"}, {"gelu"})),
    ],
)
def test_what_the_blocks_compute(name, found):
    assert contract.activations(architectures.empty(open_clip.get_model_config(name))) == found


def test_an_activation_is_known_by_its_values():
    assert contract.activation(lambda x: x * torch.sigmoid(1.702 * x)) == "quickgelu"
    assert contract.activation(torch.nn.ReLU()) == "ReLU"
    assert contract.activation(None) == "no known activation (NoneType)"


def test_one_block_that_differs_is_enough(monkeypatch):
    class Mixed(vit.CLIP):
        def __init__(self, *given):
            super().__init__(*given)
            self.transformer.resblocks[0].mlp.gelu = torch.nn.GELU()

    monkeypatch.setattr(vit, "CLIP", Mixed)
    with pytest.raises(ContractError, match=r"'quickgelu' for the text tower, but .* is built with gelu, quickgelu:"):
        architectures.build(CLIP, TINY)


@pytest.mark.parametrize(
    ("card", "change", "says"),
    [
        # both card and architecture say QuickGELU, in agreement: the release knows better
        ("skyclip", {"activation": "quickgelu", "architecture": "ViT-B-32-quickgelu"}, "are 'gelu'"),
        ("georsclip-vit-h-14", {"activation": "quickgelu", "architecture": "ViT-H-14-quickgelu"}, "are 'gelu'"),
        ("georsclip", {"activation": "gelu", "architecture": "ViT-B-32"}, "are 'quickgelu'"),
        ("skyclip-vit-l-14-top50", {"activation": "gelu", "architecture": "ViT-L-14"}, "are 'quickgelu'"),
        ("farslip", {"activation": "gelu", "architecture": "ViT-B-32"}, "are 'quickgelu'"),
        ("siglip2", {"text_activation": "quickgelu"}, "are 'gelu-tanh'"),
    ],
)
def test_card_and_release_must_agree(card, change, says):
    with pytest.raises(ContractError, match=says):
        contract.check_release(registry.find(card).model_copy(update=change))


def test_a_release_may_leave_the_activation_open():
    for name in ("remoteclip", "remoteclip-vit-b-32-gelu"):
        contract.check_release(registry.find(name))


def test_layout_and_architecture_must_agree():
    card = CLIP.model_copy(update={"layout": "openai-vit-b-16"})
    keys = architectures.shapes(architectures.build(card, architectures.config(card)))
    with pytest.raises(ContractError, match=r"visual\.conv1\.weight is \[768, 3, 16, 16\] in layout "):
        contract.check_layout(card, keys)


@pytest.mark.parametrize("quick", [True, False])
@pytest.mark.parametrize("tower", ["image", "text"])
def test_a_tower_built_with_the_other_activation_is_refused(quick, tower):
    name, other = ("quickgelu", "gelu") if quick else ("gelu", "quickgelu")
    model = architectures.empty({**TINY, "quick_gelu": quick})
    card = CLIP.model_copy(update={"activation": name})
    contract.check_activations(card, dict(zip(("image", "text"), contract.activations(model), strict=True)))
    block = (model.visual.transformer if tower == "image" else model.transformer).resblocks[0]
    block.mlp.gelu = torch.nn.GELU() if quick else vit.QuickGELU()
    with pytest.raises(ContractError, match=f"states activation '{name}' for the {tower} tower, .*{other}") as error:
        contract.check_activations(card, dict(zip(("image", "text"), contract.activations(model), strict=True)))
    assert "refused, the embeddings would be wrong without any error" in str(error.value)


def test_a_text_tower_may_have_an_activation_of_its_own():
    card = CLIP.model_copy(update={"activation": "gelu", "text_activation": "gelu-tanh"})
    contract.check_activations(card, {"image": {"gelu"}, "text": {"gelu-tanh"}})
    with pytest.raises(ContractError, match="'gelu-tanh' for the text tower"):
        contract.check_activations(card, {"image": {"gelu"}, "text": {"gelu"}})


def test_blocks_that_are_not_found_are_refused():
    with pytest.raises(ContractError, match="built with none that is known"):
        contract.check_activations(CLIP, {"image": set()})


@pytest.mark.parametrize(
    ("architecture", "trained", "built", "right"),
    [
        ("ViT-B-32", True, False, "ViT-B-32-quickgelu"),
        ("ViT-B-32-quickgelu", False, True, "ViT-B-32"),
        ("ViT-B-32-quickgelu", True, True, None),
        ("ViT-B-32", False, False, None),
        ("roberta-ViT-B-32", False, True, None),  # made for one model; its tags state nothing
    ],
)
def test_a_tag_and_its_architecture_must_agree(architecture, trained, built, right):
    if right is None:
        contract.check_tag("openclip:x/y", architecture, "y", trained=trained, built=built)
        return
    with pytest.raises(ContractError, match=f"use openclip:{right}/y$") as error:
        contract.check_tag("openclip:x/y", architecture, "y", trained=trained, built=built)
    words = ("QuickGELU", "GELU") if trained else ("GELU", "QuickGELU")
    assert f"trained with {words[0]}, '{architecture}' is built with {words[1]}:" in str(error.value)


def test_sizes_must_agree_and_a_square_may_be_told_by_both_sides():
    contract.check_sizes(CLIP, resolution=([224, 224], 224), embed_dim=(512, 512))
    for odd in ([224, 225], 225, None):
        with pytest.raises(ContractError, match=r"states resolution 224, architecture 'ViT-B-32-quickgelu' has"):
            contract.check_sizes(CLIP, embed_dim=(512, 512), resolution=(odd, 224))
