"""Batches that fit a CPU's cache, by the tokens of an image."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from senbench.models import batch_size, onednn, registry
from senbench.models.clip import vit


def tower(patch, image=224):
    config = vit.VisionConfig(image_size=image, patch_size=patch, width=64, layers=1)
    with torch.device("meta"):
        return nn.Sequential(vit.VisionTransformer(config, 8, vit.QuickGELU))


def chosen(model, kind="cpu", convolutional=False, **card):
    changed = registry.find("clip-vit-b-32").model_copy(update=card)
    return batch_size.chosen(changed, model, kind, convolutional=convolutional)


@pytest.mark.parametrize(("patch", "tokens", "size"), [(32, 49, 16), (16, 196, 4), (14, 256, 4), (112, 4, 32)])
def test_more_tokens_an_image_make_fewer_images(patch, tokens, size):
    assert batch_size.tokens(tower(patch), 224) == tokens
    assert chosen(tower(patch)) == size


def test_a_side_that_the_card_states():
    how = registry.find("clip-vit-b-32").preprocess.model_copy(update={"resolution": 640})
    assert chosen(tower(32, 640), preprocess=how) == 2
    assert chosen(tower(14, 640), preprocess=how.model_copy(update={"resolution": 1400})) == 1


def test_layers_that_are_laid_out_still_tell():
    model = tower(32)
    onednn.use(model)
    assert type(model[0].conv1) is onednn.PatchProduct
    assert batch_size.tokens(model, 224) == 49


def test_models_without_patches():
    assert batch_size.tokens(nn.Linear(2, 2), 224) == 1
    assert chosen(nn.Linear(2, 2)) == batch_size.MOST
    assert chosen(tower(32), convolutional=True) == 8
    assert chosen(tower(32), parameters=1_000_000) == 256


def test_cuda_goes_by_the_size_of_the_model():
    assert chosen(tower(14), kind="cuda") == 1024
    assert chosen(tower(14), kind="cuda", parameters=300_000_000) == 256
    assert chosen(tower(14), kind="cuda", unit="dn") == 128
