"""Tiles are opened by a name or a path, as the run saw its own."""

from __future__ import annotations

import shutil
import zipfile

import numpy as np
import own_tiles
import pytest
from PIL import Image

from senbench.datasets.radiometry import render
from senbench.errors import UsageError
from senbench.evaluation.mapping.tile_source import TileSource


def opened(settled, name, **how):
    return TileSource(str(name), **how).open(settled, lambda line: None, offline=True)


def test_a_path_and_the_dataset_give_the_same_pixels(settled, demo_tiles):
    named, path = opened(settled, "demo"), opened(settled, demo_tiles, dn_offset="0")
    assert len(named) == len(path) == 20
    assert sorted(map(bytes, map(named.read, range(20)))) == sorted(map(bytes, map(path.read, range(20))))
    assert path.tile_labels.shape == (20, 0)


def test_flat_nested_and_zipped_tiles_are_the_same(settled, demo_tiles, tmp_path):
    files = sorted(demo_tiles.rglob("*.tif"))
    flat, deep = tmp_path / "flat", tmp_path / "deep" / "a" / "b"
    flat.mkdir(), deep.mkdir(parents=True)
    with zipfile.ZipFile(tmp_path / "tiles.zip", "w") as archive:
        for file in files:
            shutil.copy(file, flat), shutil.copy(file, deep)
            archive.write(file, f"x/y/{file.name}")
    sources = [flat, tmp_path / "deep", tmp_path / "tiles.zip"]
    found = [opened(settled, source, dn_offset="0") for source in sources]
    assert [tiles.tile_ids[0].rpartition("/")[0] for tiles in found] == ["", "a/b", "x/y"]
    pixels = [[bytes(tiles.read(i)) for i in range(len(tiles))] for tiles in found]
    assert pixels[0] == pixels[1] == pixels[2]
    assert len(pixels[0]) == 20


def test_digital_numbers_are_rendered_as_in_the_run_and_their_offset_taken_off(settled, tmp_path):
    values = own_tiles.dn(3)
    own_tiles.write(tmp_path / "t.tif", values, tags=own_tiles.NEW)
    seen = opened(settled, tmp_path).read(0)
    np.testing.assert_array_equal(seen, render(values[[2, 1, 0]] - 1000, "eurosat-jpeg"))


def test_what_is_not_there_or_does_not_fit_is_refused_in_one_line(settled, tmp_path):
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "empty").mkdir()
    own_tiles.write(tmp_path / "infra" / "t.tif", own_tiles.dn(1)[:2], names=("B08", "B11"), tags=own_tiles.OLD)
    for name, how, message in (
        (tmp_path / "none", {}, "no such folder or file"),
        ("nonsense", {}, "dataset 'nonsense'"),
        (tmp_path / "empty", {}, "holds no image"),
        (tmp_path / "infra", {}, "lack"),
        (tmp_path, {"split": "test"}, "--split test is for a dataset by name"),
        (tmp_path, {"data_dir": "x"}, "--data-dir x is for a dataset by name"),
    ):
        with pytest.raises(UsageError, match=message) as caught:
            opened(settled, name, **how)
        assert "\n" not in str(caught.value)


def test_the_split_is_that_of_the_run_where_the_dataset_is_its_own(settled):
    assert opened(settled, "demo").split == settled.result.resolved.split
