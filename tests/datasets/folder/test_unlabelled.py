"""Tiles without labels: whatever lies in a folder or a zip."""

from __future__ import annotations

import zipfile

import own_tiles
import pytest
from PIL import Image

from senbench.datasets.folder.unlabelled import Unlabelled
from senbench.errors import UnavailableError, UsageError


def picture(path, value=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), (value, 2 * value, 3)).save(path)


def test_images_are_found_however_deep_they_lie(tmp_path):
    for k, name in enumerate(("t2.png", "t10.png", "a/b/c.png", ".hidden/x.png", "__MACOSX/y.png")):
        picture(tmp_path / name, k + 1)
    (tmp_path / "a" / "notes.txt").touch()
    (tmp_path / "a" / "odd.dat").touch()
    tiles = Unlabelled(tmp_path).open(radiometry=None)
    assert tiles.ids == ("a/b/c.png", "t2.png", "t10.png")
    assert tiles.n_expected == 4
    assert tiles.facts_of_source["pixels"]["left_out"][0]["names"] == ["a/odd.dat"]
    assert tiles.read(1)[0, 0].tolist() == [1, 2, 3]
    assert len(tiles.index_hash()) == 64


def test_a_zip_of_digital_numbers_tells_bands_and_offset(tmp_path):
    own_tiles.write(tmp_path / "t.tif", own_tiles.dn(1), tags=own_tiles.NEW, epsg=32633)
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.write(tmp_path / "t.tif", "deep/t.tif")
    source = Unlabelled(tmp_path / "t.zip")
    assert source.info.unit == "dn"
    assert source.info.level == "L2A"
    tiles = source.open(radiometry=None)
    assert tiles.ids == ("deep/t.tif",)
    assert tiles.facts_of_source["dn_offset"] == 1000
    other = Unlabelled(tmp_path).open(radiometry=None)
    assert bytes(tiles.read(0)) == bytes(other.read(0))
    assert tiles.clusters() == other.clusters()


def test_names_of_bands_beside_a_zips_tiles_count(tmp_path):
    own_tiles.write(tmp_path / "t.tif", own_tiles.dn(1), names=None, tags=own_tiles.OLD)
    with zipfile.ZipFile(tmp_path / "t.zip", "w") as archive:
        archive.write(tmp_path / "t.tif", "t.tif")
        archive.writestr("bands.txt", ", ".join(own_tiles.FOUR))
    assert Unlabelled(tmp_path / "t.zip").info.bands == own_tiles.FOUR


def test_nothing_to_read_is_refused(tmp_path):
    with pytest.raises(UsageError, match="holds no image"):
        Unlabelled(tmp_path)
    (tmp_path / "x.zip").write_bytes(b"PK no")
    with pytest.raises(UnavailableError, match="no complete zip file"):
        Unlabelled(tmp_path / "x.zip")
