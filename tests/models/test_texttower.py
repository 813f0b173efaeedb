"""The text tower in torch alone: the same rows as open_clip's, from the text keys of a checkpoint alone."""

from __future__ import annotations

import json

import checkpoints
import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from senbench.errors import ContractError
from senbench.models import architectures, load, texttower, weights, zoo
from senbench.models.openclip import encode_cut

CONFIG = {
    "embed_dim": 48,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 96, "heads": 3, "layers": 3},
}
TEXTS = ["a river", "an aerial photo of a field of wheat, 10 m", "word " * 90, "", "It's <end_of_text> twice"]


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
    change = {
        "architecture": str(folder / "own.json"),
        "activation": request.param,
        "layout": None,
        "embed_dim": 48,
        "nesting": "state_dict",
        "prefixes": ("", "module."),
    }
    return model, zoo.find("clip-vit-b-32").model_copy(update=change), path


def alone(made, **how):
    return load.texts_from_file(made[1], made[2], "0" * 64, **{"device": "cpu", "dtype": "float32", **how})


def whole(model, texts):
    """Raw rows by open_clip alone: its tokenizer, all 77 tokens."""
    with torch.inference_mode():
        return model.encode_text(open_clip.SimpleTokenizer()(texts, context_length=77)).numpy()


def test_rows_are_open_clips(made):
    assert texttower.serves(made[1])
    rows = alone(made).encode_texts(TEXTS, normalize=False)
    wanted = whole(made[0], TEXTS)
    np.testing.assert_allclose(rows, wanted, atol=1e-5 * np.abs(wanted).max())
    assert np.abs(rows[0] - rows[1]).max() > 0.1  # or equality would prove nothing


@pytest.mark.parametrize("shape", [(64, 13), (3, 77), (1, 2)])
def test_features_are_those_of_open_clips_blocks_to_the_last_bit(made, shape):
    tokens = torch.randint(1, 40000, shape, generator=torch.Generator().manual_seed(0))
    tokens[:, 0], tokens[:, -1] = 49406, 49407
    tower = alone(made)
    with torch.inference_mode():
        assert torch.equal(tower._encode_token_batch(tokens), encode_cut(made[0], tokens))


@pytest.mark.parametrize("wrong", ["activation", "mask", "pooling", "normalisation"])
def test_a_mistake_would_be_seen(made, wrong, monkeypatch):
    """What keys and shapes cannot show moves rows by far more than the tolerance above."""
    tower, wanted = alone(made), whole(made[0], TEXTS)
    functional = torch.nn.functional
    if wrong == "activation":
        other = {"quickgelu": "gelu", "gelu": "quickgelu"}[made[1].activation]
        tower.card = made[1].model_copy(update={"activation": other})
    elif wrong == "mask":
        real = functional.scaled_dot_product_attention
        monkeypatch.setattr(
            functional, "scaled_dot_product_attention", lambda query, key, value, *_: real(query, key, value)
        )
    elif wrong == "pooling":
        monkeypatch.setattr(torch.Tensor, "argmax", lambda self, dim: torch.full((len(self),), -1))
    else:
        monkeypatch.setattr(functional, "layer_norm", lambda x, *_: x)
    rows = tower.encode_texts(TEXTS, normalize=False)
    assert np.abs(rows - wanted).max() > 1e-3 * np.abs(wanted).max()


@pytest.mark.parametrize("prefix", ["", "module."])
def test_of_safetensors_only_its_part_is_read(made, tmp_path, monkeypatch, prefix):
    path, card = tmp_path / "w.safetensors", made[1].model_copy(update={"nesting": ""})
    save_file({prefix + key: tensor.contiguous() for key, tensor in made[0].state_dict().items()}, path)
    wanted, loaded, read = alone(made).encode_texts(TEXTS), [], weights._load
    monkeypatch.setattr(weights, "_load", lambda *given: loaded.append(read(*given)) or loaded[0])
    rows = load.texts_from_file(card, path, "0" * 64, device="cpu", dtype="float32").encode_texts(TEXTS)
    np.testing.assert_array_equal(rows, wanted)
    assert set(loaded[0]) == {prefix + key for key in texttower.shapes(architectures.config(card))}


def test_bfloat16_is_as_near_as_bfloat16_is(made):
    rows = alone(made, dtype="bf16").encode_texts(TEXTS)
    assert (rows * alone(made).encode_texts(TEXTS)).sum(axis=1).min() > 0.999


def test_only_the_text_tower_is_held_or_shared(made):
    model = made[0]
    read, shared = alone(made), alone(made, model=model)
    assert not [key for key in read._state if key.startswith("visual.")]
    held = model.state_dict()
    assert {key: list(tensor.shape) for key, tensor in read._state.items()} == texttower.shapes(
        architectures.config(made[1])
    )
    assert set(read._state) == {key for key in held if not key.startswith("visual.") and key != "logit_scale"}
    for key, tensor in shared._state.items():
        assert tensor.data_ptr() == held[key].data_ptr()
    np.testing.assert_array_equal(shared.encode_texts(TEXTS), read.encode_texts(TEXTS))


def test_a_file_without_the_text_tower_is_refused(made, tmp_path):
    state = made[0].state_dict()
    del state["transformer.resblocks.1.mlp.c_fc.bias"]
    path = checkpoints.write(tmp_path / "w.pt", state, "module.", "state_dict")
    with pytest.raises(ContractError, match=r"1 keys are missing \(transformer.resblocks.1.mlp.c_fc.bias\)"):
        alone((made[0], made[1], path))


@pytest.mark.parametrize(
    "text", [{"no_causal_mask": True}, {"pool_type": "last"}, {"mlp_ratio": 2.0}, {"act_kwargs": {}}], ids=str
)
def test_a_tower_with_settings_of_its_own_is_left_to_its_library(made, text, tmp_path):
    config = {**CONFIG, "text_cfg": {**CONFIG["text_cfg"], **text}}
    (tmp_path / "odd.json").write_text(json.dumps(config))
    assert not texttower.serves(made[1].model_copy(update={"architecture": str(tmp_path / "odd.json")}))
    (tmp_path / "apart.json").write_text(json.dumps({**CONFIG, "custom_text": True}))
    assert not texttower.serves(made[1].model_copy(update={"architecture": str(tmp_path / "apart.json")}))


def test_other_families_and_activations_are_left_to_their_library(made):
    for model in ("siglip2-vit-b-16", "git-rsclip-base", "graft", "llama3-ms-clip", "pe-core-vit-b-16"):
        assert not texttower.serves(zoo.find(model)), model
    assert not texttower.serves(made[1].model_copy(update={"text_activation": "gelu-tanh"}))
