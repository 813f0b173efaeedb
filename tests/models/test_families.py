"""Every family against its reference: a checkpoint in the release's layout, loaded through the shipped card.

Towers are narrow (the layout is what matters here; test_openclip has full sizes), everything else is the card's:
keys, prefix, nesting, container, activation, preprocessing, context, tokenizer. The references are OpenAI's own
package for what descends from its CLIP, and otherwise open_clip's factory with its own transform and tokenizer,
called as the release's users call them.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import checkpoints
import clip
import hub_files
import numpy as np
import open_clip
import pytest
import timm
import torch
from PIL import Image

from senbench.models import load
from senbench.models import registry as zoo
from senbench.models.checkpoints import fetch, state_dict
from senbench.models.checkpoints.checkpoint import Checkpoint

if TYPE_CHECKING:
    from senbench.schema.model_card import ModelCard

OPENAI = "openai"
# what the authors build the file with, written down here independently of cards and manifests
REFERENCES = {
    "clip-rn50": OPENAI,
    "clip-vit-b-32": OPENAI,
    "clip-vit-b-16": OPENAI,
    "clip-vit-l-14": OPENAI,
    "senclip-vit-b-32-avgpool": OPENAI,
    "senclip-vit-b-32-attpool": OPENAI,
    "senclip-rn50-avgpool": OPENAI,
    "senclip-rn50-attpool": OPENAI,
    "openclip-laion2b-vit-b-32": ("ViT-B-32", "laion2b_s34b_b79k"),
    "openclip-laion2b-vit-l-14": ("ViT-L-14", "laion2b_s32b_b82k"),
    "openclip-laion2b-vit-h-14": ("ViT-H-14", "laion2b_s32b_b79k"),
    "openclip-datacomp-vit-b-32": ("ViT-B-32", "datacomp_xl_s13b_b90k"),
    "openclip-datacomp-vit-l-14": ("ViT-L-14", "datacomp_xl_s13b_b90k"),
    "metaclip-vit-b-32": ("ViT-B-32-quickgelu", "metaclip_fullcc"),
    "metaclip-vit-b-16": ("ViT-B-16-quickgelu", "metaclip_fullcc"),
    "metaclip-vit-l-14": ("ViT-L-14-quickgelu", "metaclip_fullcc"),
    "siglip2-vit-b-16": ("ViT-B-16-SigLIP2", "webli"),
    "siglip2-so400m-14": ("ViT-SO400M-14-SigLIP2", "webli"),
    "pe-core-vit-b-16": ("PE-Core-B-16", "meta"),
    "remoteclip-rn50": OPENAI,
    "remoteclip-vit-b-32": OPENAI,
    "remoteclip-vit-l-14": OPENAI,
    "remoteclip-rn50-gelu": ("RN50", None),
    "remoteclip-vit-b-32-gelu": ("ViT-B-32", None),
    "remoteclip-vit-l-14-gelu": ("ViT-L-14", None),
    "georsclip-vit-b-32": OPENAI,
    "georsclip-vit-l-14": OPENAI,
    "georsclip-vit-l-14-336": OPENAI,
    "georsclip-vit-h-14": ("ViT-H-14", None),
    "skyclip-vit-b-32-top50": ("ViT-B-32", None),
    "skyclip-vit-l-14-top30": OPENAI,
    "skyclip-vit-l-14-top50": OPENAI,
    "skyclip-vit-l-14-top30-laion-rs": OPENAI,
    "clip-laion-rs-vit-l-14": OPENAI,
    "farslip1-vit-b-32": OPENAI,
    "farslip2-vit-b-32": OPENAI,
    "rs-m-clip": ("xlm-roberta-base-ViT-B-32", None),
}
# key prefix and nesting of the releases that have any; FarSLIP's is not known, SenCLIP's has a mirror with a prefix
WRITTEN = {
    "SkyCLIP": [("module.", "state_dict")],
    "FarSLIP": [("module.", "state_dict"), ("", "state_dict"), ("", "")],
    "SenCLIP": [("", ""), ("clip.", "")],
}
CARDS = [c for c in zoo.cards().values() if c.adapter.endswith(":OpenClipAdapter") and not c.synthetic]
TAGGED = {"CLIP": "openai", "OpenCLIP": None, "MetaCLIP": "metaclip_fullcc", "SigLIP 2": "webli", "PE-Core": "meta"}
TEXTS = ["a photo of a river", "Annual Crop Land, long rows of maize!", "x"]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Narrow towers gain nothing from a second thread, and wait for it where cores are shared."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_every_card_has_a_reference():
    assert {card.id for card in CARDS} == set(REFERENCES)


def tag_of(card: ModelCard) -> str:
    """The tag of open_clip that names the card's repository for its architecture."""
    known = open_clip.pretrained._PRETRAINED[card.architecture]
    return next(tag for tag, of in known.items() if of["hf_hub"].strip("/") == card.weights.repo)


@pytest.mark.parametrize("card", [c for c in CARDS if c.family in TAGGED], ids=lambda c: c.id)
def test_card_agrees_with_open_clips_tag(card):
    tag = tag_of(card)
    assert TAGGED[card.family] in (None, tag)
    released = open_clip.get_pretrained_cfg(card.architecture, tag)
    how = card.preprocess
    assert how.mean == tuple(released["mean"])
    assert how.std == tuple(released["std"])
    assert how.interpolation == released["interpolation"]
    assert how.resize_mode == {"shortest": "shortest-crop", "squash": "squash"}[released["resize_mode"]]
    assert (card.activation == "quickgelu") is released.get("quick_gelu", False)
    assert card.weights.file in ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


@pytest.mark.parametrize("card", CARDS, ids=lambda c: c.id)
def test_card_agrees_with_open_clips_configuration(card):
    config = open_clip.get_model_config(card.architecture)
    vision, text = config["vision_cfg"], config["text_cfg"]
    assert card.preprocess.resolution == vision["image_size"]
    assert card.embed_dim == config["embed_dim"]
    assert card.context_length == text.get("context_length", 77)
    assert (card.activation == "quickgelu") is config.get("quick_gelu", False)
    tanh = text.get("act_kwargs", {}).get("approximate") == "tanh"
    assert card.text_activation == ("gelu-tanh" if tanh else None)
    assert (card.logit_bias == "checkpoint") is ("init_logit_bias" in config)
    assert card.tokenizer.startswith("hf:") is ("hf_tokenizer_name" in text)
    if card.family == "SigLIP 2":
        assert card.tokenizer == "hf:" + text["hf_tokenizer_name"]


@pytest.fixture
def narrow(monkeypatch, tmp_path):
    """open_clip knows the card's architecture only with narrow towers; returns that configuration."""

    def make(card: ModelCard) -> dict[str, Any]:
        config = checkpoints.narrowed(open_clip.get_model_config(card.architecture))
        text = config["text_cfg"]
        if "hf_tokenizer_name" in text:
            folder = fetch.companions(card, card.tokenizer.removeprefix("hf:"))
            text["hf_tokenizer_name"] = str(folder)
            if "hf_model_name" in text:
                text["hf_model_name"] = str(hub_files.xlm_roberta(tmp_path / "tower"))
                hub_files.unigrams(folder)
            else:
                text["vocab_size"] = hub_files.byte_pairs(folder)
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, card.architecture, config)
        if "timm_model_name" in config["vision_cfg"]:
            small = {"embed_dim": checkpoints.NARROW, "depth": 2, "num_heads": 2}
            monkeypatch.setattr(timm, "create_model", functools.partial(timm.create_model, **small))
        return config

    return make


def tiles() -> list[np.ndarray]:
    """Oblong tiles, enlarged and shrunk: squash and crop differ, and so do the filters."""
    rng = np.random.default_rng(0)
    made = []
    for height, width in ((40, 64), (300, 240)):
        coarse = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        made.append(np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.NEAREST)))
    return made


@functools.cache
def openai_state(arguments):
    return checkpoints.state_dict(arguments, images=4)


@functools.cache
def openai_features(arguments, family):
    """What OpenAI's package makes of the tiles and texts."""
    size = arguments[1]
    transform = clip.clip._transform(size)
    if family == "SenCLIP":
        from torchvision import transforms as T

        mean, std = (0.347, 0.376, 0.296), (0.269, 0.261, 0.276)
        squash = T.Resize((size, size), interpolation=T.InterpolationMode.BICUBIC)
        transform = T.Compose([squash, T.ToTensor(), T.Normalize(mean, std)])
    return features(checkpoints.reference(openai_state(arguments)), transform, clip.tokenize)


@torch.no_grad()
def features(model, transform, tokenize):
    images = model.encode_image(torch.stack([transform(Image.fromarray(tile)) for tile in tiles()]))
    return images, model.encode_text(tokenize(TEXTS))


def from_openai(card, config):
    arguments = checkpoints.openai_arguments(config)
    state = openai_state(arguments)
    return state, openai_features(arguments, "SenCLIP" if card.family == "SenCLIP" else "")


def from_factory(card, config, name, tag, tmp_path, monkeypatch):
    state = (
        openai_state(checkpoints.openai_arguments(config))
        if "layers" in config["vision_cfg"] and "layers" in config["text_cfg"]
        else checkpoints.open_clip_state(name)
    )
    path = checkpoints.released(tmp_path, card, state)  # flat: what is under test is the adapter's reading of the rest
    monkeypatch.setattr(open_clip.factory, "download_pretrained", lambda released, cache_dir=None: str(path))
    model, _, transform = open_clip.create_model_and_transforms(name, pretrained=tag or str(path))
    return state, features(model.eval(), transform, open_clip.get_tokenizer(name))


@pytest.mark.parametrize("card", CARDS, ids=lambda c: c.id)
def test_equal_to_the_reference(card, narrow, tmp_path, monkeypatch):
    config = narrow(card)
    built_by = REFERENCES[card.id]
    state, wanted = (
        from_openai(card, config)
        if built_by == OPENAI
        else from_factory(card, config, *built_by, tmp_path, monkeypatch)
    )
    wanted = [torch.nn.functional.normalize(want, dim=-1).numpy() for want in wanted]
    # the generated model must be able to tell its inputs apart, or the comparison proves nothing
    assert all(np.abs(want[0] - want[1]).max() > 1e-3 for want in wanted)
    real = state_dict.manifest(card.layout)
    keys = {key: list(tensor.shape) for key, tensor in state.items()}
    monkeypatch.setattr(state_dict, "manifest", lambda layout: {**real, "keys": keys})
    dropped = {key: torch.tensor(1) for key in real["drop"]}
    for prefix, nesting in WRITTEN.get(card.family, [("", "")]):
        path = checkpoints.released(tmp_path, card, state if prefix else {**state, **dropped}, prefix, nesting)
        small = card.model_copy(update={"embed_dim": checkpoints.NARROW})
        adapter = load.from_file(Checkpoint(small, path, fetch.sha256(path), "cpu"))
        np.testing.assert_allclose(adapter.encode_images(tiles()), wanted[0], atol=1e-5)
        np.testing.assert_allclose(adapter.encode_texts(TEXTS), wanted[1], atol=1e-5)
        alone = load.texts_from_file(Checkpoint(adapter.card, path, fetch.sha256(path), "cpu"))
        np.testing.assert_array_equal(alone.encode_texts(TEXTS), adapter.encode_texts(TEXTS))
        assert not hasattr(getattr(alone, "model", None), "visual")
    assert adapter.logit_scale == pytest.approx(float(state["logit_scale"].exp()), rel=1e-5)
    assert adapter.logit_bias == (float(state["logit_bias"]) if "logit_bias" in state else None)
    assert adapter.causal_text == (card.family not in ("SigLIP 2", "RS-M-CLIP"))
    assert adapter.truncated(["a", "a b " * 60]) == ["a b " * 60]


LINEAGES = ["clip-vit-b-32", "siglip2-vit-b-16", "pe-core-vit-b-16", "rs-m-clip"]


@pytest.fixture
def loaded(narrow, tmp_path, monkeypatch):
    """An adapter over a narrow checkpoint of a card: the same weights at every call."""

    def make(name, *, dtype="float32", half=False):
        card = zoo.find(name)
        narrow(card)
        state = checkpoints.open_clip_state(card.architecture)
        stored = {k: v.half() if half and v.is_floating_point() else v for k, v in state.items()}
        real = state_dict.manifest(card.layout)
        keys = {key: list(tensor.shape) for key, tensor in state.items()}
        monkeypatch.setattr(state_dict, "manifest", lambda layout: {**real, "keys": keys})
        path = checkpoints.released(tmp_path, card, stored)
        card = card.model_copy(update={"embed_dim": checkpoints.NARROW})
        return load.from_file(Checkpoint(card, path, fetch.sha256(path), "cpu", dtype))

    return make


@pytest.mark.parametrize("name", LINEAGES)
def test_half_precision_files_become_float32(loaded, name):
    adapter = loaded(name, half=True)
    assert {p.dtype for p in adapter.model.parameters()} == {torch.float32}
    assert adapter.encode_texts(TEXTS).dtype == np.float32
    assert not any(t.is_meta or t.requires_grad for t in (*adapter.model.parameters(), *adapter.model.buffers()))


@pytest.mark.parametrize("name", LINEAGES)
def test_bf16_runs_in_every_lineage(loaded, name):
    adapter = loaded(name, dtype="bf16")
    exact = loaded(name)
    for low, high in (
        (adapter.encode_images(tiles()), exact.encode_images(tiles())),
        (adapter.encode_texts(TEXTS), exact.encode_texts(TEXTS)),
    ):
        cosine = (low * high).sum(1)
        assert 0.98 < cosine.min() < 0.9999999
