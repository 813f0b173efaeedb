"""The protocols: what each forces, and SenCLIP's draw of BigEarthNet v1."""

from __future__ import annotations

import numpy as np
import pytest

from senbench import protocols
from senbench.datasets.registry import dataset_info


def test_the_releases_draw_of_bigearthnet():
    variant = protocols.find("senclip-release").on(dataset_info("bigearthnet-v1"))
    positions = variant.sample.positions(125_866)
    # first indices as torch's random_split gives them after torch.manual_seed(42)
    assert positions[:5].tolist() == [70062, 115368, 6990, 69900, 108994]
    assert len(positions) == len(set(positions.tolist())) == 26_976  # the last, incomplete batch of 32 is dropped
    assert variant.bands == ("B02", "B03", "B04")
    assert (variant.radiometry, variant.headline) == ("minmax-per-image", "r_precision_micro")
    assert variant.postprocess == "none"


def test_the_draw_does_not_touch_the_global_generator():
    import torch

    torch.manual_seed(1)
    first = torch.rand(1)
    torch.manual_seed(1)
    protocols.find("senclip-release").on(dataset_info("bigearthnet-v1")).sample.positions(100_000)
    assert torch.equal(first, torch.rand(1))


@pytest.mark.parametrize(("dataset", "headline"), [("eurosat", "top1"), ("bigearthnet-v2", "map_macro")])
def test_headline_follows_the_task(dataset, headline):
    assert protocols.find("standard").on(dataset_info(dataset)).headline == headline


def test_positions_of_a_small_split():
    sample = protocols.Sample(seed=0, n=10, batch=4)
    assert len(sample.positions(9)) == 8
    assert np.all(sample.positions(9) < 9)
