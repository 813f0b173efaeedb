"""Average precision under weightings of whole clusters: equal to scoring the resample, whatever is tied or missing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.scoring.intervals import leave_one_tile_out
from senbench.scoring.multi_label.ranking import Ranking


def sample(n: int = 300, labels: int = 4, clusters: int = 7, seed: int = 0, decimals: int | None = None):
    """Scores, truth and unequal clusters, with one cluster of a single image."""
    rng = np.random.default_rng(seed)
    codes = np.minimum(rng.geometric(0.3, n) - 1, clusters - 2)
    codes[0] = clusters - 1
    truth = rng.random((n, labels)) < rng.random((clusters, labels))[codes] * [0.9, 0.5, 0.2, 0.05]
    truth[1] = True
    scores = rng.normal(0, 1, (n, labels)) + truth
    return (scores if decimals is None else np.round(scores, decimals)).astype(np.float32), truth, codes


def rankings(scores, truth) -> list[Ranking]:
    n, c = scores.shape
    each = [Ranking.of(scores[:, k], truth[:, k]) for k in range(c)]
    return [*each, Ranking.of(scores.ravel(), truth.ravel(), np.repeat(np.arange(n), c))]


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([None, 1, 0]), st.sampled_from([1, 3, 256]))
def test_equals_scikit_learn_on_the_repeated_images(seed: int, decimals: int | None, chunk: int) -> None:
    from sklearn.metrics import average_precision_score

    scores, truth, codes = sample(80, seed=seed, decimals=decimals)
    times = np.concatenate([leave_one_tile_out.leave_one_out(7), leave_one_tile_out.resamples(7, seed, 5)])  # float64
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leave_one_tile_out, "_CHUNK", chunk)  # groups of equal scores reach over the edge of a chunk
        got = leave_one_tile_out.average_precision(rankings(scores, truth), codes, times)
    for row, by_cluster in zip(got, times.astype(int), strict=True):
        images = np.repeat(np.arange(80), by_cluster[codes])
        for k in range(4):
            if truth[images, k].any():
                expected = average_precision_score(truth[images, k], scores[images, k])
                assert row[k] == pytest.approx(expected, abs=1e-12)
            else:
                assert np.isnan(row[k])
        micro = average_precision_score(truth[images], scores[images], average="micro")
        assert row[4] == pytest.approx(micro, abs=1e-12)


def test_equals_a_pass_over_all_places_to_the_last_digits() -> None:
    """Left-out values in float64, since the jackknife lives on their small differences; float32 for resamples."""
    scores, truth, codes = sample(40_000)
    ranked = rankings(scores, truth)
    for times, within in ((leave_one_tile_out.leave_one_out(7), 1e-13), (leave_one_tile_out.resamples(7, 0, 6), 1e-6)):
        got = leave_one_tile_out.average_precision(ranked, codes, times)
        direct = [[r.average_precision(t.astype(np.float32)[codes]) for r in ranked] for t in times]
        np.testing.assert_allclose(got, direct, rtol=0, atol=within)


def test_float32_that_could_lose_whole_numbers_is_widened(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, truth, codes = sample(3000)
    times = leave_one_tile_out.resamples(7, 0, 10)
    ranked = rankings(scores, truth)
    wide = leave_one_tile_out.average_precision(ranked, codes, times.astype(np.float64))
    assert (leave_one_tile_out.average_precision(ranked, codes, times) != wide).any()
    monkeypatch.setattr(leave_one_tile_out, "EXACT", 3000 * 4)  # what the micro ranking weighs on average
    np.testing.assert_array_equal(leave_one_tile_out.average_precision(ranked, codes, times), wide)


def test_number_of_threads_does_not_change_a_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    scores, truth, codes = sample(3000)
    times = leave_one_tile_out.resamples(7, 0, 20)
    results = []
    for cores in (1, 5):
        monkeypatch.setattr(leave_one_tile_out.os, "cpu_count", lambda cores=cores: cores)
        results.append(leave_one_tile_out.average_precision(rankings(scores, truth), codes, times))
    np.testing.assert_array_equal(*results)


def test_resamples_draw_as_many_clusters_as_there_are() -> None:
    times = leave_one_tile_out.resamples(30, seed=3)
    assert times.shape == (1000, 30)
    assert (times.sum(axis=1) == 30).all()
    assert times.var() == pytest.approx(29 / 30, abs=0.02)
    np.testing.assert_array_equal(times, leave_one_tile_out.resamples(30, seed=3))
    assert (times != leave_one_tile_out.resamples(30, seed=4)).any()
