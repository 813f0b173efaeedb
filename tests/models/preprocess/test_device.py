"""Pixels and embeddings of the device path against PIL's; what a resize in one pass would do instead."""

from __future__ import annotations

import io

import eurosat_files
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from senbench.datasets.radiometry import render
from senbench.datasets.synthetic.scenes import scene
from senbench.models import registry
from senbench.models.adapter import Adapter
from senbench.models.load import load
from senbench.models.preprocess.device import fit_batch, fit_dn_batch, frame
from senbench.models.preprocess.host import fit, fit_dn
from senbench.schema.model_card import Preprocess
from senbench.schema.run_spec import RunSpec

CLASSES = ("AnnualCrop", "Highway", "Residential", "River")


def preprocess(size: int = 224, mode: str = "squash", interpolation: str = "bicubic", bands: int = 3) -> Preprocess:
    return Preprocess(
        resolution=size, resize_mode=mode, interpolation=interpolation, mean=(0.5,) * bands, std=(0.25,) * bands
    )


@pytest.fixture(scope="module")
def tiles() -> np.ndarray:
    """Eight generated scenes, uint8 (8, 64, 64, 3)."""
    bands = [3, 2, 1]  # B04, B03, B02
    return np.stack([render(scene(c, k)[bands].transpose(1, 2, 0), "dn2000") for c in CLASSES for k in range(2)])


def differences(got: np.ndarray, want: np.ndarray) -> tuple[float, int]:
    """Share of values that differ, and the largest difference."""
    off = np.abs(got.astype(int) - want)
    return float((off > 0).mean()), int(off.max())


def agrees(got: np.ndarray, want: np.ndarray) -> bool:
    """The demand on every device: at most 1.5 % of values, at most 2 levels."""
    share, most = differences(got, want)
    return share <= 0.015 and most <= 2


def exact(tiles: np.ndarray, how: Preprocess) -> np.ndarray:
    return np.stack([fit(tile, how) for tile in tiles])


def one_pass(tiles: np.ndarray, how: Preprocess) -> np.ndarray:
    planes = torch.from_numpy(tiles).permute(0, 3, 1, 2).float()
    size = (how.resolution, how.resolution)
    planes = torch.nn.functional.interpolate(planes, size, mode=how.interpolation, antialias=True)
    return planes.round().clamp(0, 255).permute(0, 2, 3, 1).to(torch.uint8).numpy()


def test_pixels_are_those_of_pil(tiles):
    how = preprocess()
    want = exact(tiles, how)
    got = fit_batch(torch.from_numpy(tiles), how).numpy()
    assert agrees(got, want)
    assert differences(got, want) == (0, 0)  # more than is asked for: the sums are the same integers


def test_one_pass_is_told_from_two(tiles):
    how = preprocess()
    share, most = differences(one_pass(tiles, how), exact(tiles, how))
    assert share > 0.015
    assert most > 2


def test_height_first_is_told_from_width_first(tiles):
    how = preprocess()
    turned = fit_batch(torch.from_numpy(tiles.transpose(0, 2, 1, 3).copy()), how).numpy().transpose(0, 2, 1, 3)
    assert not agrees(turned, exact(tiles, how))


@pytest.mark.parametrize("mode", ["squash", "shortest-crop"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(64, 64), (120, 120), (45, 224), (97, 31), (224, 224), (1, 5)], ids=str)
def test_every_size_up_to_the_input(size, mode, interpolation):
    how = preprocess(mode=mode, interpolation=interpolation)
    noise = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    np.testing.assert_array_equal(fit_batch(torch.from_numpy(noise), how).numpy(), exact(noise, how))


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [(64, 65), (66, 64), (44, 45), (45, 44)], ids=str)
def test_an_odd_number_of_pixels_is_cut_as_torchvision_does(size, interpolation):
    """3 or 1 modulo 4 of them: half of it is rounded to even, not up or down."""
    from torchvision import transforms as T

    filt = T.InterpolationMode(interpolation)
    chain = T.Compose([T.Resize(224, interpolation=filt), T.CenterCrop(224)])
    how = preprocess(mode="shortest-crop", interpolation=interpolation)
    noise = np.random.default_rng(0).integers(0, 256, (2, *size, 3), dtype=np.uint8)
    want = np.stack([np.asarray(chain(Image.fromarray(tile))) for tile in noise])
    np.testing.assert_array_equal(fit_batch(torch.from_numpy(noise), how).numpy(), want)
    planes = torch.from_numpy(noise).permute(0, 3, 1, 2).float()
    got = fit_dn_batch(torch.from_numpy(noise).float(), how)
    np.testing.assert_allclose(got, chain(planes).permute(0, 2, 3, 1), atol=1e-3)


@given(st.integers(1, 200), st.integers(1, 200), st.sampled_from([7, 32, 224]))
def test_the_frame_is_torchvisions(height, width, size):
    from torchvision import transforms as T

    (tall, wide), corner = frame(height, width, preprocess(size, "shortest-crop"))
    assert T.Resize(size)(torch.zeros(1, height, width)).shape == (1, tall, wide)
    places = torch.cartesian_prod(torch.arange(tall), torch.arange(wide)).T.reshape(2, tall, wide)
    assert tuple(T.CenterCrop(size)(places)[:, 0, 0].tolist()) == corner


def test_real_tiles_are_those_of_pil():
    real = np.stack([np.asarray(Image.open(io.BytesIO(data))) for data in eurosat_files.real().values()])
    for mode in ("squash", "shortest-crop"):
        for part in (real, real[:, :, 3:]):
            how = preprocess(mode=mode)
            np.testing.assert_array_equal(fit_batch(torch.from_numpy(part), how).numpy(), exact(part, how))


def test_slices_of_a_batch_stay_in_order(monkeypatch, tiles):
    monkeypatch.setattr("senbench.models.preprocess.device.SLICE", 3)
    how = preprocess(96)
    np.testing.assert_array_equal(fit_batch(torch.from_numpy(tiles), how).numpy(), exact(tiles, how))


def test_a_larger_tile_is_refused():
    with pytest.raises(ValueError, match="larger than the input of 64"):
        fit_batch(torch.zeros((1, 40, 65, 3), dtype=torch.uint8), preprocess(64))


def test_digital_numbers_in_batches():
    dn = np.random.default_rng(1).integers(0, 12000, (3, 40, 50, 4), dtype=np.uint16)
    for mode in ("squash", "shortest-crop"):
        how = preprocess(mode=mode, bands=4)
        got = fit_dn_batch(torch.from_numpy(dn).float(), how).numpy()
        np.testing.assert_allclose(got, np.stack([fit_dn(tile, how) for tile in dn]), rtol=1e-5, atol=1e-2)


@pytest.fixture(scope="module")
def adapter(vit_file):
    return load("senclip", file=str(vit_file), device="cpu", accept_new_weights=True)


@pytest.fixture
def on_device(adapter, monkeypatch):
    """The device path, with the CPU as the device."""
    monkeypatch.setattr(adapter, "pixel_path", "device")
    return adapter


def test_embeddings_are_those_of_the_exact_path(adapter, tiles, monkeypatch):
    want = adapter.encode_images(tiles)
    monkeypatch.setattr(adapter, "pixel_path", "device")
    assert adapter.prepare(tiles[0]).shape == (64, 64, 3)
    got = adapter.encode_images(tiles)
    assert (got * want).sum(axis=1).min() >= 0.99999


def test_the_path_is_chosen_by_device_and_recorded(adapter, monkeypatch):
    assert adapter.path == adapter.image_identity()["path"] == "exact"
    monkeypatch.setattr(adapter, "device", torch.device("cuda"))
    assert adapter.path == adapter.image_identity()["path"] == "device"
    monkeypatch.setattr(adapter, "pixel_path", "exact")
    assert adapter.path == adapter.image_identity()["path"] == "exact"


def test_tiles_of_all_sizes_and_larger_ones(on_device, tiles):
    """Each size is a batch of its own; what is larger than the input is made smaller by PIL, before it is moved."""
    large = np.random.default_rng(0).integers(0, 256, (300, 260, 3), dtype=np.uint8)
    assert on_device.prepare(large).shape == (224, 224, 3)
    mixed = [tiles[0], large, tiles[1][:40], tiles[2], large[:100, :90]]
    got = on_device.encode_images(mixed)
    each = np.concatenate([on_device.encode_images([tile]) for tile in mixed])
    np.testing.assert_allclose(got, each, atol=1e-5)


class Pixels(Adapter):
    """Of digital numbers; gives some of the normalised pixels as features."""

    def __init__(self, path: str | None):
        self.card, self.dtype = registry.find("ms-clip"), "float32"
        self.preprocess, self.device = self.card.preprocess, torch.device("cpu")
        self.pixel_path, self.model = path, torch.nn.Identity()

    def _tokenize(self, texts):
        raise NotImplementedError

    _encode_token_batch = _build = _tokenize

    def _encode_image_batch(self, pixels):
        return pixels.flatten(1)[:, :: pixels[0].numel() // self.card.embed_dim][:, : self.card.embed_dim]


def test_digital_numbers_are_resized_on_the_device_too():
    bands = len(Pixels("exact").card.bands)
    dn = np.random.default_rng(2).integers(0, 40000, (5, 60, 50, bands), dtype=np.uint16)  # above int16's range, too
    assert Pixels("device").prepare(dn[0]).dtype == np.uint16
    assert Pixels("exact").prepare(dn[0]).dtype == np.float32
    np.testing.assert_allclose(Pixels("device").encode_images(dn), Pixels("exact").encode_images(dn), atol=1e-5)


@pytest.mark.parametrize(
    ("options", "path"),
    [({}, "device"), ({"exact": True}, "exact"), ({"protocol": "senclip-release"}, "exact")],
)
def test_a_run_resizes_with_pil_where_it_is_told_or_the_protocol_normalises(options, path):
    from senbench import protocols
    from senbench.evaluation.grid import _Job
    from senbench.runtime.distributed import ALONE
    from senbench.runtime.progress import Silent

    spec = RunSpec(models=("x",), prompts=("clip",), **options)
    given = Pixels(None)
    given.device = torch.device("cuda")
    encoder = _Job(spec, protocols.find(spec.protocol), Silent(), ALONE, None).encoder(given, [])
    assert encoder.path == path
    assert given.pixel_path is None


def test_the_flag_reaches_the_run(monkeypatch):
    from senbench.cli import run as command

    seen = []
    monkeypatch.setattr(command, "execute", lambda spec, as_json: seen.append(spec))
    for exact in (False, True):
        command.run(model="senclip", prompts="clip", exact=exact)
    assert [spec.exact for spec in seen] == [False, True]
