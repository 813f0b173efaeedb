"""Headers of a folder of GeoTIFFs: bands by name, tiles that agree."""

from __future__ import annotations

import numpy as np
import pytest
from own_tiles import FOUR, OLD, dn, folder, opened, write

from senbench.datasets.open import dataset_info
from senbench.errors import UsageError


def test_bands_are_never_guessed_from_their_number(tmp_path):
    folder(tmp_path, names=None)
    with pytest.raises(UsageError, match=r"write their names in file order into bands\.txt") as error:
        dataset_info(f"folder:{tmp_path}")
    assert "field/t0.tif" in str(error.value)
    (tmp_path / "bands.txt").write_text("B2 B3 - B8A\n")
    tiles = opened(tmp_path)
    assert tiles.info.bands == ("B02", "B03", "B8A")
    np.testing.assert_array_equal(tiles.reader.bands(0, ("B8A",))[..., 0], dn(0)[3] - 1000)
    for wrong, says in (
        ("B2 rouge B4 B8", "names 'rouge'"),
        ("B2 B2 B3 B4", "every band once"),
        ("B2 B3", "has 4 bands"),
    ):
        (tmp_path / "bands.txt").write_text(wrong)
        with pytest.raises(UsageError, match=says):
            opened(tmp_path)


def test_names_in_the_file_and_in_the_sidecar_must_not_contradict(tmp_path):
    folder(tmp_path, names=("B02", "B03", "B04", "SCL"))
    (tmp_path / "bands.txt").write_text("B02 - B04 -\n")
    tiles = opened(tmp_path)
    assert tiles.info.bands == ("B02", "B04")
    np.testing.assert_array_equal(tiles.reader.bands(0, ("B04",))[..., 0], dn(0)[2] - 1000)
    (tmp_path / "bands.txt").write_text("B04 B03 B02 -\n")
    with pytest.raises(UsageError, match="has B02, B03, B04, SCL, expected B04, B03, B02, - as in"):
        opened(tmp_path)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"values": dn(1, 3), "names": FOUR[:3]}, "water/t1.tif has B02, B03, B04, expected B02, B03, B04, B08"),
        ({"values": dn(1), "names": FOUR[::-1]}, "water/t1.tif has B08, B04, B03, B02, expected"),
        ({"values": dn(1), "names": None}, "the bands of water/t1.tif have no names"),
        (
            {"values": dn(1, kind="uint8")},
            r"3 files hold digital numbers \(field/t0.tif: uint16\), 1 are 8-bit images \(water/t1.tif\)",
        ),
        ({"values": dn(1).astype("float32") / 10000}, "water/t1.tif has values that are not integers"),
        ({"values": dn(1, kind="int8")}, "int8 values: give uint16"),
        ({"values": dn(1), "tags": OLD}, "water/t1.tif is L1C, .* is L2A"),
        ({"values": dn(1), "tags": {}}, "water/t1.tif does not state whether"),
    ],
)
def test_tiles_that_disagree_are_named(tmp_path, how, says):
    folder(tmp_path)
    write(tmp_path / "water" / "t1.tif", **how)
    with pytest.raises(UsageError, match=says) as error:
        opened(tmp_path)
    assert "\n" not in str(error.value)


def test_a_changed_file_is_looked_at_again(tmp_path):
    folder(tmp_path)
    assert opened(tmp_path).info.level == "L2A"
    folder(tmp_path, tags=OLD | {"x": "y" * 50})
    assert opened(tmp_path).info.level == "L1C"


def test_a_level_that_only_some_tell_is_not_known(tmp_path):
    folder(tmp_path)
    write(tmp_path / "water" / "t1.tif", dn(1), tags={"PROCESSING_BASELINE": "05.10"})
    assert opened(tmp_path).info.level is None
