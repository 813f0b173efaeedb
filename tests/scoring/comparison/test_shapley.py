"""Attribution: exact, symmetric, equal to brute force, and a jackknife that predicts anew."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from senbench.errors import UsageError
from senbench.scoring.comparison.shapley import JackknifeFigure, attribute, combination, figure, shapley_weights
from senbench.scoring.intervals.block_sizes import BlockSizes
from senbench.scoring.sample import Sample


def random_figures(k: int, seed: int = 0) -> list[JackknifeFigure]:
    rng = np.random.default_rng(seed)
    sample = Sample(np.zeros(60, int), "a", np.arange(60) // 6)
    return [JackknifeFigure(float(v), {"": v + 0.1 * rng.normal(size=10)}, sample) for v in rng.random(1 << k)]


def brute_force(values: np.ndarray, k: int) -> np.ndarray:
    """Mean over all orders of what each switch adds when it is thrown."""
    out = np.zeros(k)
    orders = list(itertools.permutations(range(k)))
    for order in orders:
        mask = 0
        for i in order:
            out[i] += values[mask | 1 << i] - values[mask]
            mask |= 1 << i
    return out / len(orders)


@pytest.mark.parametrize("k", [0, 1, 2, 4])
def test_shapley_equals_all_orders_and_sums_to_the_total(k):
    figures = random_figures(k)
    found = attribute(figures)
    values = np.array([f.value for f in figures])
    np.testing.assert_allclose([d.value for d in found.shapley], brute_force(values, k), atol=1e-12)
    assert sum(d.value for d in found.shapley) == pytest.approx(found.total.value, abs=1e-12)
    for i in range(k):
        assert found.from_first[i].value == pytest.approx(values[1 << i] - values[0])
        assert found.from_second[i].value == pytest.approx(values[-1] - values[(1 << k) - 1 - (1 << i)])


def test_swapped_ends_change_every_sign():
    figures = random_figures(3, seed=2)
    found, back = attribute(figures), attribute(figures[::-1])
    for a, b in zip(found.shapley, back.shapley, strict=True):
        assert a.value == pytest.approx(-b.value)
        assert a.ci == pytest.approx([-b.ci[1], -b.ci[0]])
    for a, b in zip(found.from_first, back.from_second, strict=True):
        assert a.value == pytest.approx(-b.value)


def test_weights_of_each_switch_cancel():
    assert np.abs(shapley_weights(5).sum(axis=1)).max() < 1e-12


def test_other_images_are_unpaired_and_their_variances_add():
    a, b = random_figures(1), random_figures(1, seed=9)
    paired, apart = combination([1, -1], a), combination([1, -1], [a[0], b[0]])
    alone = [combination([1], [f]).error for f in (a[0], b[0])]
    assert paired.interval.startswith("paired")
    assert apart.interval.startswith("unpaired")
    assert apart.error == pytest.approx(np.hypot(*alone))


def test_an_undefined_setting_is_never_a_number():
    figures = random_figures(2)
    figures[1] = figures[1]._replace(value=float("nan"))
    found = attribute(figures)
    assert all(d.value is None for d in found.shapley)
    assert found.total.value is not None
    with pytest.raises(UsageError, match="expected 2"):
        attribute(figures[:3])


def test_column_means_are_made_anew_without_each_unit():
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 3, 90)
    scores = (1 + 0.1 * rng.normal(size=(90, 3)) + 0.1 * np.eye(3)[labels]).astype(np.float32)
    clusters = np.arange(90) // 9
    scores[clusters == 0, 0] += 2  # one cluster moves a column mean
    sample = Sample(labels, "abc", clusters)
    found = figure("top1", scores, sample, postprocess="column-mean")
    for g in range(10):
        keep = clusters != g
        divided = scores[keep] / (scores[keep].mean(axis=0) + np.float32(1e-6))
        assert found.left_out[""][g] == pytest.approx((divided.argmax(axis=1) == labels[keep]).mean())
    fixed = scores / (scores.mean(axis=0) + np.float32(1e-6))
    taken_as_given = (fixed[clusters != 0].argmax(axis=1) == labels[clusters != 0]).mean()
    assert found.left_out[""][0] != pytest.approx(taken_as_given)


def test_random_groups_stand_in_for_single_images():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 5000)
    scores = rng.normal(size=(5000, 2)).astype(np.float32)
    found = figure("top1", scores, Sample(labels, "ab"), postprocess="none")
    error = combination([1], [found]).error
    assert error == pytest.approx(np.sqrt(found.value * (1 - found.value) / 5000), rel=0.25)


def test_multi_label_figures():
    rng = np.random.default_rng(4)
    truth = rng.random((80, 3)) < 0.4
    scores = (rng.normal(size=(80, 3)) + truth).astype(np.float32)
    sample = Sample(truth, "abc", np.arange(80) // 8)
    for metric in ("map_macro", "r_precision_micro"):
        found = figure(metric, scores, sample, postprocess="none")
        keep = np.arange(80) >= 8
        part = Sample(truth[keep], "abc", np.arange(72) // 8)
        again = figure(metric, scores[keep], part, postprocess="none")
        assert found.left_out[""][0] == pytest.approx(again.value)
    with pytest.raises(UsageError, match="cannot be attributed"):
        figure("top1", scores, sample, postprocess="none")


def test_a_difference_takes_the_size_of_clusters_with_the_largest_error():
    rng = np.random.default_rng(0)
    scene, block = np.repeat(np.arange(10), 40), np.repeat(np.arange(80), 5)
    labels = rng.integers(0, 3, 400)
    quality = rng.uniform(-0.2, 1, 10)[scene, None]
    first, second = (
        np.asarray(np.eye(3)[labels] * q + rng.normal(0, 0.5, (400, 3)), np.float32) for q in (0.6, quality)
    )
    sizes = BlockSizes("5 km", {"5 km": block, "scene": scene})

    def difference(clusters, by_size=None):
        sample = Sample(labels, "abc", clusters, by_size=by_size)
        return combination([1, -1], [figure("top1", s, sample, postprocess="none") for s in (first, second)])

    both, small, large = difference(block, sizes), difference(block), difference(scene)
    assert small.error < large.error == pytest.approx(both.error)
    assert both.ci == pytest.approx(large.ci)
    assert both.interval == "paired-jackknife-t (10 clusters by scene)"
