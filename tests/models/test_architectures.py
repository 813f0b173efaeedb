"""Architectures: what is built without weights, which functions its blocks compute, and every contradiction."""

from __future__ import annotations

import json
import subprocess
import sys
import threading

import open_clip
import pytest
import torch

from senbench.errors import ContractError, UnavailableError
from senbench.models import architectures, registry

CLIP = registry.find("clip-vit-b-32")
TINY = {
    "embed_dim": 512,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 224, "layers": 1, "width": 64, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
}


def changed(where="", **change):
    return {**TINY, where: {**TINY[where], **change}} if where else {**TINY, **change}


def test_parameters_have_no_memory_and_buffers_are_real():
    before = torch.random.get_rng_state()
    for name in ("ViT-B-32-quickgelu", "PE-Core-B-16"):
        model = architectures.empty(open_clip.get_model_config(name))
        assert all(p.is_meta for p in model.parameters())
        assert not any(b.is_meta for b in model.buffers())
    assert torch.equal(torch.random.get_rng_state(), before)
    rotary = model.visual.trunk.rope.pos_embed
    assert rotary.shape[0] == 14 * 14
    assert rotary.abs().max() <= 1
    assert torch.isneginf(model.text.attn_mask[0, 1])
    assert not torch.nn.Linear(2, 2).weight.is_meta


def test_modules_of_another_thread_keep_their_memory():
    made = []
    with architectures.parameters_on_meta():
        thread = threading.Thread(target=lambda: made.append(torch.nn.Linear(2, 2)))
        thread.start()
        thread.join()
        assert torch.nn.Linear(2, 2).weight.is_meta
    assert not made[0].weight.is_meta


def test_tensors_of_half_precision_are_replaced_one_by_one():
    model = architectures.empty(TINY)
    state = {key: torch.zeros(shape, dtype=torch.float16) for key, shape in architectures.shapes(model).items()}
    architectures.fill(model, state)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    # nothing of half precision is left that anybody holds
    assert {tensor.dtype for tensor in state.values()} == {torch.float32}
    assert not model.training


@pytest.mark.parametrize(
    ("card", "change", "says"),
    [
        ("siglip2-vit-b-16", {"text_activation": None}, "'gelu' for the text tower"),
        ("siglip2-vit-b-16", {"activation": "gelu-tanh"}, "'gelu-tanh' for the image tower"),
        ("siglip2-vit-b-16", {"logit_bias": None}, "logit_bias"),
        ("siglip2-vit-b-16", {"context_length": 77}, "context_length 77"),
        ("pe-core-vit-b-16", {"context_length": 77}, "context_length 77"),
        ("georsclip-vit-l-14-336", {"architecture": "ViT-L-14-quickgelu"}, "resolution 336"),
        ("rs-m-clip", {"embed_dim": 768}, "embed_dim 768"),
        ("clip-vit-b-32", {"architecture": "coca_ViT-B-32", "context_length": 76}, "CoCa"),
    ],
)
def test_card_and_architecture_must_agree(card, change, says):
    card = registry.find(card).model_copy(update=change)
    with pytest.raises(ContractError, match=says):
        architectures.build(card, architectures.config(card))


@pytest.mark.parametrize("nested", [False, True])
def test_a_users_configuration(tmp_path, nested):
    path = tmp_path / "mine.json"
    path.write_text(json.dumps({"model_cfg": TINY, "preprocess_cfg": {}} if nested else TINY))
    card = CLIP.model_copy(update={"architecture": str(path)})
    assert architectures.config(card) == TINY
    assert architectures.build(card, TINY).visual.conv1.weight.is_meta


@pytest.mark.parametrize("text", ["{", "[]", '{"embed_dim": 3}', "null"])
def test_no_configuration_is_one_line(tmp_path, text):
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(ContractError, match=r"mine\.json") as error:
        architectures.config(CLIP.model_copy(update={"architecture": str(path)}))
    assert "\n" not in str(error.value)


def test_text_tower_without_its_configuration():
    config = changed("text_cfg", hf_model_name="somebody/bert")
    with pytest.raises(UnavailableError, match=r"config\.json of the text tower somebody/bert is not here"):
        architectures.empty(config)


def test_configurations_are_open_clips_own_without_importing_it():
    code = """
import json, sys
from senbench.models import architectures, registry as zoo
names = json.load(sys.stdin)
card = zoo.find("clip-vit-b-32")
found = {name: architectures.config(card.model_copy(update={"architecture": name})) for name in names}
assert not {"torch", "open_clip"} & set(sys.modules)
print(json.dumps(found))
"""
    names = open_clip.list_models()
    done = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(names), capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout)
    assert found == json.loads(json.dumps({name: open_clip.get_model_config(name) for name in names}))


def test_a_configuration_registered_with_open_clip_is_used(monkeypatch):
    card = registry.find("clip-vit-b-32")
    other = {**open_clip.get_model_config(card.architecture), "embed_dim": 7}
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, card.architecture, other)
    assert architectures.config(card)["embed_dim"] == 7


@pytest.mark.parametrize(
    ("where", "change", "says"),
    [
        ("text_cfg", {"bananas": 3}, "CLIPTextCfg.*'bananas'"),
        ("vision_cfg", {"bananas": 3}, "CLIPVisionCfg.*'bananas'"),
        ("", {"bananas": 3}, "'bananas'"),
        ("vision_cfg", {"patch_size": "16"}, "str"),
        ("vision_cfg", {"patch_size": 0}, "ZeroDivisionError"),
        ("vision_cfg", {"layers": [1, 1, 1]}, "IndexError"),
        ("text_cfg", {"layers": None}, "NoneType"),
        ("text_cfg", {"heads": 5}, "divisible by num_heads"),
        ("vision_cfg", {"width": 1.5}, "divisible"),
    ],
    ids=str,
)
def test_what_nothing_can_be_built_from_is_one_line(where, change, says):
    with pytest.raises(ContractError, match=says) as error:
        architectures.build(CLIP, changed(where, **change))
    assert str(error.value).startswith(
        f"card {CLIP.id}: architecture {CLIP.architecture!r}: no model can be built from"
    )
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("layers", "head_width"), [([1, 1, 1], 64), ([1, 1, 1, 1], 7), ([1, 1, 1, 1], 0)])
def test_a_resnet_that_could_not_encode_is_not_built(layers, head_width):
    config = {**TINY, "vision_cfg": {"image_size": 64, "layers": layers, "width": 32, "head_width": head_width}}
    with pytest.raises(ContractError, match="no model can be built"):
        architectures.empty(config)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "cannot be read: "),
        ("[1, 2]", "without a usable embed_dim, vision_cfg, text_cfg"),
        ('{"embed_dim": "64", "vision_cfg": {}, "text_cfg": 3}', "without a usable embed_dim, text_cfg"),
        (None, "no such file"),
    ],
)
def test_a_file_that_is_no_configuration_says_what_it_lacks(tmp_path, text, says):
    path = tmp_path / "own.json"
    if text is not None:
        path.write_text(text)
    card = CLIP.model_copy(update={"architecture": str(path)})
    with pytest.raises(ContractError, match=says):
        architectures.config(card)
