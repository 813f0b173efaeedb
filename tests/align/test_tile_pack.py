from __future__ import annotations

import lucas_files
import numpy as np
import pytest
from PIL import Image

from senbench.align import pairs, row_store, tile_pack
from senbench.align.tile_pack import Rendering
from senbench.datasets import radiometry
from senbench.datasets.tiles import TileError
from senbench.errors import UsageError
from senbench.runtime.progress import Silent

BGR = ("B02", "B03", "B04")


def test_centres_of_pictures_are_cut(tmp_path):
    listed = pairs.read(lucas_files.manifest(tmp_path, 3))
    store = tile_pack.pack(listed, tmp_path / "packed", Rendering(32), Silent())
    assert store.shape == (3, 32, 32, 3)
    ids, rows, _ = row_store.opened(tmp_path / "packed", "pack")
    assert ids.to_pylist() == listed.points
    whole = np.asarray(Image.open(listed.place(listed.tiles[1])))
    assert np.array_equal(rows[np.array([1])][0], whole[4:36, 4:36])


def test_digital_numbers_are_stretched_over_the_whole_tile_before_the_cut_and_bands_are_taken_by_name(tmp_path):
    listed = pairs.read(lucas_files.manifest(tmp_path, 2, digital=True))
    found = tile_pack.centre_of(listed, 0, Rendering(8, BGR))
    import rasterio

    with rasterio.open(listed.place(listed.tiles[0])) as file:
        rgb = file.read([3, 2, 1])
    assert np.array_equal(found, radiometry.render(rgb, "minmax-per-image")[16:24, 16:24])
    low, high = rgb.min(), rgb.max()  # as described: one stretch over three bands
    assert np.array_equal(found, np.floor((rgb.transpose(1, 2, 0) - low) * 255.0 / (high - low) + 0.5)[16:24, 16:24])


def test_names_in_the_file_tell_the_bands(tmp_path):
    listed = pairs.read(lucas_files.manifest(tmp_path, 2, digital=True))
    with pytest.raises(TileError, match="name them in file order with --bands"):
        tile_pack.centre_of(listed, 0, Rendering(8))
    by_hand = tile_pack.centre_of(listed, 0, Rendering(8, BGR))
    import rasterio

    with rasterio.open(listed.place(listed.tiles[0])) as file:
        values = file.read().transpose(1, 2, 0)
    lucas_files.geotiff(listed.place(listed.tiles[0]), values, lucas_files.place(0), BGR)
    assert np.array_equal(tile_pack.centre_of(listed, 0, Rendering(8)), by_hand)


def nan_tile(path):
    values = np.ones((40, 40, 3), np.float32)
    values[0, 0, 0] = np.nan
    lucas_files.geotiff(path, values, lucas_files.place(0), BGR)


def elsewhere(path):
    lucas_files.geotiff(path, np.ones((40, 40, 3), np.uint16), (50.0, 20.0), BGR)


def exchanged(path):
    latitude, longitude = lucas_files.place(0)
    lucas_files.geotiff(path, np.ones((40, 40, 3), np.uint16), (longitude, latitude), BGR)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_bytes(b"nothing"), "tile"),
        (nan_tile, "not finite"),
        (elsewhere, "another point's"),
        (exchanged, "exchanged"),
        (
            lambda path: lucas_files.geotiff(path, np.ones((8, 8, 3), np.uint16), lucas_files.place(0), BGR),
            "fewer than",
        ),
    ],
    ids=["missing", "damaged", "nan", "elsewhere", "exchanged", "small"],
)
def test_a_bad_tile_is_told_or_skipped_and_counted(change, said, tmp_path):
    listed = pairs.read(lucas_files.manifest(tmp_path, 3, digital=True))
    change(listed.place(listed.tiles[0]))
    how = Rendering(16, BGR)
    with pytest.raises(TileError, match=said) as told:
        tile_pack.pack(listed, tmp_path / "packed", how, Silent())
    assert listed.points[0] in str(told.value)
    store = tile_pack.pack(listed, tmp_path / "packed", how, Silent(), skip=True)
    assert store.index["left_out"] == [0]
    assert store.complete


def test_settings_that_cannot_be(tmp_path):
    listed = pairs.read(lucas_files.manifest(tmp_path, 2))
    with pytest.raises(UsageError, match="radiometry"):
        tile_pack.pack(listed, tmp_path / "packed", Rendering(policy="nonsense"), Silent())
    with pytest.raises(UsageError, match="--crop 0"):
        tile_pack.pack(listed, tmp_path / "packed", Rendering(0), Silent())


def test_a_second_call_reads_nothing(tmp_path, monkeypatch):
    listed = pairs.read(lucas_files.manifest(tmp_path, 3))
    tile_pack.pack(listed, tmp_path / "packed", Rendering(), Silent())
    monkeypatch.setattr(tile_pack, "centre_of", None)
    assert tile_pack.pack(listed, tmp_path / "packed", Rendering(), Silent()).complete


def test_kilometres():
    assert tile_pack.kilometres((48, 9), (48, 9)) == 0
    assert tile_pack.kilometres((48, 9), (49, 9)) == pytest.approx(111.19, abs=0.01)
    assert tile_pack.kilometres((0, 0), (0, 180)) == pytest.approx(20015, abs=1)
