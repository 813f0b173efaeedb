"""Cards made on the spot: open_clip's tags, and open_clip models on the hub."""

from __future__ import annotations

import json

import numpy as np
import open_clip
import pytest
import torch

from senbench.errors import ContractError, UnavailableError, UsageError
from senbench.models import registry
from senbench.models.load import load
from senbench.runtime.paths import weights_folder


def test_a_tag_gives_its_own_contract():
    card = registry.find("openclip:ViT-B-16/laion2b_s34b_b88k")
    assert (card.activation, card.preprocess.resolution, card.context_length) == ("gelu", 224, 77)
    assert (card.weights.repo, card.preprocess.resize_mode) == (
        "laion/CLIP-ViT-B-16-laion2B-s34B-b88K",
        "shortest-crop",
    )
    assert card.parameters == 149_620_737
    assert card.commercial_use == "not stated"
    assert not card.verified


@pytest.fixture(autouse=True)
def files_of_the_hub(hub):
    """The hub lists the files of the repositories that the tags name."""
    for repo in ("laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "timm/vit_base_patch32_clip_224.openai"):
        hub.add(repo, "open_clip_model.safetensors", b"x")
        hub.add(repo, "open_clip_pytorch_model.bin", b"x")


def test_a_quickgelu_tag_in_a_gelu_architecture_is_refused():
    with pytest.raises(ContractError, match=r"use openclip:ViT-B-32-quickgelu/openai"):
        registry.find("openclip:ViT-B-32/openai")
    assert registry.find("openclip:ViT-B-32-quickgelu/openai").activation == "quickgelu"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("openclip:ViT-B-99/openai", "unknown open_clip architecture 'ViT-B-99'"),
        ("openclip:ViT-B-32/laion2b", "unknown tag of ViT-B-32 'laion2b'"),
        ("openclip:ViT-B-32", "expected openclip:ARCHITECTURE/TAG"),
        ("openclip:/x", "expected openclip:ARCHITECTURE/TAG"),
        ("hf:one", "expected hf:OWNER/NAME"),
        ("hf:a/b/c", "expected hf:OWNER/NAME"),
    ],
)
def test_wrong_names_say_what_there_is(name, message):
    with pytest.raises(UsageError, match=message) as error:
        registry.find(name)
    assert "\n" not in str(error.value)


CONFIG = {
    "model_cfg": {
        "embed_dim": 16,
        "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 16},
        "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
    },
    "preprocess_cfg": {
        "mean": [0.3, 0.4, 0.5],
        "std": [0.2, 0.25, 0.3],
        "interpolation": "bilinear",
        "resize_mode": "squash",
    },
}
REPO = "somebody/rs-clip"


@pytest.fixture
def hosted(hub, tmp_path):
    """A model with random weights, saved and described as open_clip's own push to the hub does."""
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = open_clip.CLIP(**CONFIG["model_cfg"]).eval()
    save_file(model.state_dict(), tmp_path / "m.safetensors")
    hub.add(REPO, "open_clip_config.json", json.dumps(CONFIG).encode())
    hub.add(REPO, "open_clip_model.safetensors", (tmp_path / "m.safetensors").read_bytes())
    return model


def test_any_open_clip_model_on_the_hub(hub, hosted, tmp_path):
    adapter = load(f"hf:{REPO}", device="cpu")
    folder = tmp_path / "local"
    folder.mkdir()
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG))
    (folder / "open_clip_model.safetensors").write_bytes((tmp_path / "m.safetensors").read_bytes())
    reference, transform = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(["a river", "long rows of maize"])
    image = np.random.default_rng(0).integers(0, 256, (48, 40, 3), dtype=np.uint8)
    from PIL import Image

    with torch.no_grad():
        want = torch.nn.functional.normalize(
            reference.eval().encode_image(transform(Image.fromarray(image))[None]), dim=-1
        )
        text = torch.nn.functional.normalize(reference.encode_text(tokens), dim=-1)
    np.testing.assert_allclose(adapter.encode_images([image]), want.numpy(), atol=1e-5)
    np.testing.assert_allclose(adapter.encode_texts(["a river", "long rows of maize"]), text.numpy(), atol=1e-5)
    hub.requests.clear()
    load(f"hf:{REPO}", device="cpu", offline=True)
    assert hub.requests == []


def test_half_a_first_contact_hides_no_file(hub, isolated_home):
    for file in ("open_clip_model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        hub.add("timm/ViT-B-16-SigLIP2", file, b"x")
    name = "openclip:ViT-B-16-SigLIP2/webli"
    folder = weights_folder(name) / "companions" / "timm--ViT-B-16-SigLIP2"
    folder.mkdir(parents=True)
    (folder / "tokenizer.json").write_bytes(b"x")  # all that had arrived
    assert [c.file for c in registry.find(name).companions] == ["tokenizer.json", "tokenizer_config.json"]
    hub.requests.clear()
    assert len(registry.find(name, offline=True).companions) == 2
    assert hub.requests == []


def test_offline_with_nothing_here(no_sockets):
    with pytest.raises(UnavailableError, match="offline") as error:
        registry.find(f"hf:{REPO}", offline=True)
    assert "\n" not in str(error.value)


def test_a_repository_that_is_no_open_clip_model(hub):
    hub.add("somebody/other", "config.json", b"{}")
    with pytest.raises(UnavailableError, match=r"open_clip_config\.json"):
        registry.find("hf:somebody/other")


@pytest.mark.parametrize("text", [b"{}", b"[1]", b"not json", b'{"model_cfg": {"text_cfg": 3}}'])
def test_a_damaged_description(hub, text):
    hub.add("somebody/damaged", "open_clip_config.json", text)
    hub.add("somebody/damaged", "open_clip_model.safetensors", b"x")
    with pytest.raises(UnavailableError, match="is not a description of an open_clip model"):
        registry.find("hf:somebody/damaged")


def test_names_of_the_hub_are_safe_folders():
    assert weights_folder("hf:a/b").name == "hf--a--b"


def test_towers_may_differ_in_their_activation(hub):
    for file in ("open_clip_model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        hub.add("timm/ViT-B-16-SigLIP2", file, b"x")
    card = registry.find("openclip:ViT-B-16-SigLIP2/webli")
    shipped = registry.find("siglip2-vit-b-16")
    assert (card.activation, card.text_activation) == (shipped.activation, shipped.text_activation)
    assert (card.parameters, card.logit_bias) == (shipped.parameters, "checkpoint")
    assert [c.file for c in card.companions] == ["tokenizer.json", "tokenizer_config.json"]
    assert card.preprocess == shipped.preprocess


def test_a_text_tower_of_another_library(hub):
    name = "laion/CLIP-ViT-B-32-roberta-base-laion2B-s12B-b32k"
    hub.add(name, "open_clip_pytorch_model.bin", b"x")
    hub.add("roberta-base", "tokenizer.json", b"x")
    small = {"model_type": "roberta", "vocab_size": 100, "hidden_size": 32, "num_hidden_layers": 1}
    small |= {"num_attention_heads": 2, "intermediate_size": 64}
    hub.add("roberta-base", "config.json", json.dumps(small).encode())
    card = registry.find("openclip:roberta-ViT-B-32/laion2b_s12b_b32k")
    assert {c.file for c in card.companions} == {"tokenizer.json", "config.json"}
    assert (card.activation, card.text_activation) == ("quickgelu", "gelu")
