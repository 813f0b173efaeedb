from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from eurosat_files import jpeg

from senbench.datasets.hub.rows import ArrayReader, RowImages
from senbench.datasets.readers.image import PictureReader
from senbench.datasets.tiles import TileError


def arrays(values, bands=(), policy="native-jpeg"):
    column = pa.chunked_array([pa.array([value]) for value in values])
    return ArrayReader(column, tuple(map(str, range(len(values)))), "set", bands, policy)


def test_images_in_bytes_in_structs_and_in_files(tmp_path):
    (tmp_path / "x.jpg").write_bytes(jpeg(1))
    rows = [{"bytes": jpeg(0), "path": None}, {"bytes": None, "path": str(tmp_path / "x.jpg")}]
    rows.append({"bytes": None, "path": str(tmp_path / "y.jpg")})
    source = RowImages(pa.chunked_array([pa.array(rows)]), ("a", "b", "c"), "set")
    reader = PictureReader(source, source.names)
    assert reader.rgb(0).shape == reader.rgb(1).shape == (64, 64, 3) and reader.key(0) != reader.key(1)
    with pytest.raises(TileError, match="tile c in set: No such file"):
        reader.rgb(2)


def test_grey_and_either_order_of_axes():
    grey = [[1, 2], [3, 4]]
    assert arrays([grey]).rgb(0)[1].tolist() == [[3, 3, 3], [4, 4, 4]]
    first = np.arange(12).reshape(3, 2, 2)
    assert np.array_equal(arrays([first.tolist()]).rgb(0), first.transpose(1, 2, 0))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([[[0.1, 0.2, 0.3]]], "float64 values from 0.1 to 0.3, not whole numbers 0 to 255"),
        ([[[0, 1, 256]]], "from 0 to 256, not whole numbers"),
        ([[[-1, 1, 2]]], "from -1 to 2"),
        ([[[1, 2, 3], [1, 2]]], "no array of numbers"),
        ([[[1] * 5] * 4] * 6, r"shape 6x4x5 has no axis of 3 bands"),
    ],
)
def test_values_that_are_no_picture_are_refused(value, says):
    with pytest.raises(TileError, match=says):
        arrays([value]).rgb(0)


def test_digital_numbers_by_band_name():
    values = np.arange(1, 17).reshape(2, 2, 4) * 100
    reader = arrays([values.tolist()], ("B02", "B03", "B04", "B08"), "dn2000")
    assert reader.bands(0, ("B08",))[0, 0].tolist() == [400] and reader.rgb(0).shape == (2, 2, 3)
    assert reader.key(0) != arrays([values.tolist()], ("B04", "B03", "B02", "B08"), "dn2000").key(0)
    with pytest.raises(TileError, match="nothing but no data"):
        arrays([np.zeros((2, 2, 4), int).tolist()], ("B02", "B03", "B04", "B08")).bands(0, ("B02",))
    with pytest.raises(TileError, match="no rendering"):
        arrays([values.tolist()], ("B02", "B03", "B04", "B08"), "undecided").rgb(0)
