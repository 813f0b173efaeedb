"""Windows of a block are its pixels, and those with too little data are left out for a reason."""

from __future__ import annotations

import numpy as np
import pytest

from senbench.datasets.radiometry import render
from senbench.evaluation.mapping.block_reader import CLOUD, IMPOSSIBLE, NO_DATA, Pixels, WindowReader
from senbench.evaluation.mapping.window_grid import WindowGrid

BANDS = ("B02", "B03", "B04")
GRID = WindowGrid((96, 96), 32, 16)


def reader(policy="eurosat-jpeg", **change):
    values = np.random.default_rng(3).integers(1, 4000, (96, 96, 3)).astype(np.uint16)
    pixels = Pixels(values, np.zeros((96, 96), bool), None, None)._replace(**change)
    return WindowReader(pixels, BANDS, GRID, (5, 5), policy)


@pytest.mark.parametrize("policy", ["eurosat-jpeg", "dn2000", "minmax-per-image", "percentile-2-98"])
def test_a_window_is_rendered_by_itself(policy):
    found = reader(policy)
    cut = found.pixels.values[16:48, 48:80]
    np.testing.assert_array_equal(found.bands(8, ("B04",))[..., 0], cut[..., 2])
    np.testing.assert_array_equal(found.rgb(8), render(cut[..., ::-1], policy))


def test_a_window_with_more_than_a_tenth_without_data_or_under_cloud_is_left_out():
    missing = np.zeros((96, 96), bool)
    missing[:32, :3] = True  # 96 of 1,024
    assert not reader(missing=missing).state().any()
    missing[:32, 3] = True  # 128
    state = reader(missing=missing).state()
    assert state[0, 0] == NO_DATA
    assert np.count_nonzero(state) == 1
    cloudy = np.zeros((96, 96), bool)
    cloudy[64:, 64:68] = True
    state = reader(cloudy=cloudy).state()
    assert state[4, 4] == CLOUD
    assert set(zip(*np.nonzero(state), strict=True)) == {(4, 3), (4, 4)}


def test_values_that_cannot_be_leave_a_window_out():
    bad = np.zeros((96, 96), np.uint8)
    bad[:6, :6] = 1  # 36 of 3,072 values
    state = reader(impossible=bad).state()
    assert state[0, 0] == IMPOSSIBLE
    assert np.count_nonzero(state) == 1
