"""Scenes are opened by what their files and metadata tell; what does not fit is refused in one line."""

from __future__ import annotations

import mapped_scenes
import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.transform import from_origin

from senbench.datasets.readers.product_metadata import OFFSET
from senbench.errors import UnavailableError, UsageError
from senbench.evaluation.mapping.block_reader import SceneReader
from senbench.evaluation.mapping.scene import open_scene

VALUES = (1100 + np.arange(4 * 120 * 180).reshape(4, 120, 180) % 900).astype(np.uint16)


def test_one_raster_tells_bands_level_offset_and_grid(tmp_path):
    path = mapped_scenes.write(
        tmp_path / "s.tif", VALUES, tags={"PROCESSING_BASELINE": "05.10", "PRODUCT_TYPE": "S2MSI2A"}
    )
    scene = open_scene(str(path))
    assert tuple(scene.bands) == mapped_scenes.RGBN
    assert (scene.info.level, scene.offset, scene.size, scene.pixel) == ("L2A", OFFSET, (120, 180), 10.0)
    assert scene.transform == from_origin(mapped_scenes.WEST, mapped_scenes.NORTH, 10, 10)
    pixels = SceneReader(scene, ("B04", "B02")).read(10, 30, 5, 50)
    np.testing.assert_array_equal(pixels.values[..., 0], VALUES[2, 10:30, 5:50] - 1000)
    np.testing.assert_array_equal(pixels.values[..., 1], VALUES[0, 10:30, 5:50] - 1000)


@pytest.mark.parametrize("driver", ["JP2OpenJPEG", "GTiff"])
@pytest.mark.parametrize("level", ["1C", "2A"])
def test_a_safe_product_tells_its_own_offset_and_quantification(tmp_path, driver, level):
    root = mapped_scenes.safe(tmp_path, VALUES, level=level, driver=driver, offset=-1000, quantification=10000)
    scene = open_scene(str(root))
    assert scene.info.level == f"L{level}"
    assert scene.offset == 1000
    assert {band: place.factor for band, place in scene.bands.items()} == {
        "B02": 1, "B03": 1, "B04": 1, "B08": 1, "B11": 2, "B09": 6,
    }  # fmt: skip
    assert (scene.clouds is not None) == (level == "2A")
    pixels = SceneReader(scene, ("B04",)).read(0, 120, 0, 180)
    np.testing.assert_array_equal(pixels.values[..., 0], np.where(VALUES[2] >= 1000, VALUES[2] - 1000, 0))


def test_an_older_product_has_no_offset_and_other_quantification_scales(tmp_path):
    root = mapped_scenes.safe(tmp_path, VALUES, offset=None, quantification=1000, baseline="02.04")
    scene = open_scene(str(root))
    assert (scene.offset, scene.told.gain) == (0, 10.0)
    assert SceneReader(scene, ("B04",)).read(0, 1, 0, 1).values[0, 0, 0] == 10 * VALUES[2, 0, 0]


def test_coarser_bands_are_enlarged_as_over_the_whole_scene(tmp_path):
    from senbench.datasets.readers.geotiff import enlarge

    scene = open_scene(str(mapped_scenes.safe(tmp_path, VALUES)))
    whole = SceneReader(scene, ("B11", "B09")).read(0, 120, 0, 180).values
    with rasterio.open(scene.bands["B11"].path) as file:
        own = file.read(1)
    np.testing.assert_array_equal(whole[..., 0], enlarge(np.maximum(own, 1000) - 1000, 2))
    part = SceneReader(scene, ("B11", "B09")).read(37, 83, 21, 142).values
    np.testing.assert_array_equal(part, whole[37:83, 21:142])


def test_clouds_are_those_of_the_scene_classification(tmp_path):
    scl = np.full((60, 90), 4, np.uint8)
    scl[10:20, 30:40] = 9
    scene = open_scene(str(mapped_scenes.safe(tmp_path, VALUES, scl=scl)))
    cloudy = SceneReader(scene, ("B04",)).read(15, 51, 55, 91).cloudy
    expected = np.zeros((120, 180), bool)
    expected[20:40, 60:80] = True
    np.testing.assert_array_equal(cloudy, expected[15:51, 55:91])


def test_a_folder_of_band_files_takes_the_finest_of_each(tmp_path):
    for name, step in (("x_B04_10m", 1), ("x_B04_20m", 2), ("x_B02_10m", 1), ("x_B03_10m", 1)):
        pixel = 10.0 * step
        mapped_scenes.write(tmp_path / f"{name}.tif", VALUES[:1, ::step, ::step], None, pixel=pixel)
    scene = open_scene(str(tmp_path))
    assert {band: place.factor for band, place in scene.bands.items()} == {"B02": 1, "B03": 1, "B04": 1}


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"crs": None}, "has no projection"),
        ({"crs": "EPSG:4326", "transform": from_origin(10, 50, 1e-4, 1e-4)}, "not in metres"),
        ({"transform": Affine.rotation(10) @ Affine.scale(10, -10)}, "grid is turned"),
        ({"transform": from_origin(6e5, 53e5, 10, 20)}, "pixels are 10 x 20 m"),
        ({"tags": {"PRODUCT_TYPE": "S2MSI2A"}}, "--dn-offset 1000 if they do"),
    ],
)
def test_grids_and_values_that_cannot_be_mapped_are_refused(tmp_path, how, message):
    path = mapped_scenes.write(tmp_path / "s.tif", VALUES, **how)
    with pytest.raises(UsageError, match=message) as caught:
        open_scene(str(path))
    assert "\n" not in str(caught.value)


def test_float_reflectance_needs_its_scale(tmp_path):
    path = mapped_scenes.write(tmp_path / "s.tif", (VALUES / 10_000).astype(np.float32))
    with pytest.raises(UsageError, match="does not state their scale"):
        open_scene(str(path))
    tags = {"QUANTIFICATION_VALUE": "1", "PROCESSING_BASELINE": "03.00"}
    scene = open_scene(str(mapped_scenes.write(tmp_path / "t.tif", (VALUES / 10_000).astype(np.float32), tags=tags)))
    np.testing.assert_array_equal(SceneReader(scene, ("B02",)).read(0, 120, 0, 180).values[..., 0], VALUES[0])


def test_names_damage_and_bands_apart_are_refused(tmp_path):
    with pytest.raises(UsageError, match="no such scene"):
        open_scene(str(tmp_path / "none.tif"))
    with pytest.raises(UsageError, match="no file whose name tells a band"):
        open_scene(str(tmp_path))
    (tmp_path / "bad.tif").write_bytes(b"II*\0junk")
    with pytest.raises(UnavailableError, match=r"bad\.tif cannot be read"):
        open_scene(str(tmp_path / "bad.tif"))
    (tmp_path / "bad.tif").unlink()
    mapped_scenes.write(tmp_path / "B04.tif", VALUES[:1], None)
    mapped_scenes.write(tmp_path / "B03.tif", VALUES[:1], None, transform=from_origin(6e5, 53e5, 10, 10))
    with pytest.raises(UsageError, match=r"B0[34] lies on another grid"):
        open_scene(str(tmp_path))


def test_metadata_with_entities_are_not_read(tmp_path):
    root = mapped_scenes.safe(tmp_path, VALUES)
    file = next(root.glob("MTD*.xml"))
    file.write_text('<!DOCTYPE x [<!ENTITY a "b">]>' + file.read_text())
    with pytest.raises(UsageError, match="declares entities"):
        open_scene(str(root))


def test_the_stamp_changes_with_a_file(tmp_path):
    import os

    path = mapped_scenes.write(tmp_path / "s.tif", VALUES)
    before = open_scene(str(path)).stamp
    os.utime(path, (1, 1))
    assert open_scene(str(path)).stamp != before
