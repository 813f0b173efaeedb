"""Statistics of a rendering: what is cut off, and the mean of each channel."""

from __future__ import annotations

import numpy as np
import pytest
import stubs

from senbench.datasets import channel_statistics
from senbench.datasets.tiles import TileError


def rendering(tiles, most=channel_statistics.SAMPLE):
    found = [channel_statistics.of_tile(tiles, position) for position in channel_statistics.sample(len(tiles), most)]
    return channel_statistics.summary([row for row in found if row is not None])


def made(image):
    return stubs.changed(stubs.tiles(6), reader=lambda i: image)


def test_clipped_share_and_channel_means():
    image = np.full((4, 4, 3), 100, np.uint8)
    image[0, :, 0] = 255
    image[1, :2, 1] = 0
    found = rendering(made(image))
    assert found["tiles"] == 6
    assert found["saturated"] == pytest.approx(6 / 48, abs=1e-5)
    assert found["channel_means"] == [pytest.approx(138.75), pytest.approx(87.5), 100]


@pytest.mark.parametrize("shape", [(4, 7, 3), (7, 4, 3), (5, 5, 10)])
def test_channel_means_are_those_of_numpy(shape):
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert rendering(made(image))["channel_means"] == [round(m, 2) for m in image.mean(axis=(0, 1)).tolist()]


def test_digital_numbers_are_not_clipped():
    image = np.full((4, 4, 10), 3000, np.uint16)
    image[0] = 0
    found = rendering(made(image))
    assert found["saturated"] is None
    assert found["channel_means"] == [2250] * 10


def test_unreadable_tiles_are_left_out():
    tiles = stubs.tiles(6, bad=[0, 5])
    assert rendering(tiles)["tiles"] == 4

    def gone(i):
        raise TileError("gone")

    assert rendering(stubs.changed(tiles, reader=gone)) is None


def test_a_sample_of_a_large_set():
    assert rendering(stubs.tiles(60), 7)["tiles"] == 7
