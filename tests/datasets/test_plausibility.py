"""What cannot be Sentinel-2 tiles is found, with its cause; no real tile is, however few or alike they are."""

from __future__ import annotations

import importlib.util
from functools import cache

import numpy as np
import pytest
from places import ROOT, SHARED

from senbench.datasets import plausibility
from senbench.datasets.bands import RGB
from senbench.datasets.channel_statistics import of_array
from senbench.datasets.open import open_dataset
from senbench.datasets.plausibility import Values, figures, findings
from senbench.datasets.radiometry import DIGITAL, LINEAR, POLICIES, render

JPEG = Values("eurosat-jpeg", None, RGB)
PICTURE = Values(None, None, RGB)


@cache
def tool():
    spec = importlib.util.spec_from_file_location("pixel_ranges", ROOT / "tools" / "pixel_ranges.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def rows(values: Values, *images):
    return [of_array(image, values.bands, values.scale) for image in images]


def found(values: Values, *images):
    return findings(figures(rows(values, *images)), values)


def ground(seed: int = 0, level: float = 900, spread: float = 150, channels: int = 3) -> np.ndarray:
    """Digital numbers like those of fields, (16, 16, C)."""
    dn = np.random.default_rng(seed).normal(level, spread, (16, 16, channels))
    return np.clip(dn, 1, 65535).astype(np.uint16)


def test_nothing_has_no_figures():
    assert figures([]) is None


def test_figures_are_means_over_tiles():
    dark, light = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 200, np.uint8)
    light[0] = 255
    seen = figures(rows(JPEG, dark, light))
    assert (seen.n, seen.zeros, seen.saturated, seen.flat, seen.below_1000) == (2, 0.5, 0.125, 0.5, 0.5)
    assert seen.means == pytest.approx([213.75 / 2] * 3, abs=0.01)
    assert figures(rows(PICTURE, light)).below_1000 is None


@pytest.mark.parametrize("policy", POLICIES)
def test_fields_are_plausible_under_every_rendering(policy):
    values = Values(policy if policy in LINEAR else None, "L1C", RGB)
    assert found(values, *(render(ground(seed), policy) for seed in range(5))) == ()


def test_a_rendering_is_held_against_digital_numbers_whatever_its_stretch():
    for policy in LINEAR:
        said = found(Values(policy, "L1C", RGB), *(render(ground(seed) // 10, policy) for seed in range(5)))
        assert any("ten times too small" in cause for cause in said), policy


WRONG = {
    "one value": (JPEG, np.full((8, 8, 3), 90, np.uint8), "100% of the tiles have one value throughout"),
    "black picture": (PICTURE, np.where(np.arange(192).reshape(8, 8, 3) < 5, 40, 0).astype(np.uint8), "are 0"),
    "high byte": (PICTURE, (ground() >> 8).astype(np.uint8), "the high byte of 16-bit values"),
    "dark": (JPEG, render(ground() // 10, "eurosat-jpeg"), "QUANTIFICATION_VALUE"),
    "dark L2A": (Values("dn2000", "L2A", RGB), render(ground() // 10, "dn2000"), "at least 100 is plausible"),
    "white": (JPEG, render(np.minimum(ground() * 10, 60000), "eurosat-jpeg"), "saturated, at most 85% is plausible"),
    "twice": (JPEG, render(np.maximum(ground().astype(int) - 1000, 0), "eurosat-jpeg"), "offset taken off twice"),
    "wrapped": (
        JPEG,
        render(ground(level=1000).astype(int) - 1000 + 65536 * (ground(level=1000) < 1000), "eurosat-jpeg"),
        "negative values stored without their sign",
    ),
    "wrapped DN": (Values(DIGITAL, "L2A", RGB), ground(level=64_500), "above a reflectance of 2"),
    "scaled DN": (
        Values(DIGITAL, "L2A", (*RGB, "B11")),
        np.concatenate([ground(level=9000), ground(level=18_000, channels=1)], axis=-1),
        "the mean of B11 is 18,0",
    ),
    "no data": (Values(DIGITAL, "L2A", RGB), ground() * (np.arange(16) < 8)[:, None, None], "no data that is not"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_reading_is_named(name):
    values, image, says = WRONG[name]
    said = found(values, image.astype(np.uint16) if values.scale == DIGITAL else image)
    assert any(says in cause for cause in said), said


def test_zeros_that_are_known_to_be_no_data_are_no_offset():
    values, image, _ = WRONG["no data"]
    assert found(values._replace(no_data=0.5), image.astype(np.uint16)) == ()


def test_an_offset_that_stayed_in_shows_in_twenty_tiles():
    stayed = [render(ground(seed) + 1000, "eurosat-jpeg") for seed in range(20)]
    assert found(JPEG, *stayed[:19]) == ()
    assert ["--dn-offset 1000" in cause for cause in found(JPEG, *stayed)] == [True]
    assert found(PICTURE, *stayed) == ()


@pytest.mark.parametrize("levels", [(3000, 2000, 1500), (6000, 6000, 6000)], ids=["desert", "snow"])
def test_bright_ground_needs_no_dark_pixel(levels):
    values = Values("dn10000", "L2A", RGB)
    tiles = [np.concatenate([ground(seed, one, channels=1) for one in levels], axis=-1) for seed in range(20)]
    assert found(values, *(render(tile, "dn10000") for tile in tiles)) == ()


def test_tiles_of_other_channels_than_they_say_are_looked_at_too():
    """As those that a user opens for an object of their own."""
    assert findings(figures(rows(PICTURE, np.full((8, 8, 5), 90, np.uint8))), PICTURE)[0].startswith("100%")
    assert found(JPEG, np.full((8, 8, 5), 90, np.uint8) + np.arange(5, dtype=np.uint8)) == ()


@cache
def eurosat() -> tuple[dict[str, tuple[np.ndarray, np.ndarray]], dict[str, tuple[str, int]]]:
    """Class -> rows of its tiles as EuroSAT and as pictures; id -> its class and place there."""
    tiles = open_dataset("eurosat-rgb", split="all", data_dir=str(SHARED / "eurosat"), offline=True)
    read = {key: ([], []) for key in tiles.info.classes}
    places = {}
    for i, (name, label) in enumerate(zip(tiles.tile_ids, tiles.tile_labels, strict=True)):
        key = tiles.info.classes[label]
        places[name] = key, len(read[key][0])
        image = tiles.read(i)
        for rows_, values in zip(read[key], (JPEG, PICTURE), strict=True):
            rows_.append(of_array(image, RGB, values.scale))
    return {key: (np.array(a), np.array(b)) for key, (a, b) in read.items()}, places


@pytest.mark.shared
@pytest.mark.slow
def test_no_real_tile_no_class_and_no_draw_of_a_class_is_refused():
    rng = np.random.default_rng(0)
    for key, both in eurosat()[0].items():
        for every, values in zip(both, (JPEG, PICTURE), strict=True):
            assert not [i for i, row in enumerate(every) if findings(figures([row]), values)], key
            assert findings(figures(every), values) == ()
            for n in (5, 20, 60):
                draws = (rng.choice(len(every), n, replace=False) for _ in range(300))
                assert not any(findings(figures(every[draw]), values) for draw in draws), (key, n)


@pytest.mark.shared
@pytest.mark.slow
def test_no_spatial_split_is_refused():
    read, places = eurosat()
    for name in ("train", "val", "test"):
        lines = (SHARED / "eurosat" / f"eurosat-spatial-{name}.txt").read_text().split()
        at = [places[line.removesuffix(".jpg")] for line in lines]
        assert len(at) == {"train": 16200, "val": 5400, "test": 5400}[name]
        for k, values in enumerate((JPEG, PICTURE)):
            every = [read[key][k][i] for key, i in at]
            assert findings(figures(every), values) == ()
            assert findings(figures(every[:: len(every) // 200]), values) == ()


@pytest.mark.shared
@pytest.mark.parametrize("policy", POLICIES)
def test_no_patch_of_bigearthnet_is_refused_under_any_rendering(policy):
    patches = tool().bigearthnet(SHARED, RGB)
    assert len(patches) == 6
    for level in ("L2A", None):
        for scale in {policy if policy in LINEAR else None, None}:
            values = Values(scale, level, RGB)
            every = [render(patch.dn, policy) for patch in patches]
            if scale is None and policy == "dn10000":
                every = every[:4] + every[5:]  # as a picture it is as dark as high bytes: 7 of 255
            assert [found(values, image) for image in every] == [()] * len(every)
            assert found(values, *every) == ()


@pytest.mark.shared
def test_no_multispectral_tile_is_refused():
    bands = [("B02", "B03", "B04", "B08"), ("B05", "B06", "B07", "B8A", "B11", "B12")]
    tiles = tool().multispectral(SHARED) + [patch for names in bands for patch in tool().bigearthnet(SHARED, names)]
    assert len(tiles) == 15
    for tile in tiles:
        assert found(Values(DIGITAL, None, tile.bands), tile.dn.astype(np.uint16)) == ()


LEAST_CAUGHT = {
    "scale x0.1": 1.0,
    "scale x10": 0.99,
    "offset of 1,000 taken off twice": 0.93,
    "offset of 1,000 not taken off": 1.0,
    "negative values without their sign": 0.98,
    "bytes swapped": 1.0,
    "one constant": 1.0,
    "all zero": 1.0,
}
"""Wrong reading -> share of samples of 20 EuroSAT tiles of one class that are refused, at least."""


@pytest.mark.shared
@pytest.mark.slow
def test_wrong_readings_are_caught_as_often_as_documented():
    every = tool().eurosat(SHARED, 20)
    for name, least in {**LEAST_CAUGHT, "right": 0.0}.items():
        read = {
            key: np.array(
                [of_array(tool().shown(tool().WRONG[name](t.dn), "eurosat-jpeg"), RGB, "eurosat-jpeg") for t in tiles]
            )
            for key, tiles in every.items()
        }
        caught = tool().share_caught(read, JPEG, 20)
        assert caught >= least and (name != "right" or caught == 0), (name, caught)
    high = [of_array(tool().high_byte(t.dn), RGB, None) for tiles in every.values() for t in tiles]
    assert all(findings(figures([row]), PICTURE) for row in high)


def test_the_bounds_are_documented():
    text = (ROOT / "docs" / "methods.md").read_text()
    section = text.split("## Plausible pixels")[1].split("\n## ")[0]
    for bound in (
        f"more than {plausibility.MOST_FLAT:.0%}".replace("%", " %"),
        f"more than {100 * plausibility.MOST_ZEROS:.0f} %",
        f"more than {100 * plausibility.MOST_BLACK:.0f} %",
        f"more than {100 * plausibility.MOST_SATURATED:.0f} %",
        f"more than {100 * plausibility.MOST_TWO_ENDED:.0f} %",
        f"below {plausibility.DARKEST_DN['L1C']:.0f} DN",
        f"below {plausibility.DARKEST_DN['L2A']:.0f} DN",
        f"below {plausibility.DARKEST_PICTURE} of 255",
        f"above {plausibility.BRIGHTEST_DN:,.0f} DN",
        f"below {100 * plausibility.LEAST_BELOW_1000} %",
    ):
        assert bound in section, bound


def test_black_and_white_alone_is_a_mask():
    bits = np.where(np.arange(768).reshape(16, 16, 3) // 3 % 2, 255, 0).astype(np.uint8)
    (said,) = found(PICTURE, bits, bits)
    assert said.startswith("100% of the values are black or white, at most 95% is plausible: a mask")
    assert found(PICTURE, np.where(bits == 0, 90, bits)) == ()
    assert found(PICTURE._replace(no_data=0.5), bits) == ()
