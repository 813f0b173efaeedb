"""Offset and processing level from the metadata of a product."""

from __future__ import annotations

import numpy as np
import pytest
from own_tiles import FOUR, L1C, L2A, OFF, OLD, ON, dn, folder, opened, write

from senbench.datasets.readers import product_metadata


@pytest.mark.parametrize(
    ("tags", "names", "scaling", "offset", "level"),
    [
        ({"PROCESSING_BASELINE": "04.00"}, (), (), ON, None),
        ({"PROCESSING_BASELINE": "03.01"}, (), (), OFF, None),
        ({"s2:processing_baseline": "05.11", "s2:product_type": "S2MSI2A"}, (), (), ON, L2A),
        ({"s2:processing_baseline": "05.11", "earthsearch:boa_offset_applied": "true"}, (), (), OFF, None),
        ({"s2:processing_baseline": "05.11", "earthsearch:boa_offset_applied": "false"}, (), (), ON, None),
        ({"BOA_ADD_OFFSET": "-1000"}, (), (), ON, L2A),
        ({"RADIO_ADD_OFFSET": "-1000,-1000"}, (), (), ON, L1C),
        ({"BOA_ADD_OFFSET": "0", "PROCESSING_BASELINE": "05.10"}, (), (), OFF, L2A),
        ({"BOA_ADD_OFFSET": "-1000 -500"}, (), (), None, L2A),
        ({}, ("S2B_MSIL2A_20230101T101409_N0509_R022_T33UUP_20230101T125552",), (), ON, L2A),
        ({}, ("tile_3", "S2A_MSIL1C_20190613T101031_N0207_R022_T33UUP_2019"), (), OFF, L1C),
        ({"PRODUCT_URI": "S2A_MSIL2A_20220301T101031_N0400_R022_T33UUP_X.SAFE"}, ("a",), (), ON, L2A),
        # the whole archive was processed again as 05.00: the date would have said another thing
        ({}, ("S2A_MSIL2A_20170613T101031_N0500_R022_T33UUP_X",), (), ON, L2A),
        ({}, ("S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_26_57",), (), None, L2A),
        ({}, ("S2A_MSIL2A_20170613T101031_87_48",), (), None, L2A),
        ({"PROCESSING_BASELINE": "99.99"}, (), (), None, None),
        ({}, ("N0510_E0110",), (), None, None),  # degrees north
        ({}, (), [(0.0001, -0.1)] * 2, ON, None),
        ({}, (), [(1.0, 0.0)] * 2, None, None),
        ({"PROCESSING_LEVEL": "Level-1C"}, ("S2A_MSIL2A_2019",), (), None, None),
    ],
)
def test_offset_and_level_from_the_metadata(tags, names, scaling, offset, level):
    found = product_metadata.told(tags, names, scaling)
    assert (found.offset, found.level) == (offset, level)


def test_scale_and_offset_of_the_bands_are_read_from_the_file(tmp_path):
    tiles = opened(folder(tmp_path, tags={}, scaling=(0.0001, -0.1)), radiometry="dn2000")
    assert tiles.facts_of_source["dn_offset"] == 1000
    assert tiles.facts_of_source["dn_offset_from"] == "scale and offset of the bands"


def test_the_product_name_may_be_that_of_a_file(tmp_path):
    write(tmp_path / "a" / "S2A_MSIL2A_20210101T101031_N0301_R022_T33UUP_1.tif", dn(1), tags={})
    write(tmp_path / "b" / "S2A_MSIL2A_20230101T101031_N0509_R022_T33UUP_1.tif", dn(2), tags={})
    tiles = opened(tmp_path)
    assert tiles.info.level == "L2A"
    assert tiles.facts_of_source["dn_offset"] == {"0": 1, "1000": 1}
    np.testing.assert_array_equal(tiles.reader.bands(0, FOUR), dn(1).transpose(1, 2, 0))
    np.testing.assert_array_equal(tiles.reader.bands(1, FOUR), dn(2).transpose(1, 2, 0) - 1000)


def test_negative_values_are_no_question_of_the_offset(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name / "t.tif", -dn(1, kind="int16"), tags=OLD)
    facts = opened(tmp_path).facts_of_source
    assert (facts["dn_offset"], facts["below_offset_share"]) == (0, 1.0)
    assert product_metadata.notes(facts) == []  # told as a qualification of the result


def test_small_shares_are_no_note():
    facts = {"dn_offset": 0, "dn_offset_from": "tag X", "nodata_share": 0.01, "below_offset_share": 0.01}
    assert product_metadata.notes(facts) == []
    (nodata,) = product_metadata.notes({**facts, "nodata_share": 0.0101})
    assert nodata.startswith("1.0 % of the tiles' values are no data")
