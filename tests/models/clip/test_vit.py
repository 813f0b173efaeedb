"""CLIP in torch alone: the same rows as open_clip's to the last bit, without a library of all architectures."""

from __future__ import annotations

import contextlib
import copy
import json
import subprocess
import sys

import checkpoints
import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from senbench.errors import ContractError, UnavailableError
from senbench.models import architectures, load, registry
from senbench.models.checkpoints import fetch, state_dict
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.clip import vit
from senbench.models.clip.resnet import ModifiedResNet
from senbench.models.openclip import encode_cut

CONFIG = {
    "embed_dim": 48,
    "vision_cfg": {
        "image_size": 70,
        "layers": 3,
        "width": 160,
        "patch_size": 18,
        "head_width": 40,
        "mlp_ratio": 3.4975,
    },
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 96, "heads": 4, "layers": 3},
}
TEXTS = ["a river", "an aerial photo of a field of wheat, 10 m", "word " * 90, "", "It's <end_of_text> twice"]


RESNET = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "patch_size": None, "mlp_ratio": ...}


@pytest.fixture(scope="module", params=["quickgelu", "gelu"])
def made(request, tmp_path_factory):
    """open_clip's model of random weights, its card and its file; weights are large enough to tell errors."""
    folder = tmp_path_factory.mktemp(request.param)
    config = {**CONFIG, "quick_gelu": request.param == "quickgelu"}
    (folder / "own.json").write_text(json.dumps(config))
    torch.manual_seed(0)
    model = open_clip.CLIP(**config).eval().requires_grad_(False)
    for tensor in model.parameters():
        tensor.copy_(torch.randn_like(tensor) * (0.15 if tensor.ndim > 1 else 0.5))
    path = checkpoints.write(folder / "w.pt", model.state_dict(), "module.", "state_dict")
    card = registry.find("clip-vit-b-32")
    change = {
        "architecture": str(folder / "own.json"),
        "activation": request.param,
        "layout": None,
        "embed_dim": 48,
        "preprocess": card.preprocess.model_copy(update={"resolution": 70}),
        "nesting": "state_dict",
        "prefixes": ("", "module."),
    }
    return model, card.model_copy(update=change), path


def alone(made, **how):
    """The text tower."""
    return load.texts_from_file(Checkpoint(made[1], made[2], fetch.sha256(made[2]), "cpu", **how))


def whole(made, **how):
    return load.from_file(Checkpoint(made[1], made[2], fetch.sha256(made[2]), "cpu", **how))


def pixels(n):
    return torch.randn(n, 3, 70, 70, generator=torch.Generator().manual_seed(1))


def by_open_clip(model, texts):
    """Raw rows of texts by open_clip alone: its tokenizer, all 77 tokens."""
    with torch.inference_mode():
        return model.encode_text(open_clip.SimpleTokenizer()(texts, context_length=77)).numpy()


def test_rows_of_texts_are_open_clips(made):
    rows = alone(made).encode_texts(TEXTS, normalize=False)
    wanted = by_open_clip(made[0], TEXTS)
    np.testing.assert_allclose(rows, wanted, atol=1e-5 * np.abs(wanted).max())
    assert np.abs(rows[0] - rows[1]).max() > 0.1  # or equality would prove nothing


@pytest.mark.parametrize("dtype", ["float32", "bf16"])
@pytest.mark.parametrize("n", [1, 7, 64])
def test_images_are_open_clips_to_the_last_bit(made, dtype, n):
    mine, theirs = whole(made, dtype=dtype, kernels="torch"), copy.deepcopy(made[0])
    assert isinstance(mine.model.visual, vit.VisionTransformer)
    batch = pixels(n)
    with torch.inference_mode():
        if dtype == "bf16":
            batch, theirs = batch.bfloat16(), theirs.bfloat16()
        rows = mine._encode_image_batch(batch)
        assert torch.equal(rows, theirs.encode_image(batch))
    assert n == 1 or (rows[0] - rows[1]).abs().max() > 0.1


@pytest.mark.parametrize("shape", [(64, 13), (3, 77), (1, 2)])
def test_texts_are_open_clips_to_the_last_bit(made, shape):
    tokens = torch.randint(1, 40000, shape, generator=torch.Generator().manual_seed(0))
    tokens[:, 0], tokens[:, -1] = 49406, 49407
    with torch.inference_mode():
        wanted = encode_cut(made[0], tokens)
        assert torch.equal(alone(made, kernels="torch")._encode_token_batch(tokens), wanted)
        assert torch.equal(whole(made, kernels="torch")._encode_token_batch(tokens), wanted)


@pytest.mark.parametrize("n", [1, 7, 64])
def test_onednns_kernels_give_the_same_but_for_rounding(made, n):
    mine, theirs = whole(made, kernels="onednn"), made[0]
    with torch.inference_mode():
        rows, wanted = mine._encode_image_batch(pixels(n)), theirs.encode_image(pixels(n))
    assert not torch.equal(rows, wanted)
    np.testing.assert_allclose(rows, wanted, atol=1e-5 * wanted.abs().max(), rtol=0)


def test_the_text_tower_alone_gives_the_rows_of_the_whole(made):
    rows = [tower(made, kernels="onednn").encode_texts(TEXTS, normalize=False) for tower in (alone, whole)]
    np.testing.assert_array_equal(*rows)
    np.testing.assert_allclose(rows[0], by_open_clip(made[0], TEXTS), atol=1e-5 * np.abs(rows[0]).max(), rtol=0)


@pytest.mark.parametrize("wrong", ["activation", "mask", "pooling", "normalisation"])
def test_a_mistake_in_the_text_tower_would_be_seen(made, wrong, monkeypatch):
    """What keys and shapes cannot show moves rows by far more than the tolerance above."""
    tower, wanted = alone(made), by_open_clip(made[0], TEXTS)
    if wrong == "activation":
        swap(tower.model, made[1].activation)
    elif wrong == "mask":
        tower.model.attn_mask.zero_()
    elif wrong == "pooling":
        monkeypatch.setattr(torch.Tensor, "argmax", lambda self, dim: torch.full((len(self),), -1))
    else:
        monkeypatch.setattr(torch.nn.functional, "layer_norm", lambda x, *_: x)
    rows = tower.encode_texts(TEXTS, normalize=False)
    assert np.abs(rows - wanted).max() > 1e-3 * np.abs(wanted).max()


@pytest.mark.parametrize("wrong", ["activation", "class token", "first norm", "last norm", "heads"])
def test_a_mistake_in_the_image_tower_would_be_seen(made, wrong):
    mine = whole(made).model
    if wrong == "activation":
        swap(mine, made[1].activation)
    elif wrong == "class token":
        mine.visual.class_embedding = torch.nn.Parameter(torch.zeros(160), requires_grad=False)
    elif wrong == "heads":
        for block in mine.visual.transformer.resblocks:
            block.attn.num_heads, block.attn.head_dim = 2, 80
    else:
        setattr(mine.visual, {"first norm": "ln_pre", "last norm": "ln_post"}[wrong], torch.nn.Identity())
    with torch.inference_mode():
        rows, wanted = mine.encode_image(pixels(4)), made[0].encode_image(pixels(4))
    assert (rows - wanted).abs().max() > 1e-3 * wanted.abs().max()


def swap(model, activation):
    """The other activation in every block."""
    for module in model.modules():
        if isinstance(module, vit.Block):
            module.mlp.gelu = torch.nn.GELU() if activation == "quickgelu" else vit.QuickGELU()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_of_safetensors_only_its_part_is_read(made, tmp_path, monkeypatch, prefix):
    path, card = tmp_path / "w.safetensors", made[1].model_copy(update={"nesting": ""})
    save_file({prefix + key: tensor.contiguous() for key, tensor in made[0].state_dict().items()}, path)
    wanted, loaded, read = alone(made).encode_texts(TEXTS), [], state_dict.load
    monkeypatch.setattr(state_dict, "load", lambda *given: loaded.append(read(*given)) or loaded[0])
    rows = load.texts_from_file(Checkpoint(card, path, fetch.sha256(path), "cpu")).encode_texts(TEXTS)
    np.testing.assert_array_equal(rows, wanted)
    assert set(loaded[0]) == {prefix + key for key in made[0].state_dict() if not key.startswith("visual.")}


def test_bfloat16_is_as_near_as_bfloat16_is(made):
    rows = alone(made, dtype="bf16").encode_texts(TEXTS)
    assert (rows * alone(made).encode_texts(TEXTS)).sum(axis=1).min() > 0.999


def test_only_the_text_tower_is_held(made):
    held = alone(made).model.state_dict()
    assert set(held) == {key for key in made[0].state_dict() if not key.startswith("visual.")}


def test_a_file_without_the_text_tower_is_refused(made, tmp_path):
    state = made[0].state_dict()
    del state["transformer.resblocks.1.mlp.c_fc.bias"]
    path = checkpoints.write(tmp_path / "w.pt", state, "module.", "state_dict")
    with pytest.raises(ContractError, match=r"1 keys are missing \(transformer.resblocks.1.mlp.c_fc.bias\)"):
        alone((made[0], made[1], path))


@pytest.mark.parametrize(
    "change",
    [
        {"custom_text": True},
        {"init_logit_bias": -10.0},
        {"init_logit_scale": 1.0},
        {"nonscalar_logit_scale": True},
        {"text_cfg": {"heads": None}},
        {"text_cfg": {"no_causal_mask": True}},
        {"text_cfg": {"pool_type": "last"}},
        {"text_cfg": {"mlp_ratio": 2.0}},
        {"text_cfg": {"act_kwargs": {}}},
    ],
    ids=str,
)
def test_a_text_tower_with_settings_of_its_own_is_left_to_open_clip(change):
    config = merged(change)
    config["text_cfg"] = {name: value for name, value in config["text_cfg"].items() if value is not None}
    model = architectures.empty(config)
    assert type(model).__module__.startswith("open_clip")
    assert hasattr(model, "visual")
    architectures.drop_images(model)
    assert not hasattr(model, "visual")


@pytest.mark.parametrize(
    "change",
    [
        {"no_ln_pre": True},
        {"pool_type": "avg"},
        {"final_ln_after_pool": True},
        {"ls_init_value": None},
        {"image_size": [70, 70]},
        {"patch_size": [18, 18]},
        {"patch_size": ...},
        {"width": ..., "head_width": ...},
        {**RESNET, "width": ...},
        {**RESNET, "patch_size": 32},
    ],
    ids=str,
)
def test_an_image_tower_with_settings_of_its_own_is_left_to_open_clip(change):
    """`...`: left out, where open_clip has a default."""
    config = merged({"vision_cfg": change})
    config["vision_cfg"] = {name: value for name, value in config["vision_cfg"].items() if value is not ...}
    model = architectures.empty(config)
    assert isinstance(model, vit.CLIP)
    assert type(model.visual).__module__.startswith("open_clip")
    with torch.device("meta"):  # open_clip's default width makes a ResNet of 7 GB
        reference = open_clip.CLIP(**config)
    assert architectures.shapes(model) == architectures.shapes(reference)
    architectures.drop_images(model)
    assert not hasattr(model, "visual")


@pytest.mark.parametrize("missing", [{"head_width": 64}, {"mlp_ratio": 4.0}, {"mlp_ratio": 4}], ids=str)
def test_what_may_be_left_out_is_open_clips_default(missing):
    config = merged({})
    (name,) = missing
    left = {key: value for key, value in config["vision_cfg"].items() if key != name}
    found = [architectures.empty({**config, "vision_cfg": vision}) for vision in (left, {**left, **missing})]
    shapes = [architectures.shapes(model) for model in found]
    assert shapes[0] == shapes[1] == architectures.shapes(open_clip.CLIP(**{**config, "vision_cfg": left}))
    assert len({model.visual.transformer.resblocks[0].attn.num_heads for model in found}) == 1


def merged(change):
    parts = {name: {**CONFIG[name], **change.get(name, {})} for name in ("vision_cfg", "text_cfg")}
    return {**CONFIG, **change, **parts}


def test_shipped_cards_of_plain_clip_need_no_other_library(monkeypatch):
    """All whose keys are OpenAI's; what needs open_clip says so by trying to import it."""
    cards = [card for card in registry.cards().values() if card.adapter.endswith(":OpenClipAdapter")]
    configs = [architectures.config(card) for card in cards]
    monkeypatch.setitem(sys.modules, "open_clip", None)
    plain = set()
    for card, config in zip(cards, configs, strict=True):
        with contextlib.suppress(ImportError, UnavailableError):
            model = architectures.build(card, config)
            plain.add((card.architecture.removesuffix("-quickgelu"), type(model.visual)))
    vits = ["ViT-B-16", "ViT-B-32", "ViT-H-14", "ViT-L-14", "ViT-L-14-336"]
    resnets = ["RN50", "mini"]
    assert plain == {(name, vit.VisionTransformer) for name in vits} | {(name, ModifiedResNet) for name in resnets}


def test_torchs_compiler_is_not_imported():
    said = (
        "import sys; from senbench.models import architectures as a, registry;"
        "c = [registry.find(n) for n in sys.argv[1:]];"
        "[a.build(card, a.config(card)) for card in c]; print([m for m in sys.modules if m == 'torch._dynamo.utils'])"
    )
    words = [sys.executable, "-c", said, "clip-vit-b-32", "clip-rn50", "mini"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_without_weights_no_memory_is_taken_and_no_number_drawn(made):
    before = torch.get_rng_state()
    model = architectures.empty(architectures.config(made[1]))
    assert torch.equal(before, torch.get_rng_state())
    assert all(parameter.is_meta for parameter in model.parameters())
    assert not any(buffer.is_meta for buffer in model.buffers())
