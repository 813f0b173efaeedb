"""Where a tile lies: as rasterio reads it, with and without GDAL."""

from __future__ import annotations

import own_tiles
import pytest
import rasterio
from affine import Affine
from PIL import Image
from rasterio.transform import from_origin

from senbench.datasets.readers import footprint
from senbench.datasets.readers.sources import Folder, MemberReader


class Files(MemberReader):
    def rgb(self, i):
        raise NotImplementedError


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch):
    monkeypatch.setattr(footprint, "_PROJECTIONS", {})


def places(root, *names):
    reader = Files(Folder(root), names)
    return [footprint.of_tile(reader, i) for i in range(len(names))]


def test_plain_files_and_others_are_where_rasterio_says(tmp_path):
    for name, how in (("a.tif", {}), ("b.tif", {"east": 7e5}), ("c.tif", {"epsg": 32612})):
        own_tiles.write(tmp_path / name, own_tiles.dn(1), **{"epsg": 32633, **how})
    with rasterio.open(tmp_path / "a.tif") as file:
        profile, values = file.profile, file.read()
    with rasterio.open(tmp_path / "d.tif", "w", **{**profile, "BIGTIFF": "YES"}) as file:
        file.write(values)
    found = places(tmp_path, "a.tif", "b.tif", "c.tif", "d.tif")
    for place, name in zip(found, ("a.tif", "b.tif", "c.tif", "d.tif"), strict=True):
        with rasterio.open(tmp_path / name) as file:
            assert place == (f"EPSG:{file.crs.to_epsg()}", *file.bounds)


def test_the_second_tile_of_a_projection_is_read_without_gdal(tmp_path, monkeypatch):
    for name in ("a.tif", "b.tif"):
        with rasterio.open(
            tmp_path / name, "w", "GTiff", 8, 8, 1, "EPSG:32633", from_origin(5e5, 5e6, 10, 10), "uint16"
        ) as file:
            file.write(own_tiles.dn(1, 1, (8, 8)))
    first, _ = places(tmp_path, "a.tif", "b.tif")
    assert first == ("EPSG:32633", 5e5, 5e6 - 80, 5e5 + 80, 5e6)
    monkeypatch.setattr(footprint.geotiff, "opened", lambda *_: pytest.fail("opens"))
    assert places(tmp_path, "b.tif") == [first]


def test_no_position_a_turned_one_a_picture_and_damage_give_none(tmp_path):
    own_tiles.write(tmp_path / "a.tif", own_tiles.dn(1))
    Image.new("RGB", (8, 8)).save(tmp_path / "b.png")
    (tmp_path / "c.tif").write_bytes(b"II*\0nothing")
    with rasterio.open(
        tmp_path / "d.tif", "w", "GTiff", 8, 8, 1, "EPSG:32633", Affine.rotation(20) * Affine.scale(10), "uint16"
    ) as file:
        file.write(own_tiles.dn(1, 1, (8, 8)))
    assert places(tmp_path, "a.tif", "b.png", "c.tif", "d.tif", "none.tif") == [None] * 5
