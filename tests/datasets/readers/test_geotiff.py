"""GeoTIFFs read without GDAL have the values and the position that rasterio finds."""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import pytest
import rasterio
from bigearthnet_files import tiff
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import Resampling
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from rasterio.windows import Window

from senbench.datasets.readers import geotiff
from senbench.datasets.readers.geotiff import HEAD, centre
from senbench.datasets.readers.sources import TileFile
from senbench.datasets.tiles import TileError

warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)


def torchgeo_reads(data: bytes) -> np.ndarray:
    """What TorchGeo asks of rasterio for every band."""
    with MemoryFile(data) as memory, memory.open() as file:
        return file.read(indexes=1, out_shape=(120, 120), out_dtype="int32", resampling=Resampling.bilinear)


def dn(side: int, seed: int, low: int = 0, high: int = 32768) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (side, side)).astype(np.uint16)


@pytest.mark.parametrize("side", [120, 60, 20])
@pytest.mark.parametrize("high", [32768, 3000, 4])
def test_equals_rasterio_bit_for_bit(side, high, monkeypatch):
    monkeypatch.setattr(geotiff, "_by_rasterio", None)  # the plain path alone
    for seed in range(5):
        data = tiff(dn(side, seed, high=high))
        found = geotiff.band(TileFile(data), side, "x")
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
        assert np.array_equal(geotiff.band(TileFile(data), side, "x"), torchgeo_reads(data))
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
    assert np.array_equal(geotiff.band(TileFile(data), side, "x"), torchgeo_reads(data))


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
        (tiff(dn(120, 1).astype(np.int8)), "1 band.* of int8, expected one of uint16"),
        (tiff(dn(120, 1).astype(np.uint8)), "uint8"),
        (tiff(dn(120, 1), count=3), "3 band.* of uint16, expected one"),
    ],
)
def test_damage_is_named_in_one_line(data, message):
    with pytest.raises(TileError, match=rf"(?s)^patch p, file\.tif: .*{message}.*--on-error skip$") as caught:
        geotiff.band(TileFile(data), 120, "patch p, file.tif")
    assert "\n" not in str(caught.value)


@pytest.mark.shared
def test_real_patches_take_the_plain_path(shared, monkeypatch):
    files = sorted((shared / "bigearthnet-v1").glob("BigEarthNet-v1.0/*/*.tif"))
    assert len(files) == 72
    monkeypatch.setattr(geotiff, "_by_rasterio", None)
    for path in files:
        data = path.read_bytes()
        side = {29192: 120, 7560: 60, 1160: 20}[len(data)]
        assert np.array_equal(geotiff.band(TileFile(data), side, path.name), torchgeo_reads(data))


# the position of a file from its first bytes equals what rasterio makes of the whole file


def made(transform=None, crs=None, *, shape=(64, 64), **options):
    with MemoryFile() as memory:
        profile = {"driver": "GTiff", "count": 13, "height": shape[0], "width": shape[1], "dtype": "uint16"}
        with memory.open(**profile, transform=transform, crs=crs, **options) as file:
            file.write(np.zeros((13, *shape), np.uint16))
        return memory.read()


def told(data):
    """Projection and centre, as EuroSAT's clusters were made from the whole file."""
    with MemoryFile(data) as memory, memory.open() as file:
        return file.crs, sum(file.bounds[::2]) / 2, sum(file.bounds[1::2]) / 2


@settings(max_examples=40, deadline=None)
@given(
    west=st.floats(1e5, 9e5),
    north=st.floats(0, 1e7),
    wide=st.floats(0.5, 60),
    high=st.floats(0.5, 60),
    shape=st.tuples(st.integers(1, 70), st.integers(1, 70)),
    epsg=st.sampled_from([32633, 32734, 3035, 4326, 2180]),
)
def test_equals_rasterio_to_the_last_bit(west, north, wide, high, shape, epsg):
    if epsg == 4326:
        west, north, wide, high = west / 1e4, north / 2e5, wide / 1e4, high / 1e4
    data = made(from_origin(west, north, wide, high), f"EPSG:{epsg}", shape=shape)
    _, x, y = told(data)
    found = centre(data[:HEAD])
    assert found is not None
    assert found[1:] == (x, y)


def test_files_of_one_projection_and_no_others_tell_the_same_of_it():
    there = from_origin(5e5, 5e6, 10, 10)
    keys = [centre(made(there, crs))[0] for crs in ("EPSG:32633", "EPSG:32633", "EPSG:32634", "EPSG:3035")]
    own = "+proj=laea +lat_0={} +lon_0=10 +x_0=0 +y_0=0 +ellps=GRS80 +units=m"
    keys += [centre(made(there, own.format(latitude)))[0] for latitude in (40, 50)]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 5


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"II*\0",
        made(),
        made(crs="EPSG:32633"),
        made(from_origin(5e5, 5e6, 10, 10)),
        made(rasterio.Affine(10, 3, 5e5, 3, -10, 5e6), "EPSG:32633"),
        made(from_origin(5e5, 5e6, 10, 10), "EPSG:32633", endianness="BIG"),
        made(from_origin(5e5, 5e6, 10, 10), "EPSG:32633", BIGTIFF="YES"),
        made(from_origin(5e5, 5e6, 10, 10), "EPSG:32633")[:300],
    ],
    ids=["empty", "a signature", "nothing", "no transform", "no projection", "rotated", "big endian", "big", "cut off"],
)
def test_what_is_not_plain_is_left_to_rasterio(data):
    assert centre(data[:HEAD]) is None


def test_positions_of_pixel_centres_are_left_to_rasterio():
    data = made(from_origin(5e5, 5e6, 10, 10), "EPSG:32633")
    point = data.replace(geotiff._PIXEL_IS_AREA, geotiff._PIXEL_IS_AREA[:6] + b"\2\0")
    assert point != data
    assert told(point)[1:] != told(data)[1:]
    assert centre(point) is None


def test_a_window_of_a_larger_scene(tmp_path):
    with (
        MemoryFile(made(from_origin(5e5, 5e6, 10, 10), "EPSG:32633", shape=(300, 300))) as memory,
        memory.open() as scene,
    ):
        window = Window(100, 40, 64, 64)
        data = made(scene.window_transform(window), scene.crs)
    assert centre(data)[1:] == told(data)[1:] == (5e5 + 1320, 5e6 - 720)


@pytest.mark.parametrize("tie", [(3, 0), (0, 5), (7, 11)])
def test_a_tie_point_inside_the_image(tie):
    west, north, wide, high = 5e5, 5e6, 10.0, 20.0
    corner = made(from_origin(west, north, wide, high), "EPSG:32633")
    column, row = tie
    inside = (column, row, 0, west + column * wide, north - row * high, 0)
    data = corner.replace(struct.pack("<6d", 0, 0, 0, west, north, 0), struct.pack("<6d", *inside))
    assert data != corner
    assert centre(data)[1:] == told(data)[1:] == told(corner)[1:]


def test_what_rasterio_cannot_open_is_one_line():
    for data, says in ((b"", "x: the file is empty"), (b"nonsense", "x: cannot be decoded")):
        with pytest.raises(TileError, match=says) as error, geotiff.opened(TileFile(data), "x"):
            pytest.fail("it was opened")
        assert "\n" not in str(error.value)
    with pytest.raises(TileError, match="x: cannot be decoded: ValueError"), geotiff.opened(TileFile(made()), "x"):
        raise ValueError  # what is met while reading counts as well


def test_a_band_that_says_it_is_another(tmp_path):
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", count=1, height=120, width=120, dtype="uint16") as file:
            file.write(dn(120, 1), 1)
            file.descriptions = ("B8A (865 nm)",)
        data = memory.read()
    assert geotiff.band(TileFile(data), 120, "x", "B8A").shape == (120, 120)
    with pytest.raises(TileError, match=r"x: says that it is band B8A \(B8A \(865 nm\)\), not B08"):
        geotiff.band(TileFile(data), 120, "x", "B08")


@pytest.mark.parametrize("order", ["<", ">"])
def test_how_the_rows_of_a_tiff_lie(order):
    from PIL import Image

    for how in range(1, 9):
        out = io.BytesIO()
        Image.new("RGB", (6, 4)).save(out, "TIFF", tiffinfo={274: how}, big_tiff=False)
        assert geotiff.orientation(out.getvalue()) == how
    assert geotiff.orientation(tiff(dn(120, 1))) == 1
    assert geotiff.orientation(b"II*\0" + struct.pack(f"{order}HHI", 274, 3, 1) * 9) == 1  # it stands among the pixels
    with pytest.raises(TileError, match=r"x: is stored rotated or mirrored \(orientation 8\)"):
        geotiff.upright(out.getvalue(), "x")
