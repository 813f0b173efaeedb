"""The exact path equals torchvision, on PIL images and on float tensors of many bands, for squash and for crop."""

from __future__ import annotations

import io

import eurosat_files
import numpy as np
import pytest
from PIL import Image

from senbench.models.preprocess.host import fit, fit_dn
from senbench.schema.model_card import Preprocess

ODD = [(64, 65), (66, 64), (44, 45), (45, 44), (224, 227), (229, 224)]
"""Sizes of which an odd number of pixels is cut away, 3 or 1 modulo 4: halves are rounded to even."""
SIZES = [(64, 64), (120, 120), (100, 64), (37, 301), (224, 224), (225, 224), (500, 333), *ODD]


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


@pytest.mark.parametrize("mode", ["squash", "shortest-crop"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_digital_numbers_equal_torchvision(size, mode, interpolation):
    """The chain of the MS-CLIP release: float32 HWC -> ToTensor (which does not scale floats) -> Resize -> crop."""
    from torchvision import transforms as T

    filt = T.InterpolationMode(interpolation)
    resize = (
        [T.Resize((224, 224), interpolation=filt)]
        if mode == "squash"
        else [T.Resize([224], interpolation=filt), T.CenterCrop([224])]
    )
    mean, std = (1000.0, 2000.0, 0.0, 5.0), (1200.0, 1400.0, 1.0, 900.0)
    tile = np.random.default_rng(1).integers(0, 12000, (*size, 4), dtype=np.uint16)
    how = Preprocess(resolution=224, resize_mode=mode, interpolation=interpolation, mean=mean, std=std)
    got = fit_dn(tile, how)
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    want = T.Compose([T.ToTensor(), *resize, T.Normalize(mean, std)])(tile.astype(np.float32))
    np.testing.assert_allclose((got - np.float32(mean)) / np.float32(std), want.permute(1, 2, 0), atol=1e-5)


@pytest.mark.parametrize("mode", ["squash", "shortest-crop"])
def test_real_tiles_equal_torchvision(mode):
    """The SenCLIP release squashes EuroSAT's JPEGs, CLIP crops them; the same tiles cut to a rectangle, too."""
    from torchvision import transforms as T

    bicubic = T.InterpolationMode.BICUBIC
    squash = T.Resize((224, 224), interpolation=bicubic)
    chain = squash if mode == "squash" else T.Compose([T.Resize(224, interpolation=bicubic), T.CenterCrop(224)])
    how = Preprocess(resolution=224, resize_mode=mode, interpolation="bicubic", mean=(0,) * 3, std=(1,) * 3)
    for name, data in eurosat_files.real().items():
        picture = Image.open(io.BytesIO(data))
        for part in (picture, picture.crop((3, 0, 64, 64))):
            np.testing.assert_array_equal(fit(np.asarray(part), how), np.asarray(chain(part)), err_msg=name)


def test_digital_numbers_are_neither_clipped_nor_rounded():
    tile = np.zeros((8, 8, 2), np.uint16)
    tile[:, 4:, 0] = 65535
    how = Preprocess(resolution=32, resize_mode="squash", interpolation="bicubic", mean=(0.0, 0.0), std=(1.0, 1.0))
    got = fit_dn(tile, how)
    assert got[..., 0].min() < -1000
    assert got[..., 0].max() > 66000
    assert (got[..., 0] % 1).any()
    assert not got[..., 1].any()
    small = fit_dn(np.full((32, 32, 2), 40000, np.uint16), how)
    assert (small == 40000).all()
