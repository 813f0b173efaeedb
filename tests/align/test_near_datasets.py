from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from senbench.align import near_datasets

EUROPE = np.array([48.0, 50.0]), np.array([9.0, 20.0])
ELSEWHERE = np.array([-20.0]), np.array([-50.0])
UNKNOWN = np.array([np.nan, 48.0]), np.array([np.nan, 9.0])


def grades(base, places, **how):
    return near_datasets.grades(base, *places, **{"synthetic": False, **how})


def test_tiles_in_europe_are_of_the_geography_and_sensor_of_eurosat():
    found = grades({"eurosat": "none known", "whu-rs19": "unknown"}, EUROPE)
    assert found == {
        "eurosat": "same geography and sensor",
        "whu-rs19": "unknown",
        "bigearthnet": "same geography and sensor",
    }


@pytest.mark.parametrize(
    ("base", "places", "grade"),
    [
        ("images", EUROPE, "images"),
        ("unknown", EUROPE, "same geography and sensor"),
        ("none known", ELSEWHERE, "none known"),
        ("unknown", ELSEWHERE, "unknown"),
        ("none known", UNKNOWN, "same geography and sensor"),
        ("none known", (np.array([np.nan]), np.array([np.nan])), "unknown"),
    ],
)
def test_the_worse_of_base_and_places(base, places, grade):
    assert grades({"eurosat": base}, places)["eurosat"] == grade


def test_drawn_tiles_are_of_no_place():
    assert grades({"eurosat": "none known"}, EUROPE, synthetic=True)["eurosat"] == "none known"


def test_blocks_are_those_of_the_datasets():
    from rasterio.warp import transform

    (block,) = near_datasets.utm_blocks(np.array([48.3]), np.array([13.1]))
    (x,), (y,) = transform("EPSG:4326", "EPSG:32633", [13.1], [48.3])
    assert block == f"EPSG:32633/{int(x // 5000)}_{int(y // 5000)}"
    south, north = near_datasets.utm_blocks(np.array([-10.0, 10.0]), np.array([-178.0, 178.0]))
    assert (south.split("/")[0], north.split("/")[0]) == ("EPSG:32701", "EPSG:32660")


def opened(clusters):
    return SimpleNamespace(
        clusters=lambda: clusters, tile_ids=[str(i) for i in range(len(clusters or ()))], info=SimpleNamespace(id="d")
    )


def test_how_near_points_come():
    latitude, longitude = np.array([48.3, 48.3, 48.9, np.nan]), np.array([13.1, 13.11, 13.1, 13.1])
    (own, _, far) = near_datasets.utm_blocks(latitude[:3], longitude[:3])
    assert own != far
    found = near_datasets.nearness(opened([own, "unlocated/3"]), latitude, longitude)
    assert (found.points, found.nearest_km, found.beside) == (3, 0, 2)
    assert found.sentence() == (
        "of 3 training points 2 lie in or beside a 5 km block of a tile of d, the nearest at least 0 km away"
    )
    away = near_datasets.nearness(opened([far]), latitude[:2], longitude[:2])
    assert away.beside == 0
    assert 55 < away.nearest_km < 67


@pytest.mark.parametrize("clusters", [None, ["unlocated/1"]])
def test_without_positions_nothing_is_said(clusters):
    assert near_datasets.nearness(opened(clusters), *EUROPE) is None
    assert near_datasets.nearness(opened(["EPSG:32633/1_1"]), np.array([np.nan]), np.array([np.nan])) is None
