"""The centre of a GeoTIFF from its first bytes equals what rasterio makes of the whole file."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import rasterio
from eurosat_files import dn_tile, packed, tiff, tiffs
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from rasterio.windows import Window

from senbench.datasets.catalog import EUROSAT
from senbench.datasets.open import open_dataset
from senbench.datasets.readers import geotiff
from senbench.datasets.readers.geotiff import HEAD, centre

warnings.filterwarnings("ignore", category=rasterio.errors.NotGeoreferencedWarning)


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


@pytest.mark.parametrize("how", ["folder", "stored", "deflated"])
def test_clusters_of_an_archive_ask_rasterio_once_a_projection(tmp_path, monkeypatch, how):
    files = {**tiffs(3), "River/River_9.tif": tiff(dn_tile(7), epsg=32634)}
    if how == "folder":
        for name, data in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(data)
    else:
        packed(tmp_path / "EuroSATallBands.zip", files, "x/", {"stored": 0, "deflated": 8}[how])
    tiles = open_dataset("eurosat", split="all", data_dir=str(tmp_path), offline=True)
    asked = []
    opened = MemoryFile.open
    monkeypatch.setattr(MemoryFile, "open", lambda self, **options: asked.append(1) or opened(self, **options))
    clusters = tiles.clusters()
    assert len(asked) == 1  # the first tiles were looked at when they were opened
    monkeypatch.setattr("senbench.datasets.readers.geotiff.centre", lambda _head: None)
    assert tiles.clusters() == clusters
    assert len(asked) == 32
    assert len(set(clusters)) > len(EUROSAT)


def test_a_window_of_a_larger_scene(tmp_path):
    with (
        MemoryFile(made(from_origin(5e5, 5e6, 10, 10), "EPSG:32633", shape=(300, 300))) as memory,
        memory.open() as scene,
    ):
        window = Window(100, 40, 64, 64)
        data = made(scene.window_transform(window), scene.crs)
    assert centre(data)[1:] == told(data)[1:] == (5e5 + 1320, 5e6 - 720)
