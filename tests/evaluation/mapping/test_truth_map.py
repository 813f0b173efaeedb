"""A map held against a land-cover raster: counts as counted by hand, intervals by blocks."""

from __future__ import annotations

import mapped_scenes
import numpy as np
import pytest
import rasterio
from rasterio.transform import from_origin

from senbench.errors import UsageError
from senbench.evaluation.mapping import truth_map
from senbench.evaluation.mapping.truth_map import TruthMap, compare, opened


def write(path, values, *, pixel, crs="EPSG:32633", north=mapped_scenes.NORTH, nodata=None):
    shape = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": values.dtype}
    where = {"crs": crs, "transform": from_origin(mapped_scenes.WEST, north, pixel, pixel)}
    with rasterio.open(path, "w", driver="GTiff", nodata=nodata, **shape, **where) as file:
        file.write(values, 1)
    return path


@pytest.fixture
def pair(tmp_path):
    """A map of 24 x 30 cells of 640 m and a land-cover map of 10 x 10 pixels a cell, whose values are class + 100."""
    rng = np.random.default_rng(8)
    mapped, true = rng.integers(0, 4, (24, 30)), rng.integers(0, 4, (24, 30))
    true = np.where(rng.random((24, 30)) < 0.6, mapped, true)
    mapped[0, :3] = 255
    fine = (true + 100).repeat(10, 0).repeat(10, 1).astype(np.uint16)
    fine[10:20, :10] = 7  # cell (1, 0): a value that the table does not name
    fine[10:14, 10:20] = 100 + (true[1, 1] + 1) % 4  # cell (1, 1): 60 % of its own class
    classes = write(tmp_path / "classes.tif", mapped.astype(np.uint8), pixel=640, nodata=255)
    return classes, write(tmp_path / "truth.tif", fine, pixel=64), mapped, true


def test_counts_are_those_of_majority_classes(pair, settled):
    classes, truth, mapped, true = pair
    found = compare(TruthMap(truth, {100 + k: k for k in range(4)}), settled, classes)
    both = mapped != 255
    both[1, 0] = False
    expected = np.zeros((10, 10), int)
    np.add.at(expected, (true[both], mapped[both]), 1)
    np.testing.assert_array_equal(found.confusion, expected)
    assert (found.cells, found.unknown) == (int(both.sum()), 1)
    assert found.agreement.value == pytest.approx((true[both] == mapped[both]).mean())
    assert found.purity == pytest.approx(1 - 0.4 / both.sum(), abs=1e-6)
    for k in range(4):
        one = found.classes[k]
        assert one.recall.value == pytest.approx(expected[k, k] / expected[k].sum())
        assert one.precision.value == pytest.approx(expected[k, k] / expected[:, k].sum())
        assert one.share_truth.value == pytest.approx(expected[k].sum() / both.sum())
        assert one.share_mapped.value == pytest.approx(expected[:, k].sum() / both.sum())
    assert found.classes[5].recall.value is None


def test_intervals_leave_out_blocks_of_5_km(pair, settled):
    from scipy.stats import t

    classes, truth, mapped, true = pair
    found = compare(TruthMap(truth, {100 + k: k for k in range(4)}), settled, classes)
    both = mapped != 255
    both[1, 0] = False
    y = (mapped_scenes.NORTH - 640 * (np.arange(24) + 0.5)) // 5000
    x = (mapped_scenes.WEST + 640 * (np.arange(30) + 0.5)) // 5000
    block = (y[:, None] * 1000 + x[None])[both]
    right = (true == mapped)[both]
    names = np.unique(block)
    without = np.array([right[block != name].mean() for name in names])
    error = np.sqrt((len(names) - 1) / len(names) * ((without - without.mean()) ** 2).sum())
    sizes = np.array([(block == name).sum() for name in names])
    half = t.ppf(0.975, sizes.sum() ** 2 / (sizes**2).sum() - 1) * error
    assert found.blocks == len(names)
    np.testing.assert_allclose(found.agreement.ci, (right.mean() - half, right.mean() + half), atol=1e-9)


def test_slabs_and_another_projection_change_little(pair, settled, monkeypatch, tmp_path):
    from rasterio.warp import Resampling, calculate_default_transform, reproject

    classes, truth, *_ = pair
    table = {100 + k: k for k in range(4)}
    whole = compare(TruthMap(truth, table), settled, classes)
    monkeypatch.setattr(truth_map, "CELLS", 5000)
    assert compare(TruthMap(truth, table), settled, classes) == whole
    with rasterio.open(truth) as file:
        transform, width, height = calculate_default_transform(
            file.crs, "EPSG:4326", file.width, file.height, *file.bounds
        )
        values = np.zeros((height, width), np.uint16)
        reproject(
            file.read(1),
            values,
            src_transform=file.transform,
            src_crs=file.crs,
            dst_transform=transform,
            dst_crs="EPSG:4326",
            resampling=Resampling.nearest,
        )
    other = tmp_path / "degrees.tif"
    with rasterio.open(other, "w", "GTiff", width, height, 1, "EPSG:4326", transform, "uint16") as file:
        file.write(values, 1)
    found = compare(TruthMap(other, table), settled, classes)
    assert np.abs(np.array(found.confusion) - np.array(whole.confusion)).sum() <= 4
    assert found.purity > 0.9


def test_tables_and_rasters_that_do_not_fit_are_refused(pair, settled, tmp_path):
    _, truth, *_ = pair
    table = tmp_path / "t.csv"
    for text, message in (
        ("value,class\n1,Forrest\n", "Forrest"),
        ("value,class\nx,Forest\n", "row 2: 'x' is no whole number"),
        ("value,class\n1,Forest\n1,River\n", "row 3: value 1 is there already"),
        ("value,class\n1,\n", "gives no value a class"),
        ("", "gives no value a class"),
    ):
        table.write_text(text)
        with pytest.raises(UsageError, match=message):
            opened(str(truth), str(table), settled)
    table.write_text("value,class\n1,Forest\n2,\n3,Forest\n")
    assert opened(str(truth), str(table), settled).classes == {1: 1, 3: 1}
    for raster, tables, message in ((str(truth), None, "belong together"), ("none.tif", str(table), "no such file")):
        with pytest.raises(UsageError, match=message):
            opened(raster, tables, settled)
    floats = write(tmp_path / "f.tif", np.zeros((4, 4), np.float32), pixel=10)
    with pytest.raises(UsageError, match="needs whole numbers"):
        opened(str(floats), str(table), settled)
    assert opened(None, None, settled) is None


def test_maps_apart_have_nothing_in_common(pair, settled, tmp_path):
    classes, *_ = pair
    far = write(tmp_path / "far.tif", np.full((9, 9), 100, np.uint16), pixel=64, north=1e6)
    with pytest.raises(UsageError, match="no cell in common"):
        compare(TruthMap(far, {100: 0}), settled, classes)
