"""Tensors that are no weights, and weights that nobody trained, are refused with their key; honest ones are not."""

from __future__ import annotations

import checkpoints
import pytest
import torch

from senbench.errors import ContractError
from senbench.models import registry
from senbench.models.checkpoints import fetch, values


@pytest.fixture(scope="module")
def vit():
    return checkpoints.state_dict("narrow-vit", images=2)


MATRIX = "visual.transformer.resblocks.0.mlp.c_fc.weight"


@pytest.mark.parametrize("key", [MATRIX, "visual.proj", "ln_final.bias"])
@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda t: t.to(torch.int8), "int8"),
        (lambda t: t.to(torch.complex64), "complex64"),
        (lambda t: t.to(torch.float8_e4m3fn), "float8_e4m3fn"),
        (lambda t: t.to_sparse(), "sparse"),
        (lambda t: t.to("meta"), "meta device"),
        (lambda t: torch.quantize_per_tensor(t, 0.1, 0, torch.qint8), "quantised"),
        (lambda t: t > 0, "bool"),
        (lambda t: torch.where(torch.arange(t.numel()).reshape(t.shape) == 3, torch.nan, t), "NaN or infinity in 1 of"),
        (lambda t: t + torch.inf, "NaN or infinity"),
        (lambda t: (t + torch.nan).half(), "NaN or infinity"),
    ],
)
def test_the_key_is_named(vit, key, change, what):
    with pytest.raises(ContractError, match=what) as error:
        values.check({**vit, key: change(vit[key])}, "w.pt")
    assert str(error.value).startswith(f"weights w.pt: {key} ")
    assert "\n" not in str(error.value)


def constant(t):
    return torch.ones_like(t[:, :1]).expand_as(t) * torch.arange(1.0, len(t) + 1)[:, None]


def some_rows(t):
    t = t.clone()
    t[: len(t) // 2] = 0
    return t


@pytest.mark.parametrize("key", [MATRIX, "visual.proj", "text_projection", "visual.conv1.weight"])
@pytest.mark.parametrize("change", [torch.zeros_like, torch.ones_like, some_rows])
def test_a_matrix_that_nobody_trained(vit, key, change):
    with pytest.raises(ContractError, match=key):
        values.check({**vit, key: change(vit[key])}, "w.pt")


def test_constant_and_equal_rows(vit):
    with pytest.raises(ContractError, match=r"256 of 256|rows that hold one value|512 of 512"):
        values.check({**vit, MATRIX: constant(vit[MATRIX])}, "w.pt")
    with pytest.raises(ContractError, match="rows that are all the same"):
        values.check({**vit, MATRIX: vit[MATRIX][:1].expand_as(vit[MATRIX])}, "w.pt")


def test_all_zero(vit):
    with pytest.raises(ContractError, match="is zero in"):
        values.check({key: torch.zeros_like(tensor) for key, tensor in vit.items()}, "w.pt")


def test_what_honest_releases_have_passes(vit):
    zeros = (
        "ln_final.bias",
        "visual.class_embedding",
        "visual.positional_embedding",
        "visual.transformer.resblocks.0.attn.out_proj.weight",
        "visual.transformer.resblocks.0.mlp.c_proj.weight",
    )
    honest = {**vit, **{key: torch.zeros_like(vit[key]) for key in zeros}}
    honest["ln_final.weight"] = torch.ones_like(vit["ln_final.weight"])
    table = vit["token_embedding.weight"].clone()
    table[100:30000] = 0  # tokens that training never met
    honest["token_embedding.weight"] = table
    dead = vit[MATRIX].clone()
    dead[5] = 0
    honest[MATRIX] = dead
    values.check(honest, "w.pt")
    for dtype in (torch.float16, torch.bfloat16, torch.float64):
        values.check({key: t.to(dtype) for key, t in honest.items()}, "w.pt")


def test_generated_releases_and_the_shipped_model_pass():
    from safetensors.torch import load_file

    values.check(checkpoints.state_dict("narrow-rn", images=2), "w.pt")
    values.check(load_file(fetch.SHIPPED / registry.find("mini").weights.package), "mini.safetensors")


@pytest.mark.parametrize("stored", [0.0, 2.659, 4.6052, 6.9])
def test_a_scale_is_the_exponential(stored):
    assert values.logit_scale(torch.tensor(stored), "w.pt") == pytest.approx(torch.tensor(stored).exp().item())


@pytest.mark.parametrize(
    ("stored", "likely"),
    [
        (100.0, "the multiplier itself and not its logarithm .4.605.: a card with logit_scale = 100"),
        (20.0, "a card with logit_scale = 20"),
        (-2.659, "the logarithm of a temperature.* a card with logit_scale = 14.28"),
        (-20.0, "no reading of it is likely"),
        (5000.0, "no reading of it is likely"),
    ],
)
def test_a_scale_outside_says_which_reading_is_likely(stored, likely):
    with pytest.raises(ContractError, match=likely):
        values.logit_scale(torch.tensor(stored), "w.pt")
