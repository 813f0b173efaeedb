"""Differences and interactions: signs, pairing, reasons, coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from senbench.scoring.classifier import class_scores, unit
from senbench.scoring.comparison.contrasts import ResampledCell, combined, contrasts, degrees
from senbench.scoring.intervals.crossed_bootstrap import Draws, Units, cell_draws, prompt_weights
from senbench.scoring.sample import Sample

R, C = 200, 2
SIZES = np.repeat([2, 5], [25, 5])
CLUSTERS = np.repeat(np.arange(30), SIZES)  # 25 effective
SAMPLE = Sample(np.arange(75) % 2, ("x", "y"), CLUSTERS)


def clustered(g):
    """Images of both classes in g equal clusters."""
    return Sample(np.arange(60) % 2, ("x", "y"), np.arange(60) // 2 % g)


def cell(value, seed, noise=0.02, level=0, prompts=20):
    """A cell whose prompts' and images' shares are `noise` each, independent of other seeds."""
    rng = np.random.default_rng(seed)
    p, i, e = (noise * rng.normal(size=(R, 1 + C)) for _ in range(3))
    centre = np.array([value, value + 0.05, value - 0.05])
    return ResampledCell(value, centre[1:], Draws(centre + p, centre + i, centre + p + i + 0 * e), prompts, level)


def grid(cells, sample=SAMPLE, controls=(), matching=None):
    models, styles = list(dict.fromkeys(m for m, _ in cells)), list(dict.fromkeys(s for _, s in cells))
    return contrasts(cells, models, styles, controls, matching or {s: s for s in styles}, sample)


def logit(p):
    return np.log(p / (1 - p))


def test_signs_values_and_order_of_every_comparison():
    values = {("A", "g"): 0.7, ("A", "a"): 0.6, ("B", "g"): 0.55, ("B", "a"): 0.35}
    found = grid({name: cell(v, i) for i, (name, v) in enumerate(values.items())}, matching={"g": "1", "a": "1"})
    assert [(c.kind, c.models, c.styles) for c in found] == [
        ("styles", ("A",), ("g", "a")),
        ("styles", ("B",), ("g", "a")),
        ("models", ("A", "B"), ("g",)),
        ("models", ("A", "B"), ("a",)),
        ("interaction", ("A", "B"), ("g", "a")),
    ]
    assert [c.points.value for c in found] == pytest.approx([0.1, 0.2, 0.15, 0.25, 0.1 - 0.2])
    both = logit(0.7) - logit(0.6) - (logit(0.55) - logit(0.35))
    assert found[-1].log_odds.value == pytest.approx(both)
    assert [c.matched for c in found] == [True, True, None, None, True]
    assert [one.key for one in found[0].per_class] == ["x", "y"]
    assert found[0].per_class[0].points.value == pytest.approx(0.1)


def test_the_interval_is_t_times_the_error_of_the_difference():
    a, b = cell(0.7, 0), cell(0.6, 1)
    points = grid({("A", "g"): a, ("A", "a"): b})[0].points
    p, i, x = (
        np.var(getattr(a.draws, part)[:, 0] - getattr(b.draws, part)[:, 0], ddof=1)
        for part in ("prompts", "images", "crossed")
    )
    variance = 2 * (p + i) - x
    df = (p + i) ** 2 / (p**2 / 19 + i**2 / 24)
    half = stats.t.ppf(0.975, df) * variance**0.5
    assert points.ci == pytest.approx((0.1 - half, 0.1 + half))
    assert points.p == pytest.approx(2 * stats.t.sf(0.1 / variance**0.5, df))
    assert (points.error_prompts, points.error_images) == pytest.approx((p**0.5, i**0.5))
    assert points.interval == "crossed-bootstrap-t (200 draws of prompts x 30 clusters)"


def test_shared_noise_cancels_since_draws_are_paired():
    a, b = cell(0.7, 0), cell(0.6, 0)
    points = grid({("A", "g"): a, ("A", "a"): b})[0].points
    assert points.error_images == pytest.approx(0, abs=1e-12)


def test_holm_runs_over_the_classes_of_one_comparison():
    found = grid({("A", "g"): cell(0.7, 0), ("A", "a"): cell(0.66, 1)})[0]
    ps = [one.points.p for one in found.per_class]
    low, high = sorted(range(2), key=ps.__getitem__)
    assert found.per_class[low].p_holm == pytest.approx(min(1, 2 * ps[low]))
    assert found.per_class[high].p_holm == pytest.approx(min(1, max(2 * ps[low], ps[high])))


def test_controls_stand_second_and_are_not_compared_with_each_other():
    cells = {("A", s): cell(0.5, i) for i, s in enumerate(("control-x", "g", "control-y"))}
    found = grid(cells, controls=("control-x", "control-y"))
    assert [(c.styles, c.control) for c in found] == [(("g", "control-x"), True), (("g", "control-y"), True)]


def test_other_access_levels_and_missing_cells_are_not_compared():
    cells = {("A", "g"): cell(0.5, 0), ("A", "a"): cell(0.5, 1, level=3), ("B", "g"): cell(0.5, 2)}
    assert [(c.kind, c.styles) for c in grid(cells)] == [("models", ("g",))]


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        (clustered(4), "none: 4 clusters, 5 are needed"),
        (clustered(1), "none: all images are in one cluster"),
    ],
)
def test_few_clusters_give_the_difference_without_an_interval(sample, reason):
    found = grid({("A", "g"): cell(0.7, 0), ("A", "a"): cell(0.6, 1)}, sample)[0]
    for one in (found.points, found.log_odds, found.per_class[0].points):
        assert one.value is not None
        assert (one.ci, one.p, one.interval) == (None, None, reason)


def test_rare_classes_undefined_log_odds_and_single_prompts_say_so():
    rare = Sample(np.repeat([0, 1], [25, 9]), ("x", "y"))
    found = grid({("A", "g"): cell(1.0, 0), ("A", "a"): cell(0.6, 1, prompts=1)}, rare)[0]
    assert found.per_class[1].points.interval == "none: fewer than 10 images hold the class"
    assert found.per_class[1].p_holm is None
    assert found.log_odds.value is None
    assert "too narrow" in found.points.interval
    assert "one prompt in a class" in found.points.interval


def test_draws_without_a_figure_are_counted_then_refused():
    a, b = cell(0.7, 0), cell(0.6, 1)
    a.draws.crossed[:6] = np.nan
    assert "6 undefined" in grid({("A", "g"): a, ("A", "a"): b})[0].points.interval
    a.draws.crossed[:40] = np.nan
    assert grid({("A", "g"): a, ("A", "a"): b})[0].points.interval == "none: undefined in 40 of 200 draws"


def test_a_class_in_nine_clusters_has_no_interval():
    labels = np.where((CLUSTERS < 9) & (np.arange(75) % 2 == 1), 1, 0)
    found = grid({("A", "g"): cell(0.7, 0), ("A", "a"): cell(0.6, 1)}, Sample(labels, ("x", "y"), CLUSTERS))[0]
    assert found.per_class[0].points.ci is not None
    assert found.per_class[1].points.interval == "none: fewer than 10 clusters hold the class"


def test_draws_that_all_agree_are_no_difference_or_one_that_is_not_tested():
    def constant(value):
        drawn = np.full((R, 1 + C), value)
        return ResampledCell(value, np.full(C, value), Draws(drawn, drawn, drawn), 20)

    for other, p in ((0.5, 1.0), (0.25, None)):
        points = grid({("A", "g"): constant(0.5), ("A", "a"): constant(other)})[0].points
        assert (points.ci, points.p) == ((0.5 - other, 0.5 - other), p)
        assert (points.error_prompts, points.error_images) == (0, 0)
        assert points.interval.endswith(", all draws agree")


def test_variances_and_degrees_combine():
    assert combined(2.0, 3.0, 5.0) == 5.0  # nothing from their combination
    assert combined(2.0 + 1, 3.0 + 1, 2 + 3 + 3 * 1) == 6.0  # counted once, not three times
    assert combined(2.0, 3.0, 9.0) == 3.0
    assert degrees(1.0, 0.0, 7, 30) == 7
    assert degrees(1.0, 1.0, 10, 10) == 20


def population(rng, prototypes, clusters, prompts, joint):
    """Two styles' prompts, two models' images: clusters of unequal size share what is hard about them."""
    c, d = prototypes.shape[1:]
    noise = rng.normal(size=(2, c, prompts, d))
    if joint:
        noise[1] = 0.8 * noise[0] + 0.6 * noise[1]
    texts = [[unit(prototypes[s, k] + 2 * noise[s, k]) for k in range(c)] for s in (0, 1)]
    sizes = np.maximum(1, np.round(15 * np.exp(rng.normal(size=clusters) - 0.5))).astype(int)
    codes = np.repeat(np.arange(clusters), sizes)
    labels = rng.integers(0, c, len(codes))
    shared = 0.7 * rng.normal(size=(clusters, c, d))[codes, labels]
    clean = 0.55 * prototypes.mean(axis=0)[labels] + shared
    images = [unit(clean + noise * rng.normal(size=clean.shape)) for noise in (0.9, 1.2)]
    return texts, images, labels, codes


def figures(texts, images, labels):
    """Top-1 of two models (rows) and two styles."""
    rows = [np.concatenate(of_style) for of_style in texts]
    text_class = np.repeat(np.arange(len(texts[0])), len(texts[0][0]))
    predicted = [[class_scores(x, t, text_class, len(texts[0])).argmax(1) for t in rows] for x in images]
    return (np.array(predicted) == labels).mean(axis=2)


@pytest.mark.slow
@pytest.mark.parametrize(("clusters", "prompts", "joint"), [(30, 20, False), (10, 10, True)])
def test_intervals_cover_what_new_prompts_and_new_clusters_would_give(clusters, prompts, joint):
    """Nominal 0.95; prompts alone or images alone would leave out a part of what is unknown."""
    rng = np.random.default_rng(clusters)
    c, d, samples, draws = 4, 24, 120, 150
    prototypes = rng.normal(size=(1, c, d)) + 0.5 * rng.normal(size=(2, c, d))
    many = [figures(*population(rng, prototypes, 60, prompts, joint)[:3]) for _ in range(250)]
    true = np.mean([[v[0, 0] - v[0, 1], v[0, 0] - v[0, 1] - v[1, 0] + v[1, 1]] for v in many], axis=0)
    covered, images_only = np.zeros(2), 0
    for sample in range(samples):
        texts, images, labels, codes = population(rng, prototypes, clusters, prompts, joint)
        values = figures(texts, images, labels)
        sampled = Sample(labels, "abcd", codes)
        units = Units.of(sampled, draws, sample)
        cells = {}
        for s, of_style in enumerate(texts):
            weights = prompt_weights(of_style, [k if joint else 100 * s + k for k in range(c)], draws, sample)
            for m, x in enumerate(images):
                found = cell_draws(x, of_style, weights, labels, units)
                cells[f"m{m}", f"s{s}"] = ResampledCell(float(values[m, s]), np.full(c, np.nan), found, prompts)
        made = contrasts(cells, ("m0", "m1"), ("s0", "s1"), (), {"s0": "0", "s1": "1"}, sampled)
        for j, one in enumerate((made[0], made[-1])):
            low, high = one.points.ci
            covered[j] += low <= true[j] <= high
        images_only += abs(made[0].points.value - true[0]) <= 2.05 * made[0].points.error_images
    assert (covered / samples > 0.93).all()
    assert images_only / samples < 0.93
    print(covered / samples, images_only / samples)
