"""The exact path equals torchvision on PIL images, for squash and for crop."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from senbench.models.preprocess import fit
from senbench.spec import Preprocess

SIZES = [(64, 64), (120, 120), (100, 64), (37, 301), (224, 224), (225, 224), (500, 333)]


@pytest.mark.parametrize("mode", ["squash", "shortest-crop"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equal_to_torchvision(size, mode, interpolation):
    from torchvision import transforms as T

    filt = T.InterpolationMode(interpolation)
    chain = (
        T.Resize((224, 224), interpolation=filt)
        if mode == "squash"
        else T.Compose([T.Resize(224, interpolation=filt), T.CenterCrop(224)])
    )
    tile = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    how = Preprocess(resolution=224, resize_mode=mode, interpolation=interpolation, mean=(0,) * 3, std=(1,) * 3)
    got = fit(tile, how)
    assert got.flags.c_contiguous
    np.testing.assert_array_equal(got, np.asarray(chain(Image.fromarray(tile))))
