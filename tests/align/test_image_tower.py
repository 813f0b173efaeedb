from __future__ import annotations

import aligning
import pytest
import torch

from senbench.align import image_tower


@pytest.mark.parametrize("kind", ["vit", "rn"])
def test_features_and_gradients_are_those_of_the_whole_tower(kind):
    tower = aligning.toy(kind).visual
    pixels = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    found = []
    for forward in (tower, lambda x: image_tower.features(tower, x)):
        tower.requires_grad_().zero_grad()
        features = forward(pixels)
        (features * torch.arange(features.numel()).reshape(features.shape)).sum().backward()
        found.append((features.detach(), [p.grad.clone() for p in tower.parameters()]))
    (whole, gradients), (cut, others) = found
    assert torch.allclose(whole, cut, rtol=0, atol=1e-12)
    for one, other in zip(gradients, others, strict=True):
        assert torch.allclose(one, other, rtol=1e-9, atol=1e-9)


def test_blocks_below_the_trained_part_build_no_graph():
    tower = aligning.toy("vit").visual
    tower.requires_grad_(requires_grad=False)
    for p in tower.transformer.resblocks[1].parameters():
        p.requires_grad_()
    seen = []
    tower.transformer.resblocks[0].register_forward_hook(lambda m, i, out: seen.append(out.requires_grad))
    assert image_tower.features(tower, torch.randn(2, 3, 32, 32, dtype=torch.float64)).requires_grad
    assert seen == [False]
