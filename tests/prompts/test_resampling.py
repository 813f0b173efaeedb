"""Resampled and left-out prompts against the ordinary scoring path."""

from __future__ import annotations

import numpy as np
import pytest
from prompt_pools import COUNTS, TEXT_CLASS, ordinary, repeated

from senbench.errors import UsageError
from senbench.prompts import resampling
from senbench.prompts.pool import RULES, Pool, Truth


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("k", [1, None])
def test_every_draw_is_a_run_with_these_prompts(data, rule, k):
    images, texts, labels = data
    pool, truth = Pool.of(images, texts, TEXT_CLASS, 3, rule), Truth(labels, 3)
    weights = resampling.draw(COUNTS, k, 12, seed=3)
    figures = resampling.resampled(pool, truth, weights)
    for m in range(12):
        scored = ordinary(images, *repeated(texts, [w[:, m] for w in weights]), labels, rule)
        assert truth.summary("top1", figures)[m] == pytest.approx(scored.metrics["top1"].value, abs=1e-9)
        assert figures[m] == pytest.approx([entry.recall for entry in scored.per_class])


def test_draws_in_blocks_are_the_same(data, monkeypatch):
    images, texts, labels = data
    pool, truth = Pool.of(images, texts, TEXT_CLASS, 3), Truth(labels, 3)
    weights = resampling.draw(COUNTS, 1, 30, seed=0)
    whole, left = resampling.resampled(pool, truth, weights), resampling.left_out(pool, truth)
    monkeypatch.setattr(resampling, "CELLS", 160)
    np.testing.assert_array_equal(resampling.resampled(pool, truth, weights), whole)
    for a, b in zip(resampling.left_out(pool, truth)[1], left[1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_draws_without_replacement_hold_k_different_prompts():
    for n, weights in zip((7, 4), resampling.draw((7, 4), 2, 2000, seed=1), strict=True):
        assert set(np.unique(weights)) == {0, 1}
        assert (weights.sum(axis=0) == 2).all()
        assert weights.mean(axis=1) == pytest.approx(2 / n, abs=0.05)


def test_draws_with_replacement_hold_n_prompts():
    (weights,) = resampling.draw((9,), None, 2000, seed=1)
    assert (weights.sum(axis=0) == 9).all()
    assert weights.max() > 1
    assert weights.mean(axis=1) == pytest.approx(1, abs=0.1)


def test_half_of_the_prompts_spread_like_a_bootstrap_of_all():
    """Why half without replacement, or all with it: both spread a mean by its standard error; near n it shrinks."""
    values = np.random.default_rng(0).normal(size=40)

    def spread(k):
        (weights,) = resampling.draw((40,), k, 20_000, seed=2)
        return (values @ weights / weights.sum(axis=0)).std()

    error = values.std() / np.sqrt(40)
    assert spread(20) == pytest.approx(error, rel=0.04)
    assert spread(None) == pytest.approx(error, rel=0.04)
    assert spread(36) < 0.4 * error


def test_k_beyond_half_is_refused():
    assert resampling.check_size((51, 46), None) == 23
    assert resampling.check_size((50, 50), 25) == 25
    with pytest.raises(UsageError, match=r"--k 24 of 46 .* shrinks artificially .* 1 to 23, or --bootstrap"):
        resampling.check_size((51, 46), 24)
    with pytest.raises(UsageError, match="one prompt"):
        resampling.check_size((5, 1), None)


def test_leaving_a_prompt_out_is_a_run_without_it(data):
    images, texts, labels = data
    pool, truth = Pool.of(images, texts, TEXT_CLASS, 3), Truth(labels, 3)
    everything, without = resampling.left_out(pool, truth)
    whole = ordinary(images, texts, TEXT_CLASS, labels).metrics["top1"].value
    gains = resampling.contributions(truth, "top1", everything, without)
    at = 0
    for c, n in enumerate(COUNTS):
        for j in range(n):
            rest = np.arange(13) != at
            scored = ordinary(images, texts[rest], TEXT_CLASS[rest], labels)
            assert without[c][j] == pytest.approx([entry.recall for entry in scored.per_class])
            assert gains[c][j] == pytest.approx(whole - scored.metrics["top1"].value, abs=1e-9)
            at += 1
    assert np.ptp(np.concatenate(gains)) > 0


def test_leaving_a_prompt_out_with_several_labels(data):
    images, texts, labels = data
    several = np.eye(3, dtype=bool)[labels] | (np.random.default_rng(0).random((80, 3)) < 0.2)
    truth = Truth(several, 3)
    _, without = resampling.left_out(Pool.of(images, texts, TEXT_CLASS, 3), truth)
    rest = np.arange(13) != 5
    scored = ordinary(images, texts[rest], TEXT_CLASS[rest], several)
    assert truth.summary("map_macro", without[1])[1] == pytest.approx(scored.metrics["map_macro"].value, abs=1e-9)


def test_the_only_prompt_of_a_class_has_no_contribution():
    images, texts = np.eye(3), np.eye(3)
    truth = Truth(np.arange(3), 2 + 1)
    everything, without = resampling.left_out(Pool.of(images, texts, np.arange(3), 3), truth)
    assert all(np.isnan(g).all() for g in resampling.contributions(truth, "top1", everything, without))


def test_flips():
    a, b, c = np.array([3.0, 1, 2, 5]), np.array([2.0, 2, 2, 2]), np.array([1.0, 1, 3, 1])
    found = resampling.flips([3, 2, 1], [a, b, c])
    assert found.pairs == {(0, 1): 0.25, (0, 2): 0.25, (1, 2): 0.25}  # equal values turn nothing round
    assert found.order_changes == 0.5
    level = resampling.flips([2, 2], [a, b])
    assert level.pairs == {(0, 1): None}
    assert level.order_changes == 0


def test_steps_end_at_half():
    assert resampling.steps(23) == (1, 2, 5, 10, 23)
    assert resampling.steps(25) == (1, 2, 5, 10, 25)
    assert resampling.steps(1) == (1,)
