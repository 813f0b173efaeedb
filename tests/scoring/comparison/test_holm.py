"""Holm's adjustment against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.scoring.comparison.holm import holm, holm_pairs


def step_down(p: list[float], alpha: float) -> list[bool]:
    """Holm 1979 as written: smallest first against alpha / (K - i), stop at the first that fails."""
    rejected = [False] * len(p)
    for i, k in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if p[k] > alpha / (len(p) - i):
            break
        rejected[k] = True
    return rejected


@given(st.lists(st.integers(0, 1000).map(lambda k: k / 1000), max_size=12), st.sampled_from([0.0131, 0.0503, 0.2007]))
def test_adjusted_p_rejects_what_the_step_down_rejects(p: list[float], alpha: float) -> None:
    assert list(holm(np.array(p)) <= alpha) == step_down(p, alpha)


def test_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.5])) == pytest.approx([1, 1])


@pytest.mark.slow
def test_statsmodels_gives_the_same() -> None:
    from statsmodels.stats import multitest

    p = np.random.default_rng(0).random(40) ** 4
    assert holm(p) == pytest.approx(multitest.multipletests(p, method="holm")[1], abs=1e-15)


def test_what_could_not_be_tested_does_not_count() -> None:
    got = holm(np.array([0.01, np.nan, 0.02]))
    assert got[[0, 2]] == pytest.approx([0.02, 0.02])
    assert np.isnan(got[1])


def test_pairs_count_once_and_the_diagonal_not_at_all() -> None:
    p = np.full((3, 3), 0.0)
    p[0, 1] = p[1, 0] = 0.01
    p[0, 2] = p[2, 0] = 0.02
    p[1, 2] = p[2, 1] = 0.5
    got = holm_pairs(p)
    assert got[0, 1] == pytest.approx(0.03)
    assert got[0, 2] == pytest.approx(0.04)
    assert (got == got.T).all()
    assert (got.diagonal() == 1).all()
    assert holm_pairs(np.ones((1, 1))).tolist() == [[1.0]]


@pytest.mark.parametrize("p", [np.array([0.5, 1.5]), np.array([-0.1]), np.ones((2, 2))])
def test_no_p_value_is_refused(p: np.ndarray) -> None:
    with pytest.raises(UsageError, match="p-values"):
        holm(p)
