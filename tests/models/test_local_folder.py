"""Folders that describe their model are read; what is none says what was looked for."""

from __future__ import annotations

import json

import checkpoints
import numpy as np
import pytest

from senbench.errors import UsageError
from senbench.models import architectures, load, local_folder, registry

CONFIG = {
    "embed_dim": 64,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 128, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 128, "heads": 2, "layers": 2},
}
TILES = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(1, 64, 64, 3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made = tmp_path_factory.mktemp("models") / "my-clip"
    made.mkdir()
    described = {"model_cfg": CONFIG, "preprocess_cfg": {"resize_mode": "squash"}}
    (made / "open_clip_config.json").write_text(json.dumps(described))
    checkpoints.write(made / "open_clip_model.safetensors", checkpoints.state_dict("narrow-vit", images=2))
    return made


@pytest.mark.parametrize("form", ["{0}", "local-dir:{0}", "hf:{0}", "{0}/open_clip_model.safetensors"])
def test_every_way_to_name_it(folder, form):
    card = registry.find(form.format(folder), offline=True)
    assert (card.id, card.activation, card.preprocess.resize_mode) == ("local-dir:my-clip", "quickgelu", "squash")
    adapter = load.load(card, device="cpu", offline=True)
    assert adapter.encode_images(TILES).shape == (1, 64)
    assert str(folder) not in json.dumps(adapter.describe())


def test_relative_to_here(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    ids = {registry.find(name).id for name in ("./my-clip", "my-clip", "hf:./my-clip", "hf:my-clip")}
    assert ids == {"local-dir:my-clip"}


def test_transformers_layout(tmp_path):
    import torch
    from transformers import CLIPConfig, CLIPModel

    text = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2}
    vision = {**text, "image_size": 32, "patch_size": 16}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=32)).save_pretrained(tmp_path / "hf")
    card = registry.find(f"{tmp_path}/hf")
    assert (card.activation, card.preprocess.resolution, card.embed_dim) == ("quickgelu", 32, 32)
    assert card.parameters == sum(
        tensor.numel() for tensor in CLIPModel.from_pretrained(tmp_path / "hf").state_dict().values()
    )


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("./nowhere", "there is no file or folder nowhere"),
        ("local-dir:nowhere", "there is no file or folder nowhere"),
        ("hf:./nowhere", "there is no file or folder nowhere"),
        ("x.safetensors", "there is no file or folder x.safetensors"),
        ("./empty", "holds neither open_clip_config.json .* it holds nothing"),
        ("./w.pt", "senbench models new --like ID --weights w.pt"),
        ("./bare", "holds no weights; looked for open_clip_model.safetensors"),
    ],
)
def test_what_was_looked_for(tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "config.json").write_text("{}")
    (tmp_path / "w.pt").write_bytes(b"x")
    with pytest.raises(UsageError, match=said) as error:
        registry.find(name)
    assert "clip-vit-b-32" not in str(error.value)


def test_names_that_are_no_paths():
    assert local_folder.path_of("clip-vit-b-31") is None
    assert local_folder.path_of("hf:OWNER/NAME") is None
    assert local_folder.path_of(str(architectures.FOLDER)) == architectures.FOLDER
