"""How shares and changes are written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.report.numbers import NOTHING, equivalence, interval, points, probability, share


def test_what_is_not_there_is_a_dash():
    assert share(None) == points(None) == points(float("nan")) == interval(None) == probability(None) == NOTHING


@given(st.floats(-1, 1))
def test_a_difference_has_its_sign_and_two_decimals(value):
    text = points(value)
    assert text[0] in "+-"
    assert float(text) == pytest.approx(100 * value, abs=0.005 + 1e-9)
    assert len(text.partition(".")[2]) == 2


def test_shares_intervals_and_small_p():
    assert share(0.12345) == "12.35"
    assert interval((-0.01, 0.025)) == "[-1.00, +2.50]"
    assert equivalence(0.01, 0.01) == "equivalent within ±1 point"
    assert equivalence(0.2, 0.02) == "not shown to be equivalent within ±2 points: p 0.200"
    assert (probability(0.0009), probability(0.001), probability(0.5)) == ("<0.001", "0.001", "0.500")
