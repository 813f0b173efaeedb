"""Llama3-MS-CLIP: ten bands of digital numbers through the card, against open_clip and torchvision themselves."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from eurosat_files import tiffs, unpack
from torch import nn

from senbench.datasets.bands import pair
from senbench.datasets.eurosat import multispectral
from senbench.datasets.open import dataset_info, open_dataset
from senbench.errors import ContractError, UsageError
from senbench.evaluation.grid import run as run_grid
from senbench.models import registry
from senbench.models.checkpoints import fetch, state_dict
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.load import load, texts_from_file
from senbench.models.msclip import MsClipAdapter
from senbench.results import store
from senbench.schema.run_spec import RunSpec

# authors' evaluation code: SSL4EO-S12 v1.1, less the offset of newer processing baselines
MEAN = [925.161, 1183.128, 1338.041, 1667.254, 2233.633, 2460.96, 2555.569, 2619.542, 2406.497, 1841.645]
STD = [1205.586, 1223.713, 1399.638, 1403.298, 1378.513, 1434.924, 1491.141, 1454.089, 1473.248, 1365.08]
BANDS = ["B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"]
IN_FILE = [f"B{k:02d}" for k in range(1, 13)] + ["B8A"]  # EuroSAT's order
TEXTS = ["a satellite image showing a river", "sea or lake", "long rows of green maize under a grey sky in July"]
NARROW = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 128, "patch_size": 8},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
}
DROPPED = object()


class Holder(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model


class Training(nn.Module):
    """What the release was saved from: one model under three names, and a temperature."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.clip_base_model, self.image_encoder, self.text_encoder = Holder(model), Holder(model), Holder(model)
        self.temperature = nn.Parameter(torch.tensor(0.07))


def released(config: dict, seed: int = 0) -> nn.Module:
    """A model of random weights in the authors' arrangement; no parameter is left at a value that hides it."""
    torch.manual_seed(seed)
    model = open_clip.CLIP(**config)
    old = model.visual.conv1
    model.visual.conv1 = nn.Conv2d(10, old.out_channels, old.kernel_size, old.stride, bias=False)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if name.endswith("bias"):
                tensor.normal_(0, 0.1)
            elif tensor.ndim == 1 and name.endswith("weight"):
                tensor.mul_(1 + 0.3 * torch.rand_like(tensor))
        model.logit_scale.fill_(3.0)  # in the file, but the release multiplies by 100
    return Training(model.eval())


def reference(training: nn.Module, tiles: list[np.ndarray], side: int, mean=MEAN, std=STD) -> np.ndarray:
    """The authors' chain, by torchvision and open_clip: image embeddings of float (H, W, 10) tiles."""
    from torchvision import transforms as T

    chain = T.Compose(
        [
            T.ToTensor(),  # of float32: to channels first, no scaling
            T.Resize([side], interpolation=T.InterpolationMode.BICUBIC),
            T.CenterCrop([side]),
            T.Normalize(mean, std),
        ]
    )
    with torch.no_grad():
        pixels = torch.stack([chain(tile.astype(np.float32)) for tile in tiles])
        return training.image_encoder.model.encode_image(pixels, normalize=True).numpy()


def texts_of(training: nn.Module, texts: list[str] = TEXTS) -> np.ndarray:
    with torch.no_grad():
        tokens = open_clip.get_tokenizer("ViT-B-16")(texts)
        return training.text_encoder.model.encode_text(tokens, normalize=True).numpy()


def scene(height: int = 64, width: int = 64, seed: int = 0) -> np.ndarray:
    """A field-like tile of ten bands: bands correlate as in nature, vegetation is bright in the near infrared."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((height // 8 + 1, width // 8 + 1, 1)).repeat(8, 0).repeat(8, 1)[:height, :width]
    spectrum = np.array([700, 900, 800, 1300, 2600, 3200, 3400, 3600, 2200, 1300]) * rng.uniform(0.4, 1.6, 10)
    return (spectrum * (0.5 + coarse) + rng.normal(0, 40, (height, width, 10))).clip(1, 12000).astype(np.uint16)


@pytest.fixture(scope="module")
def training():
    return released(NARROW)


@pytest.fixture(scope="module")
def narrow(training, tmp_path_factory) -> Path:
    """A card file of the same contract with a small architecture, and its checkpoint."""
    folder = tmp_path_factory.mktemp("narrow")
    torch.save(training.state_dict(), folder / "weights.pt")
    (folder / "small.json").write_text(json.dumps(NARROW))
    shipped = Path(registry.__file__).parent / "cards" / "msclip.toml"
    (card,) = tomllib.loads(shipped.read_text())["model"]
    card |= {"id": "narrow-ms-clip", "architecture": str(folder / "small.json"), "embed_dim": 24, "aliases": []}
    card["preprocess"] |= {"resolution": 32}
    card["weights"] = {"path": str(folder / "weights.pt")}
    del card["layout"]
    tables = {name: card.pop(name) for name in ("preprocess", "weights", "contamination")}

    def lines(table: dict) -> str:
        return "\n".join(f"{key} = {json.dumps(value)}" for key, value in table.items())

    text = "[[model]]\n" + lines(card) + "".join(f"\n[model.{name}]\n{lines(table)}" for name, table in tables.items())
    (folder / "narrow.toml").write_text(text)
    return folder / "narrow.toml"


@pytest.fixture(scope="module")
def adapter(narrow):
    return load(str(narrow), device="cpu")


def test_embeddings_equal_open_clip_on_torchvision(adapter, training):
    # enlarged, as released; oblong and cropped; reduced, where antialiasing counts
    for height, width in ((64, 64), (24, 24), (120, 120), (40, 72), (32, 32)):
        tiles = [scene(height, width, seed) for seed in range(4)]
        want = reference(training, tiles, 32)
        np.testing.assert_allclose(adapter.encode_images(tiles), want, atol=1e-5)
    np.testing.assert_allclose(adapter.encode_texts(TEXTS), texts_of(training), atol=1e-5)
    assert (adapter.logit_scale, adapter.logit_bias) == (100, None)  # not exp(3) of the file, not its temperature
    assert np.ptp(want @ want.T) > 0.01  # the model tells its inputs apart, or nothing is proved


def test_texts_need_no_image_tower(adapter, narrow):
    path = narrow.with_name("weights.pt")
    alone = texts_from_file(Checkpoint(adapter.card, path, fetch.sha256(path), "cpu"))
    np.testing.assert_array_equal(alone.encode_texts(TEXTS), adapter.encode_texts(TEXTS))
    assert not hasattr(alone.model, "visual")


def test_the_card_has_the_keys_and_the_size_of_the_release():
    with torch.device("meta"):
        state = released(open_clip.get_model_config("ViT-B-16")).state_dict()
    assert {key: list(tensor.shape) for key, tensor in state.items()} == state_dict.manifest("msclip-vit-b-16")["keys"]
    card = registry.find("ms-clip")
    assert card.parameters == sum(t.numel() for k, t in state.items() if k.startswith("text_encoder."))
    assert card.weights.size_mb == pytest.approx(4 * card.parameters / 1e6, rel=1e-3)  # stored once
    assert list(card.bands) == BANDS
    assert (list(card.preprocess.mean), list(card.preprocess.std)) == (MEAN, STD)


@pytest.mark.slow
def test_the_full_size_release_through_its_card(tmp_path):
    """Listed three times, stored once: the size of the file on the hub."""
    model = released(open_clip.get_model_config("ViT-B-16"))
    torch.save(model.state_dict(), tmp_path / "Llama3_MS_CLIP_weights.pt")
    assert (tmp_path / "Llama3_MS_CLIP_weights.pt").stat().st_size == pytest.approx(604e6, rel=1e-3)
    loaded = load("llama3-ms-clip", file=str(tmp_path / "Llama3_MS_CLIP_weights.pt"), device="cpu")
    assert sum(p.numel() for p in loaded.model.parameters()) == loaded.card.parameters
    tiles = [scene(seed=seed) for seed in range(2)]
    np.testing.assert_allclose(loaded.encode_images(tiles), reference(model, tiles, 224), atol=1e-5)
    np.testing.assert_allclose(loaded.encode_texts(TEXTS), texts_of(model), atol=1e-5)


@pytest.mark.parametrize("name", ["EuroSAT's file order", "by position", "RGB first", "/255", "/10000", "mean for std"])
def test_silent_mistakes_change_the_embedding(adapter, training, name):
    """What the comparison with the reference would notice: each of these runs without any error."""
    full = [np.concatenate([scene(seed=s), scene(seed=s + 90)[..., :3]], axis=2) for s in range(4)]
    at = {band: k for k, band in enumerate([*BANDS, "B01", "B09", "B10"])}
    in_file = [tile[..., [at[band] for band in IN_FILE]] for tile in full]
    tiles = [tile[..., :10] for tile in full]
    wrong = {
        "EuroSAT's file order": lambda: [t[..., [1, 2, 3, 4, 5, 6, 7, 10, 11, 12]] for t in in_file],  # B8A last
        "by position": lambda: [np.delete(t, [0, 9, 10], axis=2) for t in in_file],  # B09 slips in, B11 is lost
        "RGB first": lambda: [t[..., [2, 1, 0, *range(3, 10)]] for t in tiles],
        "/255": lambda: [t / 255 for t in tiles],
        "/10000": lambda: [t / 10000 for t in tiles],
        "mean for std": lambda: tiles,
    }[name]()
    how = {"mean": STD, "std": MEAN} if name == "mean for std" else {}
    right = adapter.encode_images(tiles)
    assert np.abs(reference(training, wrong, 32, **how) - right).max() > 1e-3
    np.testing.assert_allclose(reference(training, tiles, 32), right, atol=1e-5)


def test_eurosats_files_reach_the_model_by_band_name(adapter, training, tmp_path):
    """From a 13-band GeoTIFF with B8A last to the embedding of bands picked by name with rasterio."""
    import rasterio

    unpack(tmp_path, tiffs(1, ("Forest", "River")))
    tiles = open_dataset("eurosat", split="all", data_dir=str(tmp_path), offline=True)
    seen = tiles.paired(pair(adapter.card, tiles.info))
    named = []
    for name in ("Forest/Forest_1.tif", "River/River_1.tif"):
        with rasterio.open(tmp_path / name) as file:
            named.append(np.stack([file.read(IN_FILE.index(band) + 1) for band in BANDS], axis=2))
    got = adapter.encode_images([seen.read(i) for i in range(2)])
    np.testing.assert_allclose(got, reference(training, named, 32), atol=1e-5)


@pytest.mark.parametrize(
    "tile",
    [
        scene()[..., :3],
        np.concatenate([scene(), scene()[..., :3]], axis=2),
        scene().astype(np.float32),
        (scene() // 47).astype(np.uint8),
        scene()[..., 0],
    ],
    ids=["three bands", "thirteen bands", "float", "uint8", "flat"],
)
def test_other_tiles_are_refused(adapter, tile):
    with pytest.raises(UsageError, match=r"takes uint16 tiles \(H, W, 10\) with bands B02, B03"):
        adapter.encode_images([tile])


def test_statistics_must_be_one_per_band(narrow):
    for change in ({"mean": (0.3, 0.4, 0.4)}, {"std": (1000.0,)}):
        card = registry.find(str(narrow))
        wrong = card.model_copy(update={"preprocess": card.preprocess.model_copy(update=change)})
        with pytest.raises(ContractError, match="has 10 bands, but"):
            load(wrong, device="cpu").encode_images([scene()])


def altered(change):
    def make(state):
        state = dict(state)
        for key, tensor in change.items():
            if tensor is DROPPED:
                del state[key]
            else:
                state[key] = tensor
        return state

    return make


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            altered({"text_encoder.model.ln_final.bias": torch.zeros(64)}),
            "text_encoder.model.ln_final.bias differs from clip_base_model.model.ln_final.bias",
        ),
        (
            altered({"image_encoder.model.visual.proj": torch.randn(128, 24)}),
            "image_encoder.model.visual.proj differs",
        ),
        (altered({"temperature": DROPPED}), "1 keys are missing (temperature)"),
        (altered({"image_encoder.model.logit_scale": DROPPED}), "1 keys are missing (image_encoder.model.logit_scale)"),
        (altered({"image_projection.weight": torch.zeros(2)}), "1 are not expected (image_projection.weight)"),
        (lambda state: {"state_dict": state}, "state_dict"),
        (
            lambda state: {k.removeprefix("clip_base_model.model."): v for k, v in state.items() if "base" in k},
            "keys are missing",
        ),
        (
            lambda state: {k: v[:, :3] if k.endswith("conv1.weight") else v for k, v in state.items()},
            "visual.conv1.weight has shape [128, 3, 8, 8]",
        ),
    ],
)
def test_other_layouts_are_refused(narrow, training, tmp_path, make, says):
    torch.save(make(training.state_dict()), tmp_path / "other.pt")
    with pytest.raises(ContractError) as error:
        load(str(narrow), file=str(tmp_path / "other.pt"), device="cpu")
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_wrong_contracts_are_refused(narrow):
    card, path = registry.find(str(narrow)), narrow.parent / "weights.pt"
    for change, says in (
        ({"activation": "quickgelu"}, "quickgelu"),
        ({"bands": (*card.bands, "B09")}, r"conv1.weight has shape \[128, 10, 8, 8\].*expects \[128, 11, 8, 8\]"),
        ({"logit_scale": "checkpoint"}, "fixed scale"),
        ({"embed_dim": 512}, "embed_dim 512"),
        ({"layout": "msclip-vit-b-16"}, "msclip-vit-b-16"),
    ):
        with pytest.raises(ContractError, match=says):
            MsClipAdapter.load(Checkpoint(card.model_copy(update=change), path, fetch.sha256(path), "cpu"))


def test_bands_unit_and_level_are_part_of_the_identity(adapter):
    def identity(**change):
        other = MsClipAdapter.__new__(MsClipAdapter)
        other.__dict__ = {**adapter.__dict__, "card": adapter.card.model_copy(update=change)}
        return json.dumps(other.image_identity(), sort_keys=True)

    kinds = {
        identity(),
        identity(bands=adapter.card.bands[::-1]),
        identity(unit="uint8"),
        identity(level="L1C"),
    }
    assert len(kinds) == 4


def test_a_grid_of_rgb_and_native_models(narrow, tmp_path, monkeypatch):
    """The demo serves both: two renderings, one set of pictures, no row of one model taken for the other's."""
    monkeypatch.setattr(multispectral, "DEMO_PER_CLASS", 2)
    spec = RunSpec(
        models=("mini", str(narrow)),
        prompts=("generic",),
        datasets=("demo",),
        device="cpu",
        offline=True,
        results=str(tmp_path),
    )
    rgb, native = run_grid(spec)
    assert (rgb.dataset.radiometry, rgb.dataset.band_order) == ("eurosat-jpeg", "rgb")
    assert (native.dataset.radiometry, native.dataset.band_order) == ("native", ",".join(BANDS))
    assert native.dataset.content_hash == rgb.dataset.content_hash
    assert (native.dataset.level, native.dataset.model_level) == (None, "L2A")
    assert any("no known processing level" in w for w in native.warnings)
    assert not any("processing level" in w for w in rgb.warnings)
    assert native.timings.images_encoded == rgb.timings.images_encoded == 20
    pictures = [store.read_thumbnails(tmp_path / result.run_id) for result in (rgb, native)]
    shared = pictures[0].keys() & pictures[1].keys()
    assert shared
    assert all(pictures[0][tile] == pictures[1][tile] for tile in shared)

    # again from the cache, then the same bands in another order: embedded anew
    again = run_grid(spec.model_copy(update={"models": (str(narrow),), "radiometry": "native"}))[0]
    assert (again.timings.images_encoded, again.timings.images_cached) == (0, 20)
    assert again.metrics == native.metrics
    turned = narrow.with_name("turned.toml")
    text = narrow.read_text()
    assert text.count('"B02", "B03"') == 1
    turned.write_text(text.replace('"B02", "B03"', '"B03", "B02"').replace("narrow-ms-clip", "turned-ms-clip"))
    other = run_grid(spec.model_copy(update={"models": (str(turned),)}))[0]
    assert other.timings.images_encoded == 20


def test_l1c_for_l2a_is_flagged(narrow, tmp_path):
    unpack(tmp_path / "data", tiffs(2))
    spec = RunSpec(
        models=(str(narrow),),
        prompts=("generic",),
        data_dir=str(tmp_path / "data"),
        split="all",
        device="cpu",
        offline=True,
        results=str(tmp_path / "results"),
    )
    result = run_grid(spec)[0]
    assert (result.dataset.level, result.dataset.model_level) == ("L1C", "L2A")
    flagged = [w for w in result.warnings if "L1C" in w and "L2A" in w]
    assert len(flagged) == 1
    assert "narrow-ms-clip was trained on L2A" in flagged[0]
    assert result.contamination == "same geography and sensor"
    saved = store.load(tmp_path / "results" / result.run_id)
    assert flagged[0] in saved.warnings


def test_rgb_data_are_refused_by_name_before_anything_is_fetched(no_sockets):
    info = dataset_info("eurosat-rgb")
    spec = RunSpec(models=("llama3-ms-clip",), prompts=("generic",), datasets=(info.id,), results=None)
    with pytest.raises(UsageError, match="lacks B05, B06, B07, B08, B8A, B11, B12"):
        run_grid(spec)
