"""CLIP's ResNet in torch alone: the same rows as open_clip's to the last bit."""

from __future__ import annotations

import copy

import open_clip
import pytest
import torch

from senbench.models import architectures
from senbench.models.clip.resnet import ModifiedResNet

CONFIG = {
    "embed_dim": 48,
    "vision_cfg": {"image_size": 120, "layers": [1, 2, 3, 2], "width": 16, "head_width": 32, "patch_size": None},
    "text_cfg": {"context_length": 77, "vocab_size": 1000, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def theirs():
    """open_clip's model of random weights and statistics, large enough to tell errors."""
    torch.manual_seed(0)
    model = open_clip.CLIP(**CONFIG).eval().requires_grad_(False)
    for name, tensor in model.visual.state_dict().items():
        if name.endswith("running_var") or (name.endswith("weight") and tensor.ndim == 1):
            tensor.copy_(0.5 + torch.rand_like(tensor))
        elif tensor.is_floating_point():
            tensor.add_(torch.randn_like(tensor) * 0.1)
    return model


@pytest.fixture
def mine(theirs):
    model = architectures.empty(CONFIG)
    architectures.fill(model, {key: tensor.clone() for key, tensor in theirs.state_dict().items()})
    assert isinstance(model.visual, ModifiedResNet)
    return model


def pixels(n):
    coarse = torch.randn(n, 3, 3, 3, generator=torch.Generator().manual_seed(1))  # noise would look all alike
    return torch.nn.functional.interpolate(3 * coarse, 120, mode="bicubic")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("n", [1, 5, 16])
def test_images_are_open_clips_to_the_last_bit(mine, theirs, dtype, n):
    with torch.inference_mode():
        wanted = copy.deepcopy(theirs).to(dtype).encode_image(pixels(n).to(dtype))
        rows = mine.to(dtype).encode_image(pixels(n).to(dtype))
    assert torch.equal(rows, wanted)
    assert n == 1 or (rows[0] - rows[1]).abs().max() > 0.1 * wanted.abs().max()


def test_keys_and_shapes_are_open_clips(mine, theirs):
    assert architectures.shapes(mine) == architectures.shapes(theirs)


@pytest.mark.parametrize("wrong", ["heads", "place", "strides", "statistics"])
def test_a_mistake_would_be_seen(mine, theirs, wrong):
    tower = mine.visual
    if wrong == "heads":
        tower.attnpool.heads *= 2
    elif wrong == "place":
        tower.attnpool.positional_embedding.data.zero_()
    elif wrong == "strides":  # an average over the window becomes its first place
        tower.layer2[0]._pooled = lambda x: x[..., ::2, ::2]
    else:
        mine.train()
    with torch.inference_mode():
        rows, wanted = mine.encode_image(pixels(4)), theirs.encode_image(pixels(4))
    assert (rows - wanted).abs().max() > 1e-3 * wanted.abs().max()
