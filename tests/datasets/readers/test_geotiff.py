from __future__ import annotations

import struct
import warnings

import numpy as np
import pytest
import rasterio
from bigearthnet_files import tiff
from rasterio.enums import Resampling
from rasterio.io import MemoryFile

from senbench.datasets.readers import geotiff
from senbench.datasets.tiles import TileError

warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)


def torchgeo_reads(data: bytes) -> np.ndarray:
    """What TorchGeo asks of rasterio for every band."""
    with MemoryFile(data) as memory, memory.open() as file:
        return file.read(indexes=1, out_shape=(120, 120), out_dtype="int32", resampling=Resampling.bilinear)


def dn(side: int, seed: int, low: int = 0, high: int = 65536) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (side, side)).astype(np.uint16)


@pytest.mark.parametrize("side", [120, 60, 20])
@pytest.mark.parametrize("high", [65536, 3000, 4])
def test_equals_rasterio_bit_for_bit(side, high, monkeypatch):
    monkeypatch.setattr(geotiff, "_by_rasterio", None)  # the plain path alone
    for seed in range(5):
        data = tiff(dn(side, seed, high=high))
        found = geotiff.band(data, side, "x")
        assert found.dtype == np.uint16
        assert np.array_equal(found, torchgeo_reads(data))


@pytest.mark.parametrize("factor", [2, 6])
def test_halves_are_rounded_up_as_gdal_does(factor):
    # few values give many exact halves: 1/16ths and 1/144ths
    side = 120 // factor
    values = dn(side, 9, high=6)
    assert np.array_equal(geotiff.enlarge(values, factor), torchgeo_reads(tiff(values)))
    flipped = geotiff.enlarge(values[::-1], factor)[::-1]
    assert np.array_equal(flipped, geotiff.enlarge(values, factor))


@pytest.mark.parametrize("side", [120, 60, 20])
def test_no_data_is_left_out_where_there_is_any(side):
    whole, holed = dn(side, 1, low=1), dn(side, 1, low=1)
    holed[3:5, 4] = 0
    for values in (whole, holed):
        data = tiff(values, nodata=0)
        assert np.array_equal(geotiff.band(data, side, "x"), torchgeo_reads(data))
    assert side == 120 or not np.array_equal(torchgeo_reads(tiff(holed)), torchgeo_reads(tiff(holed, nodata=0)))


@pytest.mark.parametrize(
    "profile",
    [
        {"compress": "deflate", "predictor": 2},
        {"compress": "lzw"},
        {"tiled": True, "blockxsize": 16, "blockysize": 16},
        {"BIGTIFF": "YES"},
        {"ENDIANNESS": "BIG"},
        {"photometric": "miniswhite"},
        {"driver": "COG"},
    ],
)
@pytest.mark.parametrize("side", [120, 60])
def test_other_files_are_read_by_rasterio(profile, side):
    data = tiff(dn(side, 2), **profile)
    assert geotiff._plain(data) is None
    assert np.array_equal(geotiff.band(data, side, "x"), torchgeo_reads(data))


def test_strips_out_of_order_are_not_taken_for_pixels():
    data = bytearray(tiff(dn(120, 3)))
    assert geotiff._plain(bytes(data)) is not None
    offsets = struct.unpack_from("<4I", data, 210)
    struct.pack_into("<4I", data, 210, *offsets[::-1])
    assert geotiff._plain(bytes(data)) is None


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"hello", "cannot be decoded"),
        (tiff(dn(120, 1))[:20000], "cannot be decoded"),
        (tiff(dn(120, 1))[:100], "cannot be decoded"),
        (tiff(dn(60, 1)), "60x60 pixels, expected 120x120"),
        (tiff(dn(120, 1).astype(np.int32)), "1 band.* of int32, expected one of uint16"),
        (tiff(dn(120, 1).astype(np.uint8)), "uint8"),
        (tiff(dn(120, 1), count=3), "3 band.* of uint16, expected one"),
    ],
)
def test_damage_is_named_in_one_line(data, message):
    with pytest.raises(TileError, match=rf"(?s)^patch p, file\.tif: .*{message}.*--on-error skip$") as caught:
        geotiff.band(data, 120, "patch p, file.tif")
    assert "\n" not in str(caught.value)


@pytest.mark.shared
def test_real_patches_take_the_plain_path(shared, monkeypatch):
    files = sorted((shared / "bigearthnet-v1").glob("BigEarthNet-v1.0/*/*.tif"))
    assert len(files) == 72
    monkeypatch.setattr(geotiff, "_by_rasterio", None)
    for path in files:
        data = path.read_bytes()
        side = {29192: 120, 7560: 60, 1160: 20}[len(data)]
        assert np.array_equal(geotiff.band(data, side, path.name), torchgeo_reads(data))
