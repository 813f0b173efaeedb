from __future__ import annotations

import pytest
import torch

from senbench.align.pooling import POOLINGS

DIM = 5


@pytest.fixture
def photos():
    torch.manual_seed(0)
    return torch.randn(3, 4, DIM, dtype=torch.float64)


def test_the_average_is_that_of_the_photos_that_are_there(photos):
    there = torch.tensor([[True] * 4, [True, True, False, False], [True, False, False, False]])
    pooled = POOLINGS["avg"](DIM)(photos, there)
    assert torch.allclose(pooled[1], (photos[1, 0] + photos[1, 1]) / 2)
    assert torch.equal(pooled[2], photos[2, 0])


@pytest.mark.parametrize(("name", "size"), [("avg", 0), ("att-image", DIM), ("att-dim", DIM * DIM)])
def test_parameters_order_and_absent_photos(name, size, photos):
    pool = POOLINGS[name](DIM).double()
    assert sum(p.numel() for p in pool.parameters()) == size
    every = torch.ones(3, 4, dtype=torch.bool)
    whole = pool(photos, every)
    assert torch.allclose(whole, pool(photos[:, [2, 0, 3, 1]], every))
    some = every.clone()
    some[:, 3] = False
    assert torch.allclose(pool(photos, some), pool(photos[:, :3], every[:, :3]))
    assert not torch.allclose(pool(photos, some), whole)


def test_attention_weighs_photos_by_their_scores(photos):
    per_image, per_dim = POOLINGS["att-image"](DIM).double(), POOLINGS["att-dim"](DIM).double()
    every = torch.ones(3, 4, dtype=torch.bool)
    with torch.no_grad():
        per_image.score.weight.zero_()[0, 0] = 1000  # the photo that is largest in the first dimension
        per_dim.score.weight.copy_(1000 * torch.eye(DIM))  # in each dimension the largest photo
    first = photos[range(3), photos[:, :, 0].argmax(1)]
    assert torch.allclose(per_image(photos, every), first)
    assert torch.allclose(per_dim(photos, every), photos.amax(1))
