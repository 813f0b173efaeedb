"""GRAFT against transformers' vision tower and OpenAI's text tower, and the ways to load it almost right."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import checkpoints
import clip
import numpy as np
import pytest
import torch
from PIL import Image

from senbench.errors import ContractError, UnavailableError
from senbench.models import registry
from senbench.models.checkpoints import fetch, state_dict
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.load import load, texts_from_file

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.models.adapter import Adapter
    from senbench.schema.model_card import ModelCard

TEXTS = ["a photo of a river", "A Centered satellite photo of Annual Crop Land, in July.", "x", "golden wheat " * 50]
CARD = registry.find("graft")
# embed_dim, resolution, vision layers, width, patch, context, vocabulary, text width, heads, layers
SMALL = (24, 64, 2, 128, 16, 77, 49408, 64, 1, 2)
FULL = (512, 224, 12, 768, 16, 77, 49408, 512, 8, 12)
ARCHITECTURE = {
    "embed_dim": 24,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 128, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 2},
}


class Graft(torch.nn.Module):
    """The release's module tree, as the code that loads it declares it; weights random."""

    def __init__(self, sizes: tuple[int, ...], activation: str = "quick_gelu") -> None:
        from transformers import CLIPVisionConfig, CLIPVisionModelWithProjection

        super().__init__()
        embed, side, layers, width, patch = sizes[:5]
        config = CLIPVisionConfig(
            hidden_size=width,
            intermediate_size=4 * width,
            num_hidden_layers=layers,
            num_attention_heads=width // 64,
            image_size=side,
            patch_size=patch,
            projection_dim=embed,
            hidden_act=activation,
        )
        self.satellite_image_backbone = CLIPVisionModelWithProjection(config)
        self.projector = torch.nn.Sequential(torch.nn.LayerNorm(width), torch.nn.Linear(width, embed, bias=False))
        self.register_buffer("logit_scale", torch.ones([]) / 0.07)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.satellite_image_backbone(pixels).image_embeds


@dataclass
class Release:
    """A release on disk, the text tower's file where a fetch puts it, and the reference of both."""

    card: ModelCard
    file: Path
    state: dict[str, torch.Tensor]
    text_state: dict[str, torch.Tensor]
    sizes: tuple[int, ...]

    def load(self, state: dict[str, Any] | None = None, **change: Any) -> Adapter:
        if state is not None:
            torch.save(state, self.file)
        card = self.card.model_copy(update=change)
        # what the files are is not tested here: a changed one is accepted
        return load(card, file=str(self.file), device="cpu", offline=True, accept_new_weights=True)

    def images(self, tiles: list[np.ndarray], activation: str = "quick_gelu", **chain: Any) -> np.ndarray:
        """Embeddings as the code that loads the release makes them."""
        from torchvision import transforms as T

        model = Graft(self.sizes, activation).eval()
        model.load_state_dict(self.state, strict=True)
        side = self.sizes[1]
        how = T.Compose(
            [
                T.Resize(chain.get("size", (side, side))),
                T.CenterCrop(side),
                T.ToTensor(),
                T.Normalize(CARD.preprocess.mean, CARD.preprocess.std),
            ]
        )
        with torch.no_grad():
            return unit(model(torch.stack([how(Image.fromarray(tile)) for tile in tiles])))

    def texts(self, texts: list[str]) -> np.ndarray:
        with torch.no_grad():
            return unit(checkpoints.reference(self.text_state).encode_text(clip.tokenize(texts, truncate=True)))


def make(sizes: tuple[int, ...], card: ModelCard, folder: Path) -> Release:
    from safetensors.torch import save_file

    torch.manual_seed(0)
    model = Graft(sizes)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if tensor.ndim == 1:  # biases of zero and scales of one would hide a wrong key
                tensor.add_(0.2 * torch.randn_like(tensor))
            elif sizes is SMALL and "embedding" not in name:
                tensor.mul_(4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = checkpoints.CLIP(*sizes).state_dict()
    # OpenAI's package rounds what it loads to fp16
    text_state = {key: value.half().float() for key, value in state.items()}
    file = folder / "graft_sentinel.ckpt"
    torch.save({"epoch": 9, "state_dict": model.state_dict(), "global_step": 7}, file)
    beside = fetch.companions(card, card.companions[0].repo)
    beside.mkdir(parents=True)
    save_file(text_state, beside / card.companions[0].file)
    return Release(card, file, model.state_dict(), text_state, sizes)


@pytest.fixture
def release(tmp_path, monkeypatch) -> Release:
    """Small widths; the layout is the shipped one otherwise."""
    (tmp_path / "small.json").write_text(json.dumps(ARCHITECTURE))
    layout = f"small-{tmp_path.name}"
    keys = {key: list(tensor.shape) for key, tensor in Graft(SMALL).state_dict().items()}
    known = {**state_dict.manifest("graft"), "keys": keys}
    (tmp_path / f"{layout}.json").write_text(json.dumps(known))
    monkeypatch.setattr(state_dict, "MANIFESTS", tmp_path)
    change = {
        "architecture": str(tmp_path / "small.json"),
        "layout": layout,
        "embed_dim": SMALL[0],
        "preprocess": CARD.preprocess.model_copy(update={"resolution": SMALL[1]}),
    }
    return make(SMALL, CARD.model_copy(update=change), tmp_path)


def tiles(n: int = 5, height: int = 96, width: int = 96) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (n, height // 8, width // 8, 3), dtype=np.uint8)
    return list(coarse.repeat(8, axis=1).repeat(8, axis=2))


def unit(rows: torch.Tensor) -> np.ndarray:
    return torch.nn.functional.normalize(rows.float(), dim=-1).numpy()


def test_equal_to_transformers_and_openai(release):
    adapter = release.load()
    images = [*tiles(), *tiles(2, 72, 112)]
    got_images, got_texts = adapter.encode_images(images), adapter.encode_texts(TEXTS)
    np.testing.assert_allclose(got_images, release.images(images), atol=1e-5)
    np.testing.assert_allclose(got_texts, release.texts(TEXTS), atol=1e-5)
    # the generated model must be able to tell its inputs apart, or the comparison proves nothing
    assert np.ptp(got_images @ got_texts.T) > 0.05
    assert adapter.logit_scale == pytest.approx(1 / 0.07)
    assert adapter.logit_bias is None


@pytest.mark.slow
def test_the_shipped_card_equals_transformers_and_openai(tmp_path):
    """Full size, the card and its manifest as they are."""
    release = make(FULL, CARD, tmp_path)
    adapter = release.load()
    np.testing.assert_allclose(adapter.encode_images(tiles(2)), release.images(tiles(2)), atol=1e-5)
    np.testing.assert_allclose(adapter.encode_texts(TEXTS), release.texts(TEXTS), atol=1e-5)
    assert sum(p.numel() for p in adapter.model.parameters()) == CARD.parameters


def test_the_manifest_is_the_release_classes():
    with torch.device("meta"):
        keys = {key: list(tensor.shape) for key, tensor in Graft(FULL).state_dict().items()}
    assert state_dict.manifest("graft")["keys"] == keys


def test_the_text_tower_is_the_companions(release):
    """No random text tower: another companion gives other texts, the same images, another cache key."""
    from safetensors.torch import save_file

    first = release.load()
    beside = fetch.companions(release.card, release.card.companions[0].repo) / release.card.companions[0].file
    name = "timm/vit_base_patch16_clip_224.openai/open_clip_model.safetensors"
    assert first.describe()["companions_sha256"] == {name: fetch.sha256(beside)}
    save_file({key: value.flip(0) if value.ndim else value for key, value in release.text_state.items()}, beside)
    second = release.load()
    assert np.abs(first.encode_texts(TEXTS) - second.encode_texts(TEXTS)).max() > 1e-2
    np.testing.assert_array_equal(first.encode_images(tiles()), second.encode_images(tiles()))
    assert first.text_identity() != second.text_identity()
    assert first.image_identity() == second.image_identity()


def test_texts_need_no_image_tower(release):
    whole = release.load()
    other = release.file.with_name("not.read")
    other.write_bytes(b"x")
    alone = texts_from_file(Checkpoint(release.card, other, fetch.sha256(other), "cpu"))
    np.testing.assert_array_equal(alone.encode_texts(TEXTS), whole.encode_texts(TEXTS))
    assert not hasattr(alone.model, "visual")


def test_the_projector_is_not_used(release):
    first = release.load().encode_images(tiles())
    state = {key: value * 3 if key.startswith("projector") else value for key, value in release.state.items()}
    np.testing.assert_array_equal(release.load({"state_dict": state}).encode_images(tiles()), first)


def test_position_ids_of_old_transformers_are_tolerated(release):
    first = release.load().encode_images(tiles())
    key = "satellite_image_backbone.vision_model.embeddings.position_ids"
    again = release.load({"state_dict": {**release.state, key: torch.arange(17)[None]}})
    np.testing.assert_array_equal(again.encode_images(tiles()), first)


# what would be wrong without an error


def test_gelu_for_quickgelu_differs_and_is_refused(release, tmp_path):
    adapter = release.load()
    wrong = release.images(tiles(), activation="gelu")  # loads strictly: nothing but the card can tell
    assert np.abs(wrong - adapter.encode_images(tiles())).max() > 1e-3
    with pytest.raises(ContractError, match=r"checkpoints of layout .* are 'quickgelu'"):
        release.load(activation="gelu")
    (tmp_path / "gelu.json").write_text(json.dumps({**ARCHITECTURE, "quick_gelu": False}))
    with pytest.raises(ContractError, match="built with gelu"):
        release.load(architecture=str(tmp_path / "gelu.json"))


@pytest.mark.parametrize(
    "change",
    [
        {"interpolation": "bicubic"},
        {"resize_mode": "shortest-crop"},
        {"mean": CARD.preprocess.std, "std": CARD.preprocess.mean},
    ],
    ids=str,
)
def test_every_preprocessing_field_changes_the_embedding(release, change):
    how = release.card.preprocess.model_copy(update=change)
    changed = release.card.model_copy(update={"preprocess": how})
    oblong = tiles(3, 72, 112)
    other = load(changed, file=str(release.file), device="cpu", offline=True)
    assert np.abs(other.encode_images(oblong) - release.images(oblong)).max() > 1e-3


def test_crop_is_not_what_the_release_does(release):
    oblong = tiles(3, 72, 112)
    cropped = release.images(oblong, size=release.sizes[1])
    assert np.abs(cropped - release.load().encode_images(oblong)).max() > 1e-3


def test_band_order_changes_the_embedding(release):
    adapter = release.load()
    mirrored = [tile[..., ::-1] for tile in tiles()]
    assert np.abs(adapter.encode_images(mirrored) - adapter.encode_images(tiles())).max() > 1e-3


# files and cards that contradict each other


def test_nesting_prefix_and_keys(release):
    state = release.state
    for wrong, reason in (
        (state, "expects the state dict under 'state_dict'"),
        ({"state_dict": {f"model.{k}": v for k, v in state.items()}}, r"not expected \(model\."),
        ({"state_dict": {k.removeprefix("satellite_image_backbone."): v for k, v in state.items()}}, "are missing"),
        ({"state_dict": {k: v for k, v in state.items() if not k.startswith("projector")}}, r"missing \(projector"),
        ({"state_dict": {**state, "patch_mlp.weight": torch.zeros(1)}}, r"not expected \(patch_mlp"),
    ):
        with pytest.raises(ContractError, match=reason) as error:
            release.load(wrong)
        assert "\n" not in str(error.value)


def test_a_logarithmic_scale_is_refused(release):
    """The other release of the same authors stores the logarithm: that file would not be this model's."""
    state = {**release.state, "logit_scale": torch.tensor(2.6593)}
    with pytest.raises(ContractError, match=r"states logit_scale 14\.28\d+, the file has 2\.6593"):
        release.load({"state_dict": state})


def test_a_file_with_more_than_tensors_is_refused(release):
    from argparse import Namespace

    with pytest.raises(ContractError, match=r"hold argparse\.Namespace beside tensors") as error:
        release.load({"state_dict": release.state, "hyper_parameters": Namespace(lr=1e-5)})
    assert "\n" not in str(error.value)


def test_without_the_text_tower(release):
    beside = fetch.companions(release.card, release.card.companions[0].repo) / release.card.companions[0].file
    beside.unlink()
    with pytest.raises(UnavailableError, match=r"open_clip_model\.safetensors.*senbench models fetch graft") as error:
        release.load()
    assert "\n" not in str(error.value)


def test_a_foreign_text_tower_is_refused(release):
    from safetensors.torch import save_file

    beside = fetch.companions(release.card, release.card.companions[0].repo) / release.card.companions[0].file
    less = {key: value for key, value in release.text_state.items() if key != "text_projection"}
    save_file(less, beside)
    with pytest.raises(ContractError, match=r"open_clip_model\.safetensors .* 1 keys are missing \(text_projection\)"):
        release.load()
    beside.write_bytes(b"hello")
    with pytest.raises(UnavailableError, match=r"open_clip_model\.safetensors .*cannot be read as a checkpoint"):
        release.load()


@pytest.mark.parametrize("n", [0, 2])
def test_a_card_names_one_text_tower(release, n):
    one = release.card.companions[0]
    with pytest.raises(ContractError, match=f"names {n} companions"):
        release.load(companions=tuple(one.model_copy(update={"sha256": str(i) * 64}) for i in range(n)))
