"""Blocks from cluster names and patch names, and how far sets of them are apart."""

from __future__ import annotations

import numpy as np
import pytest
from rasterio.warp import transform

from senbench.datasets import distances


@pytest.mark.parametrize(
    ("tile", "lon", "lat"),
    [
        ("33UXP", 16.37, 48.21),  # Vienna
        ("31UDQ", 2.35, 48.86),  # Paris
        ("29SMC", -9.14, 38.72),  # Lisbon
        ("35VLG", 24.94, 60.17),  # Helsinki
        ("32TLT", 7.45, 46.95),  # Bern
        ("34UFG", 24.0, 55.5),
    ],
)
def test_a_place_lies_in_its_mgrs_tile(tile, lon, lat):
    zone, east, north = distances.mgrs_corner(tile)
    (x,), (y,) = transform("EPSG:4326", f"EPSG:{32600 + zone}", [lon], [lat])
    assert 0 <= x - east <= 110_000
    assert -10_000 <= y - north <= 100_000


@pytest.mark.parametrize("name", ["33UIP", "33AAA", "33CXP", "nowhere", "33UXP_1"])
def test_what_is_no_tile_of_the_north(name):
    assert distances.mgrs_corner(name) is None


def test_blocks():
    assert distances.block("EPSG:32633/60_-12", "Forest_1") == "EPSG:32633/60_-12"
    assert distances.block("unlocated/Forest_1", "Forest_1") is None
    assert distances.block("33UUP", "no position") is None
    # column 10, row 0: 12.6 km east and 0.6 km south of the north-west corner (300 km, 5400 km)
    assert distances.block("33UUP", "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_10_00") == "EPSG:32633/62_1079"
    assert distances.block("33UUP", "S2A_MSIL2A_20170613T101031_10_4") == "EPSG:32633/62_1078"


def test_gaps_in_one_grid():
    here = ["EPSG:32633/0_0", "EPSG:32633/1_1", "EPSG:32633/4_0", "EPSG:32633/4_5", "EPSG:32633/-3_0"]
    assert distances.gaps(here, ["EPSG:32633/0_0", "EPSG:32633/0_0"]) == pytest.approx([0, 0, 15, 25, 10])


def test_no_two_tiles_are_nearer_than_the_gap():
    rng = np.random.default_rng(0)
    first, second = rng.uniform(0, 60_000, (40, 2)), rng.uniform(40_000, 90_000, (40, 2))

    def named(points):
        return [f"EPSG:32633/{int(x // 5000)}_{int(y // 5000)}" for x, y in points]

    found = distances.gaps(named(first), named(second))
    true = np.hypot(*(first[:, None] - second[None]).transpose(2, 0, 1)).min(axis=1) / 1000
    assert (found <= true + 1e-9).all()
    assert (true - found).max() < 15


def test_gaps_across_zones():
    """The border between zones 32 and 33 at 48 degrees north: the same place has a block in both."""
    both = []
    for zone in (32, 33):
        (x,), (y,) = transform("EPSG:4326", f"EPSG:{32600 + zone}", [12.0], [48.0])
        both.append(f"EPSG:{32600 + zone}/{int(x // 5000)}_{int(y // 5000)}")
    assert distances.gaps(both[:1], both[1:]) == pytest.approx([0])
    far = both[1].replace("EPSG:32633/", "").split("_")
    east = f"EPSG:32633/{int(far[0]) + 20}_{far[1]}"
    (gap,) = distances.gaps(both[:1], [east])
    assert 85 < gap < 101


def test_unknown_grids_cannot_be_related():
    assert distances.gaps(["local/0_0"], ["local/4_0"]) == pytest.approx([15])
    assert distances.gaps(["local/0_0"], ["EPSG:32633/4_0"]) is None


def test_a_place_belongs_to_the_block_to_its_south_west():
    assert distances.block_at("EPSG:32633", 304_999.9, 5_425_000) == "EPSG:32633/60_1085"
    assert distances.block_at("EPSG:32733", -0.1, 4999) == "EPSG:32733/-1_0"


def test_larger_blocks_of_blocks():
    blocks = [
        "EPSG:32633/60_1085",
        "EPSG:32633/64_1089",
        "EPSG:32633/65_1085",
        "EPSG:32633/-1_-1",
        "unlocated/Forest_1",
    ]
    found = distances.by_size(blocks, ["a", "b", "c", "d", "e"])
    assert found.own == "5 km"
    assert {size: names.tolist() for size, names in found.clusters.items()} == {
        "5 km": blocks,
        "25 km": [*["EPSG:32633/12_217"] * 2, "EPSG:32633/13_217", "EPSG:32633/-1_-1", "unlocated/Forest_1"],
        "100 km": [*["EPSG:32633/3_54"] * 3, "EPSG:32633/-1_-1", "unlocated/Forest_1"],
    }


def test_a_folder_that_looks_like_a_block_is_still_without_a_position():
    found = distances.by_size(["unlocated/a/10_10", "EPSG:32633/0_0"], ["a/10_10", "b"])
    assert found.clusters["25 km"].tolist() == ["unlocated/a/10_10", "EPSG:32633/0_0"]


def test_sizes_of_bigearthnet_patches():
    ids = [
        "S2A_MSIL2A_20170613T101031_N9999_R022_T33UUP_10_00",
        "S2A_MSIL2A_20170613T101031_N9999_R022_T33UVP_11_00",
        "S2B_MSIL2A_20170715T101029_N9999_R022_T33UUP_10_00",
    ]
    found = distances.by_size(["33UUP", "33UVP", "33UUP"], ids)
    assert found.own == "100 km"
    assert list(found.clusters) == ["5 km", "25 km", "100 km", "scene"]
    assert found.clusters["5 km"].tolist() == ["EPSG:32633/62_1079", "EPSG:32633/82_1079", "EPSG:32633/62_1079"]
    assert found.clusters["100 km"].tolist() == ["33UUP", "33UVP", "33UUP"]
    first, second = "S2A_MSIL2A_20170613T101031", "S2B_MSIL2A_20170715T101029"
    assert found.clusters["scene"].tolist() == [first, first, second]
    old = distances.by_size(["33UUP"], ["S2A_MSIL2A_20170613T101031_87_48"])
    assert old.clusters["scene"].tolist() == [first]


@pytest.mark.parametrize(("clusters", "ids"), [(["a", "b"], ["1", "2"]), (["unlocated/1"], ["1"]), (["33UUP"], ["1"])])
def test_names_that_tell_no_size(clusters, ids):
    assert distances.by_size(clusters, ids) is None


def test_patches_without_a_place_in_their_name_have_a_scene_at_most():
    found = distances.by_size(["33UUP", "33UVP"], [f"S2A_MSIL2A_20170613T101031_T33U{x}P.tif" for x in "UV"])
    assert list(found.clusters) == ["100 km", "scene"]
