"""oneDNN's products in place of torch's: the same rows but for rounding, and nothing held twice."""

from __future__ import annotations

import copy
import weakref

import numpy as np
import open_clip
import pytest
import torch
import transformers
from torch import nn

from senbench.models import architectures, onednn
from senbench.models.clip import vit

TEXT = {"context_length": 77, "vocab_size": 1000, "width": 96, "heads": 4, "layers": 2}
VISION = {"image_size": 64, "layers": 2, "width": 160, "patch_size": 16, "head_width": 40}
RESNET = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16}

pytestmark = pytest.mark.skipif(not onednn.available(), reason="torch was built without oneDNN")


def filled(model):
    """Weights that are large enough to tell errors, the same for the same keys."""
    generator, state = torch.Generator().manual_seed(0), {}
    for key, tensor in sorted(model.state_dict().items()):
        made = torch.randn(tensor.shape, generator=generator) * (0.1 if tensor.ndim > 1 else 0.5)
        state[key] = made.abs() + 0.5 if key.endswith("running_var") else made.to(tensor.dtype)
    architectures.fill(model, state)
    return model


def clip(vision=VISION, quick_gelu=True):
    return filled(
        architectures.empty({"embed_dim": 48, "quick_gelu": quick_gelu, "vision_cfg": vision, "text_cfg": TEXT})
    )


def open_clips():
    return filled(open_clip.CLIP(48, {**VISION, "no_ln_pre": True}, TEXT))


def of_transformers():
    text = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
    vision = {**text, "image_size": 64, "patch_size": 16}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=48)
    model = filled(transformers.CLIPModel(config))
    model.encode_image = lambda pixels: model.get_image_features(pixel_values=pixels).pooler_output
    return model


def pixels(n):
    return torch.randn(n, 3, 64, 64, generator=torch.Generator().manual_seed(1))


def images(model, n=9, dtype=torch.float32):
    with torch.inference_mode():
        return model.encode_image(pixels(n).to(dtype))


def changed(model):
    onednn.use(model)
    return model


def linear(module, name):
    return isinstance(module, nn.Linear) and not name.endswith("out_proj")


@pytest.mark.parametrize("quick_gelu", [True, False])
def test_rows_are_as_near_to_the_truth_as_torchs(quick_gelu):
    truth = images(clip(quick_gelu=quick_gelu).double(), dtype=torch.float64)
    plain, fast = images(clip(quick_gelu=quick_gelu)), images(changed(clip(quick_gelu=quick_gelu)))
    off = [(rows.double() - truth).abs().max() / truth.abs().max() for rows in (plain, fast)]
    assert not torch.equal(plain, fast)
    assert off[1] < max(2 * off[0], 2e-6)


@pytest.mark.parametrize("make", [clip, open_clips, of_transformers])
def test_models_of_every_library_give_their_rows(make):
    wanted, rows = images(make()), images(changed(make()))
    np.testing.assert_allclose(rows, wanted, atol=1e-5 * wanted.abs().max(), rtol=0)
    assert (rows[0] - rows[1]).abs().max() > 1e-3 * wanted.abs().max()


@pytest.mark.parametrize("make", [clip, open_clips, of_transformers])
def test_every_layer_of_a_tower_that_was_used_is_laid_out(make):
    model = changed(make())
    images(model)
    tower = model.vision_model if make is of_transformers else model.visual
    used = [
        (name, module)
        for name, module in tower.named_modules()
        if linear(module, name) or isinstance(module, nn.Conv2d)
    ]
    assert [name for name, module in used if not module.weight.is_mkldnn] == []
    assert any(isinstance(module, nn.Conv2d) for _, module in used)
    text = model.text_model if make is of_transformers else model.transformer
    assert not any(module.weight.is_mkldnn for name, module in text.named_modules() if linear(module, name))


@pytest.mark.parametrize(("sides", "bias"), [((64, 64), False), ((70, 45), True)])
def test_patches_are_multiplied_as_by_the_convolution(sides, bias):
    torch.manual_seed(0)
    plain, x = nn.Conv2d(3, 24, (16, 8), (16, 8), bias=bias).requires_grad_(False), torch.randn(5, 3, *sides)
    fast = changed(nn.Sequential(copy.deepcopy(plain)))
    with torch.inference_mode():
        wanted, rows = plain(x), fast(x)
        channels_last = fast(x.contiguous(memory_format=torch.channels_last))
    assert type(fast[0]) is onednn.PatchProduct and fast[0].weight.is_mkldnn
    assert rows.shape == wanted.shape
    np.testing.assert_allclose(rows, wanted, atol=1e-5 * wanted.abs().max(), rtol=0)
    assert torch.equal(channels_last, rows)


@pytest.mark.parametrize(
    "how",
    [{"stride": 8}, {"padding": 1}, {"groups": 2}, {"dilation": 2}, {"kernel_size": 4, "stride": 4}],
    ids=str,
)
def test_other_convolutions_stay_as_they_are(how):
    layer = nn.Conv2d(4, 8, **{"kernel_size": 16, "stride": 16, **how})
    assert type(changed(nn.Sequential(layer))[0]) is nn.Conv2d


def test_a_resnet_has_no_layer_to_change():
    assert torch.equal(images(changed(clip(RESNET))), images(clip(RESNET)))


def test_weights_that_a_module_uses_in_its_own_way_stay_as_they_are():
    pool = changed(clip(RESNET)).visual.attnpool
    with torch.inference_mode():
        pool(torch.randn(2, 512, 2, 2))
    assert not pool.q_proj.weight.is_mkldnn


def test_texts_under_a_causal_mask():
    tokens = torch.randint(1, 998, (7, 20), generator=torch.Generator().manual_seed(0))
    tokens[:, -1] = 999
    from senbench.models.openclip import encode_cut

    with torch.inference_mode():
        wanted, rows = encode_cut(clip(), tokens), encode_cut(changed(clip()), tokens)
        unmasked = changed(clip())
        unmasked.attn_mask.zero_()
        others = encode_cut(unmasked, tokens)
    np.testing.assert_allclose(rows, wanted, atol=1e-5 * wanted.abs().max(), rtol=0)
    assert (others - wanted).abs().max() > 1e-3 * wanted.abs().max()


@pytest.mark.parametrize(
    "how",
    [
        {"need_weights": True},
        {"need_weights": False, "attn_mask": torch.ones(5, 5).triu(1).bool()},
        {"need_weights": False, "key_padding_mask": torch.tensor([[False] * 4 + [True]] * 2)},
        {},
    ],
    ids=str,
)
def test_attention_that_is_asked_otherwise_is_torchs(how):
    torch.manual_seed(0)
    plain = nn.MultiheadAttention(32, 4, batch_first=True).eval().requires_grad_(False)
    fast, x = changed(nn.Sequential(copy.deepcopy(plain)))[0], torch.randn(2, 5, 32)
    assert type(fast) is onednn.Attention
    for rows, wanted in zip(fast(x, x, x, **how), plain(x, x, x, **how), strict=True):
        assert rows is wanted is None or torch.equal(rows, wanted)
    assert torch.equal(fast(x, x + 1, x, need_weights=False)[0], plain(x, x + 1, x, need_weights=False)[0])


def test_self_attention_with_and_without_a_mask():
    torch.manual_seed(0)
    plain = nn.MultiheadAttention(32, 4, batch_first=True).eval().requires_grad_(False)
    fast, x = changed(nn.Sequential(copy.deepcopy(plain)))[0], torch.randn(2, 5, 32)
    for mask in (None, torch.full((5, 5), -torch.inf).triu(1)):
        with torch.inference_mode():
            rows, wanted = (one(x, x, x, need_weights=False, attn_mask=mask)[0] for one in (fast, plain))
        np.testing.assert_allclose(rows, wanted, atol=1e-6)


def test_a_wrong_scale_would_be_seen(monkeypatch):
    wanted = images(clip())
    monkeypatch.setitem(onednn.FUSED, vit.QuickGELU, ("swish", 1.5))
    assert (images(changed(clip())) - wanted).abs().max() > 1e-3 * wanted.abs().max()


def test_a_block_with_another_activation_is_not_fused():
    model = clip()
    for module in model.modules():
        if isinstance(module, vit.Block):
            module.mlp.gelu = nn.SiLU()
    wanted = images(copy.deepcopy(model))
    np.testing.assert_allclose(images(changed(model)), wanted, atol=1e-5 * wanted.abs().max(), rtol=0)
    assert not any(type(module) is onednn.FusedBlock for module in model.modules())


def test_weights_are_held_once():
    model = changed(clip())
    block = model.visual.transformer.resblocks[0]
    plain = [weakref.ref(w) for w in (block.mlp.c_fc.weight, block.attn.in_proj_weight, block.attn.out_proj.weight)]
    before = block.mlp.c_fc.bias.clone()
    images(model)
    assert [ref() for ref in plain] == [None] * 3
    images(model)
    np.testing.assert_allclose(block.mlp.c_fc.bias, onednn.QUICK * before)  # once, not at every use


def test_what_was_given_is_not_written_to():
    state = {key: tensor.clone() for key, tensor in clip().state_dict().items()}
    model = architectures.empty({"embed_dim": 48, "quick_gelu": True, "vision_cfg": VISION, "text_cfg": TEXT})
    architectures.fill(model, dict(state))
    images(changed(model))
    for key, tensor in clip().state_dict().items():
        assert torch.equal(tensor, state[key]), key


def test_rows_do_not_depend_on_batch_or_threads():
    model = changed(clip())
    rows = torch.nn.functional.normalize(images(model, 40), dim=-1)
    threads = torch.get_num_threads()
    try:
        for n, cores in ((1, threads), (7, threads), (40, 1), (40, 2)):
            torch.set_num_threads(cores)
            again = torch.nn.functional.normalize(images(model, n), dim=-1)
            np.testing.assert_allclose(again, rows[:n], atol=1e-6)
    finally:
        torch.set_num_threads(threads)


def test_bfloat16_is_as_near_as_torchs():
    truth = images(clip())
    plain, fast = (images(one.bfloat16(), dtype=torch.bfloat16).float() for one in (clip(), clip()))
    model = clip().bfloat16()
    onednn.use(model)
    fast = images(model, dtype=torch.bfloat16).float()
    assert (fast - truth).abs().mean() < 1.2 * (plain - truth).abs().mean()


def test_an_operator_that_is_missing(monkeypatch):
    monkeypatch.setattr(onednn, "OPERATORS", ("_linear_pointwise", "_no_such_operator"))
    assert not onednn.available()
