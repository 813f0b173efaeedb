"""The image stage and its kernels against open_clip on tensors that are ready."""

from __future__ import annotations

import eurosat_files
import open_clip
import pytest
import torch

from senbench.datasets.open import open_dataset
from senbench.embedding.engine import embed_images
from senbench.embedding.image_pass import EmbedOptions
from senbench.models import kernels, load, onednn, registry
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.clip import vit

pytestmark = pytest.mark.benchmark(group="image stage")
CONFIGS = {"clip-vit-b-32": "ViT-B-32-quickgelu", "clip-vit-l-14": "ViT-L-14-quickgelu", "clip-rn50": "RN50-quickgelu"}
LAYOUTS = {"clip-vit-b-32": "openai-vit-b-32", "clip-vit-l-14": "openai-vit-l-14", "clip-rn50": "openai-rn50"}


@pytest.fixture
def tiles(tmp_path):
    """Opens so many generated JPEGs, ten classes."""

    def opened(n):
        eurosat_files.packed(tmp_path / "EuroSAT.zip", eurosat_files.jpegs(n // 10))
        return open_dataset("eurosat-rgb", split="all", data_dir=str(tmp_path), offline=True)

    return opened


def test_block(against, benchmark):
    """One block of ViT-B/32's image tower, batch 32, with the kernels that are chosen here."""
    theirs = open_clip.transformer.ResidualAttentionBlock(768, 12, 4.0, act_layer=open_clip.transformer.QuickGELU)
    theirs = theirs.eval().requires_grad_(requires_grad=False)
    mine = vit.Block(768, 12, 3072, vit.QuickGELU).eval().requires_grad_(requires_grad=False)
    mine.load_state_dict(theirs.state_dict())
    card = registry.find("clip-vit-b-32")
    benchmark.extra_info["kernels"] = kernels.chosen(Checkpoint(card, None, "", "cpu"), mine)
    if benchmark.extra_info["kernels"] == "onednn":
        onednn.use(mine)
    x = torch.randn(32, 50, 768)
    with torch.inference_mode():
        torch.testing.assert_close(mine(x, None), theirs(x), atol=1e-4, rtol=1e-4)
        repeat = range(3)
        against(lambda: [mine(x, None) for _ in repeat], lambda: [theirs(x) for _ in repeat], what="open_clip's block")


def test_mini(against, tiles):
    """The shipped model over 400 JPEGs, decoding and all, against its bare forward pass with torch's kernels."""
    seen = tiles(400)
    stage = load.load("mini", device="cpu")
    bare = load.load("mini", device="cpu", kernels="torch")
    side = bare.preprocess.resolution
    ready = torch.randn(200, 3, side, side)

    def forward() -> None:
        with torch.inference_mode():
            for _ in range(2):
                bare.model.encode_image(ready)

    against(lambda: embed_images(stage, seen, None, EmbedOptions(batch_size=200)), forward, what="a bare forward pass")


@pytest.mark.whole
@pytest.mark.parametrize(
    ("model", "n", "goal"), [("clip-vit-b-32", 128, 1.85), ("clip-vit-l-14", 40, 1.7), ("clip-rn50", 40, 1.0)]
)
def test_against_open_clip(against, tiles, weights, model, n, goal):
    """JPEGs to rows against `encode_image` of open_clip on ready tensors, batch 32 (a ResNet: 8)."""
    seen, file = tiles(n), weights(LAYOUTS[model])
    mine = load.load(model, file=str(file), device="cpu")
    theirs = open_clip.create_model(CONFIGS[model]).eval().requires_grad_(requires_grad=False)
    theirs.load_state_dict(torch.load(file, weights_only=True), strict=False)
    size = min(mine.batch_size, n)
    ready = torch.randn(size, 3, 224, 224)

    def forward() -> None:
        with torch.inference_mode():
            for _ in range(n // size):
                theirs.encode_image(ready)

    way = lambda: embed_images(mine, seen, None, EmbedOptions(batch_size=size))  # noqa: E731
    what = "open_clip's encode_image on ready tensors"
    against(way, forward, what=what, work=n / (n // size * size), goal=goal, rounds=3)
