"""Ends of intervals stay inside the range of their metric."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.scoring.intervals.interval import Interval, clip

real = st.floats(-5, 5)


@given(real, real, real, real)
def test_ends_are_moved_into_the_range_and_no_further(low: float, high: float, a: float, b: float) -> None:
    bounds = np.array(sorted((a, b)))
    for end, inside in zip((low, high), clip(low, high, bounds), strict=True):
        assert bounds[0] <= inside <= bounds[1]
        assert inside == end or inside in bounds


def test_a_range_may_be_open() -> None:
    assert clip(-1.0, 7.5, np.array([0.0, np.inf])) == (0.0, 7.5)
    assert all(type(end) is float for end in clip(np.float64(0.1), np.float64(0.2), np.array([0.0, 1.0])))


def test_an_interval_needs_no_more_than_its_ends_and_how_it_was_made() -> None:
    ci, label, undefined, effect, error, size, by_size = Interval(None, "none: a single image")
    assert (ci, undefined, effect, error, size, by_size) == (None, 0, None, None, "", ())
    assert label == "none: a single image"
    with pytest.raises(TypeError):
        Interval((0.1, 0.2))
