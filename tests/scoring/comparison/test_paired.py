"""Two models on the same tiles, from leave-one-tile-out values alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from scored import evaluate

from senbench.scoring.comparison.paired import PairedDifference, from_left_out, minimum_detectable
from senbench.scoring.multi_label.ranking import Ranking

if TYPE_CHECKING:
    from senbench.scoring.figures import Outcome

PREVALENCE = np.array([0.5, 0.3, 0.15, 0.08])


def unequal(rng: np.random.Generator, g: int) -> np.ndarray:
    return np.repeat(np.arange(g), np.maximum(2, rng.lognormal(3, 1, g).astype(int)))


def draw(rng: np.random.Generator, g: int, gain: float = 0.2):
    """Labels and two models' scores; prevalence, shared difficulty and each model's own shift vary by cluster."""
    codes = unequal(rng, g)
    logit = np.log(PREVALENCE / (1 - PREVALENCE)) + rng.normal(0, 1, (g, 4))
    truth = rng.random((len(codes), 4)) < 1 / (1 + np.exp(-logit))[codes]
    shared = rng.normal(0, 1, truth.shape) + truth + rng.normal(0, 0.5, (g, 4))[codes]
    own = [rng.normal(0, 0.5, truth.shape) + rng.normal(0, 0.3, (g, 4))[codes] for _ in range(2)]
    a = shared + own[0] + gain * truth
    b = shared + own[1]
    return a.astype(np.float32), b.astype(np.float32), truth, codes


def compare(a: Outcome, b: Outcome, metric: str = "map_macro") -> PairedDifference:
    assert list(a.replicates[metric]) == list(b.replicates[metric]) == list(a.clustering.sizes)
    left_out = np.subtract(*(list(x.replicates[metric].values()) for x in (a, b)))
    difference = a.metrics[metric].value - b.metrics[metric].value
    return from_left_out(difference, left_out, np.array(list(a.clustering.sizes.values())))


def macro(scores, truth) -> float:
    ones = np.ones(len(scores), np.float32)
    return float(np.mean([Ranking.of(scores[:, k], truth[:, k]).average_precision(ones) for k in range(4)]))


def test_replicates_are_the_figures_without_each_tile() -> None:
    a, _, truth, codes = draw(np.random.default_rng(0), 12)
    got = evaluate(a, truth, codes)
    assert set(got.replicates) == {"map_macro", "map_micro", "r_precision_micro"}
    for g in range(12):
        keep = codes != g
        rest = evaluate(a[keep], truth[keep], codes[keep]).metrics
        for name, values in got.replicates.items():
            assert values[str(g)] == pytest.approx(rest[name].value, abs=1e-12), name


@pytest.mark.parametrize("metric", ["map_macro", "map_micro", "r_precision_micro"])
def test_difference_equals_the_jackknife_by_hand(metric: str) -> None:
    from scipy import stats

    a, b, truth, codes = draw(np.random.default_rng(1), 12)
    first, second = evaluate(a, truth, codes), evaluate(b, truth, codes)
    got = compare(first, second, metric)
    assert got.difference == first.metrics[metric].value - second.metrics[metric].value
    diffs = [first.replicates[metric][str(g)] - second.replicates[metric][str(g)] for g in range(12)]
    error = np.sqrt(11 * np.var(diffs))
    sizes = np.bincount(codes)
    df = sizes.sum() ** 2 / (sizes**2).sum() - 1
    assert got.error == pytest.approx(error)
    assert got.p == pytest.approx(2 * stats.t.sf(abs(got.difference) / error, df))
    half = stats.t.ppf(0.975, df) * error
    assert got.ci == pytest.approx((got.difference - half, got.difference + half))
    assert got.interval == f"paired-cluster-jackknife-t (12 clusters, {df + 1:.1f} effective)"


def test_pairing_takes_out_what_both_share() -> None:
    a, b, truth, codes = draw(np.random.default_rng(2), 30)
    first, second = evaluate(a, truth, codes), evaluate(b, truth, codes)
    low, high = compare(first, second).ci
    widths = [np.diff(x.metrics["map_macro"].ci)[0] for x in (first, second)]
    assert high - low < 0.7 * np.hypot(*widths)


def test_swapping_the_models_turns_the_sign() -> None:
    a, b, truth, codes = draw(np.random.default_rng(3), 12)
    first, second = evaluate(a, truth, codes), evaluate(b, truth, codes)
    one, other = compare(first, second), compare(second, first)
    assert one.difference == -other.difference
    assert one.ci == pytest.approx((-other.ci[1], -other.ci[0]))
    assert one.p == other.p


def test_the_same_model_twice_is_no_difference() -> None:
    a, _, truth, codes = draw(np.random.default_rng(0), 12)
    got = compare(evaluate(a, truth, codes), evaluate(a, truth, codes))
    assert (got.difference, got.p, got.ci) == (0.0, 1.0, None)
    assert got.interval == "none: all clusters agree exactly"


def test_few_clusters_or_an_undefined_replicate_give_the_reason() -> None:
    got = from_left_out(0.1, np.zeros(3), np.full(3, 3))
    assert got.difference == pytest.approx(0.1)
    assert (got.ci, got.p, got.error) == (None, None, None)
    assert got.interval == "none: 3 clusters, 5 are needed"
    assert from_left_out(0.1, np.zeros(3), np.ones(3), images=True).interval == "none: 3 images, 5 are needed"
    assert from_left_out(0.1, np.zeros(0), np.zeros(0)).ci is None
    holed = np.array([0.0] * 5 + [np.nan])
    assert from_left_out(0.1, holed, np.full(6, 3)).interval == "none: undefined with a cluster left out"


def test_the_minimum_detectable_difference_has_power_80_percent() -> None:
    from scipy import stats

    for df, tests in ((4, 1), (9, 1), (29, 10), (math.inf, 1), (math.inf, 10)):
        least = minimum_detectable(0.02, df, tests) / 0.02
        power = stats.norm.sf(stats.norm.isf(0.025 / tests), loc=least)
        if df != math.inf:
            power = stats.nct.sf(stats.t.isf(0.025 / tests, df), df, least)
        assert power == pytest.approx(0.8, abs=1e-6)
    assert minimum_detectable(1.0) == pytest.approx(2.8016, abs=1e-4)
    assert minimum_detectable(1.0, 9) == pytest.approx(3.15, abs=0.01)
    assert minimum_detectable(1.0, tests=10) == pytest.approx(3.65, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(("g", "tests"), [(5, 1), (10, 1), (10, 10), (30, 10)])
def test_the_stated_difference_is_found_in_four_of_five_studies(g: int, tests: int) -> None:
    rng = np.random.default_rng(0)
    true = minimum_detectable(0.02, g - 1, tests)
    sizes, found = np.full(g, 20), 0
    for _ in range(4000):
        means = rng.normal(true, 0.02 * np.sqrt(g), g)
        left_out = (means.sum() - means) / (g - 1)
        found += from_left_out(float(means.mean()), left_out, sizes).p < 0.05 / tests
    assert 0.78 <= found / 4000 <= 0.82, found / 4000


def test_an_interval_of_another_level_agrees_with_p() -> None:
    left_out = 0.03 + np.random.default_rng(0).normal(0, 0.004, 12)
    got = from_left_out(0.03, left_out, np.full(12, 9))
    assert got.at(0.05) == got
    for alpha in (got.p * 0.999, got.p * 1.001):
        low, high = got.at(alpha).ci
        assert (low > 0 or high < 0) == (alpha > got.p)


def test_equivalence_is_the_90_percent_interval_inside_the_margin() -> None:
    left_out = 0.001 + np.random.default_rng(0).normal(0, 0.0005, 20)
    got = from_left_out(0.001, left_out, np.full(20, 9))
    end = max(abs(x) for x in got.at(0.1).ci)
    assert got.p_equivalent(end * 1.001) < 0.05 < got.p_equivalent(end * 0.999)
    same = from_left_out(0.0, np.zeros(20), np.full(20, 9))
    assert (same.p_equivalent(), same.error) == (0.0, 0.0)
    assert from_left_out(0.0, np.zeros(3), np.full(3, 9)).p_equivalent() is None


@pytest.mark.slow
def test_equivalence_is_claimed_at_the_margin_in_one_of_twenty() -> None:
    rng, found = np.random.default_rng(0), 0
    for _ in range(4000):
        means = rng.normal(0.01, 0.003 * np.sqrt(12), 12)
        got = from_left_out(float(means.mean()), (means.sum() - means) / 11, np.full(12, 9))
        found += got.p_equivalent(0.01) < 0.05
    assert 0.04 <= found / 4000 <= 0.06


@pytest.mark.slow
def test_coverage_with_unequal_correlated_clusters() -> None:
    """Single figures and paired differences of macro mAP cover; a bootstrap that ignores tiles does not."""
    a, b, truth, _ = draw(np.random.default_rng(99), 20_000)
    value = macro(a, truth)
    difference = value - macro(b, truth)
    hits = {"single": 0, "paired": 0, "percentile": 0, "no difference": 0, "ignored": 0}
    times = 300
    for seed in range(times):
        rng = np.random.default_rng(seed)
        a, b, truth, codes = draw(rng, 30)
        first, second = evaluate(a, truth, codes), evaluate(b, truth, codes)
        low, high = first.metrics["map_macro"].ci
        hits["single"] += low <= value <= high
        low, high = first.resampled["map_macro"]
        hits["percentile"] += low <= value <= high
        narrow = np.diff(first.metrics["map_macro"].ci)[0] / 2 / first.clustering.design_effect**0.5
        hits["ignored"] += abs(first.metrics["map_macro"].value - value) <= narrow
        low, high = compare(first, second).ci
        hits["paired"] += low <= difference <= high
        hits["no difference"] += low <= 0 <= high
    share = {name: count / times for name, count in hits.items()}
    assert 0.9 <= share["single"] <= 0.985, share
    assert 0.92 <= share["paired"] <= 0.985, share
    assert share["percentile"] < share["single"], share
    assert share["ignored"] < 0.8, share
    assert share["no difference"] < 0.5, share


@pytest.mark.slow
def test_p_value_is_below_five_percent_as_often_as_it_says() -> None:
    """Two models of the same quality."""
    below = 0
    for seed in range(200):
        a, b, truth, codes = draw(np.random.default_rng(seed), 30, gain=0.0)
        below += compare(evaluate(a, truth, codes), evaluate(b, truth, codes)).p < 0.05
    assert 0.015 <= below / 200 <= 0.08, below
