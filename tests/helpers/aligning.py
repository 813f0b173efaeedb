"""Toy models and pairs for alignments: a tool of the tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from senbench.align.training_set import TrainingSet
from senbench.models.clip.resnet import ModifiedResNet
from senbench.models.clip.vit import CLIP, QuickGELU, VisionConfig, VisionTransformer

if TYPE_CHECKING:
    from pathlib import Path

DIM = 16
TEXT = {"context_length": 8, "vocab_size": 32, "width": 16, "heads": 2, "layers": 1}


def toy(kind: str, dtype: torch.dtype = torch.float64, seed: int = 0) -> CLIP:
    """Plain CLIP of two blocks or four stages, images of 32 pixels, every value drawn."""
    torch.manual_seed(seed)
    visual: torch.nn.Module
    if kind == "vit":
        sizes = VisionConfig(image_size=32, patch_size=16, width=32, layers=2, head_width=16)
        visual = VisionTransformer(sizes, DIM, QuickGELU)
    else:
        visual = ModifiedResNet(DIM, image_size=32, layers=(1, 1, 1, 1), width=8)
    model = CLIP(DIM, TEXT, QuickGELU, visual)
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if not value.is_floating_point():
                continue
            if name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
            elif value.ndim == 1 and name.endswith("weight"):
                value.normal_(1, 0.1)
            else:
                value.normal_(0, value[0].numel() ** -0.5 if value.ndim > 1 else 0.1)
    return model.to(dtype).eval()


def pairs(n: int = 60, views: int = 4, side: int = 64, dim: int = 128, *, seed: int = 0) -> TrainingSet:
    """Tiles whose colour tells what their photos show, at places in Europe; the last tile has one photo."""
    rng = np.random.default_rng(seed)
    kinds = rng.integers(0, 10, n)
    colours, meanings = rng.integers(0, 255, (10, 1, 1, 3)), rng.normal(size=(10, dim))
    tiles = np.clip(colours[kinds] + 20 * rng.normal(size=(n, side, side, 3)), 0, 255).astype(np.uint8)
    photos = meanings[np.repeat(kinds, views)] + 0.3 * rng.normal(size=(n * views, dim))
    rows = np.arange(n * views).reshape(n, views)
    rows[-1, 1:] = -1
    latitude, longitude = 45 + 5 * rng.random(n), 5 + 8 * rng.random(n)
    ids = [f"point-{i}" for i in range(n)]
    return TrainingSet(ids, tiles, photos.astype(np.float16), rows, latitude, longitude)


def settings(**changes: Any) -> dict[str, Any]:
    """Changes of a recipe for `pairs` on `mini`, a few steps of a few tiles."""
    return {"epochs": 2, "batch": 8, "queue": 16, "crop": 64, "hold_out": "random:0.2", **changes}


def vit_card(folder: Path) -> Path:
    """A card file of a narrow CLIP ViT in OpenAI's layout, over a checkpoint of random weights beside it."""
    import checkpoints
    import narrow

    checkpoints.write(folder / "vit.safetensors", checkpoints.state_dict("narrow-vit", images=4))
    config = {"embed_dim": 64, "quick_gelu": True, "vision_cfg": narrow.VISION["narrow-vit"], "text_cfg": narrow.TEXT}
    (folder / "vit.json").write_text(json.dumps(config))
    card = folder / "vit.toml"
    card.write_text(CARD)
    return card


CARD = """
[[model]]
id = "narrow-vit"
family = "CLIP"
title = "narrow ViT"
adapter = "senbench.models.openclip:OpenClipAdapter"
architecture = "vit.json"
activation = "quickgelu"
bands = ["B04", "B03", "B02"]
unit = "uint8"
context_length = 77
tokenizer = "clip-bpe"
logit_scale = "checkpoint"
embed_dim = 64
parameters = 7212929
licence = "MIT"
commercial_use = "allowed"
citation = "none"
trained_on = ["nothing"]
contamination = { eurosat = "none known" }
[model.preprocess]
resolution = 64
resize_mode = "shortest-crop"
interpolation = "bicubic"
mean = [0.48145466, 0.4578275, 0.40821073]
std = [0.26862954, 0.26130258, 0.27577711]
[model.weights]
path = "vit.safetensors"
"""
