from __future__ import annotations

import h5py
import numpy as np
import pytest
from eurosat_files import dn_tile, tiff

from senbench.datasets.readers.sources import NamedFiles
from senbench.datasets.tiles import TileError
from senbench.datasets.torchgeo.known import CLASSES
from senbench.datasets.torchgeo.samples import Hdf5Samples, RasterSamples

TREES, SO2SAT, EUROSAT = CLASSES["TreeSatAI"], CLASSES["So2Sat"], CLASSES["CopernicusBenchEuroSATS2"]


def raster(root, known, values, policy="dn2000"):
    (root / "a.tif").write_bytes(tiff(values))
    return RasterSamples(NamedFiles(root, ("a.tif",), "X"), ("a.tif",), known, known.info("X", {}), policy)


def stored(root, values, policy="dn2000"):
    with h5py.File(root / "a.h5", "w") as file:
        file["sen2"] = np.asarray(values)[None]
    return Hdf5Samples(root / "a.h5", "sen2", ("a",), SO2SAT, SO2SAT.info("X", {}), policy)


def test_rasters_have_as_many_bands_as_their_class_and_its_type(tmp_path):
    values = np.arange(16, dtype=np.uint8).reshape(4, 2, 2)
    assert raster(tmp_path, TREES, values).rgb(0)[0, 0].tolist() == [12, 4, 8]
    with pytest.raises(TileError, match=r"a.tif in X: 4 bands of uint16, expected 4 of uint8"):
        raster(tmp_path, TREES, values.astype(np.uint16)).rgb(0)
    with pytest.raises(TileError, match=r"a.tif in X: 3 bands of uint8, expected 4 of uint8"):
        raster(tmp_path, TREES, values[:3]).rgb(0)
    with pytest.raises(TileError, match="12 bands of uint16, expected 13"):
        raster(tmp_path, EUROSAT, dn_tile(1, bands=12)).bands(0, ("B04",))


def test_bands_by_name_and_a_rendering_by_table(tmp_path):
    dn = dn_tile(3)
    reader = raster(tmp_path, EUROSAT, dn, "percentile-2-98")
    assert np.array_equal(reader.bands(0, ("B8A", "B02"))[..., 0], dn[12])
    from senbench.datasets.radiometry import render

    for policy in ("percentile-2-98", "dn2000"):
        assert np.array_equal(raster(tmp_path, EUROSAT, dn, policy).rgb(0), render(dn[[3, 2, 1]], policy))
    assert reader.facts()["pixels"]["decisions"]["bands"].endswith("order of TorchGeo's class")
    assert reader.stamp([0], ()) != raster(tmp_path, TREES, dn).stamp([0], ())


def test_what_is_no_number_is_no_data(tmp_path):
    values = np.full((2, 2, 10), 0.1, np.float64)
    values[0, 0, 0] = np.nan
    reader = stored(tmp_path, values)
    dn = reader.bands(0, ("B02", "B03"))
    assert dn[0, 0].tolist() == [0, 1000] and dn[1, 1].tolist() == [1000, 1000]
    assert reader.facts()["nodata_share"] == round(1 / 40, 5)
    with pytest.raises(TileError, match="nothing but no data"):
        stored(tmp_path / "..", np.full((2, 2, 10), np.nan)).bands(0, ("B02",))


def test_digital_numbers_taken_for_reflectance_are_refused(tmp_path):
    with pytest.raises(TileError, match="of the values lie above 32,767 DN"):
        stored(tmp_path, np.full((2, 2, 10), 4.0)).rgb(0)


def test_an_array_of_another_shape_or_name(tmp_path):
    with pytest.raises(TileError, match="a in torchgeo:X: shape 2x2x8, expected 10 bands"):
        stored(tmp_path, np.full((2, 2, 8), 0.1)).rgb(0)
    reader = stored(tmp_path / "..", np.full((2, 2, 10), 0.1))
    reader.array = "sen1"
    with pytest.raises(TileError, match="a in torchgeo:X: cannot be read"):
        reader.key(0)


def test_the_key_follows_the_values_and_what_is_made_of_them(tmp_path):
    keys = []
    for k, value in enumerate((0.1, 0.1, 0.11)):
        (tmp_path / str(k)).mkdir()
        keys.append(stored(tmp_path / str(k), np.full((2, 2, 10), value)).key(0))
    assert keys[0] == keys[1] != keys[2]
