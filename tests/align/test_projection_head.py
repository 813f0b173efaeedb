from __future__ import annotations

import pytest
import torch

from senbench.align.projection_head import ProjectionHead


@pytest.mark.parametrize(("dim", "size"), [(512, 526_336), (1024, 2_101_248)])
def test_parameters_are_as_many_as_in_the_release(dim, size):
    assert sum(p.numel() for p in ProjectionHead(dim).parameters()) == size


def test_it_starts_as_a_norm():
    x = torch.randn(4, 8)
    assert torch.equal(ProjectionHead(8)(x), torch.nn.functional.layer_norm(x, (8,)))


def test_what_is_dropped_is_a_part_of_the_second_layer():
    torch.manual_seed(0)
    head, x = ProjectionHead(8), torch.randn(4, 8)
    for p in head.parameters():
        p.data.normal_()
    first = x @ head.first.weight.T + head.first.bias
    second = torch.nn.functional.gelu(first) @ head.second.weight.T + head.second.bias
    kept = torch.arange(32).reshape(4, 8) % 3 > 0
    expected = head.norm(x + first + torch.where(kept, second / 0.9, torch.zeros(())))
    assert torch.allclose(head(x, kept), expected, atol=1e-6)
    assert torch.allclose(head(x), head.norm(x + first + second), atol=1e-6)
