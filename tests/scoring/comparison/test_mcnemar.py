"""McNemar's exact test, and that its interval never says otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from senbench.scoring.comparison.mcnemar import mcnemar, mcnemar_interval


def test_mcnemar_against_scipy_for_all_small_counts() -> None:
    b, c = np.meshgrid(np.arange(12), np.arange(12))
    got = mcnemar(b, c)
    for i, j in np.ndindex(b.shape):
        n = int(b[i, j] + c[i, j])
        assert got[i, j] == pytest.approx(stats.binomtest(int(b[i, j]), n).pvalue if n else 1, rel=1e-12)


@pytest.mark.slow
def test_statsmodels_mcnemar_is_the_same() -> None:
    from statsmodels.stats import contingency_tables as tables

    assert mcnemar(17, 5) == pytest.approx(tables.mcnemar([[60, 17], [5, 18]], exact=True).pvalue, rel=1e-12)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 500), st.sampled_from([0.05, 0.01, 0.005]))
def test_the_interval_leaves_out_zero_where_the_test_does(gained: int, lost: int, same: int, alpha: float) -> None:
    n = gained + lost + same
    if not n:
        return
    low, high = mcnemar_interval(gained, lost, n, alpha)
    assert -1 <= low <= (gained - lost) / n <= high <= 1
    assert (low > 0 or high < 0) == (mcnemar(gained, lost) < alpha)
    assert mcnemar_interval(lost, gained, n, alpha) == pytest.approx((-high, -low))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "gain", "loss"), [(50, 0.2, 0.05), (300, 0.04, 0.04), (300, 0.5, 0.02), (600, 0.02, 0.01)]
)
def test_coverage(n: int, gain: float, loss: float) -> None:
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(n, [gain, loss, 1 - gain - loss], 1000)
    ends = [mcnemar_interval(int(b), int(c), n) for b, c, _ in drawn]
    assert np.mean([low <= gain - loss <= high for low, high in ends]) >= 0.945
