"""Intervals: brute force, coverage by simulation, and what must not get one."""

from __future__ import annotations

import numpy as np
import pytest

from senbench.errors import UsageError
from senbench.scoring import classifier
from senbench.scoring.intervals import bootstrap
from senbench.scoring.postprocess import column_mean
from senbench.scoring.single_label.evaluate import score_single_label, zero_shot
from senbench.scoring.transductive import dap_prior, repredicted

KEYS = ("a", "b", "c")


def sample(rng: np.random.Generator, n: int, clusters: np.ndarray | None = None):
    """Three unequal classes; with clusters, class mix and score shift vary between them."""
    if clusters is None:
        labels = rng.choice(3, n, p=[0.6, 0.3, 0.1])
        shift = 0.0
    else:
        mix = rng.dirichlet([1.2, 0.9, 0.6], clusters.max() + 1)[clusters]
        labels = (rng.random((n, 1)) > mix.cumsum(1)[:, :2]).sum(1)
        shift = rng.normal(0, 0.08, (clusters.max() + 1, 3))[clusters]
    scores = np.eye(3)[labels] * 0.1 + rng.normal(0.4, 0.1, (n, 3)) + shift
    return scores.astype(np.float32), labels


def evaluate(scores, labels, **options):
    return score_single_label(scores, labels, class_keys=KEYS, class_names=KEYS, **options)


def unequal(rng: np.random.Generator, g: int) -> np.ndarray:
    return np.repeat(np.arange(g), np.maximum(2, rng.lognormal(3, 1, g).astype(int)))


# --- against brute force ---------------------------------------------------------------------------


def test_bootstrap_draws_n_images_with_replacement() -> None:
    for n in (1, 7, 1000, 70_000):
        blocks = list(bootstrap.bootstrap_weights(n, 30, seed=3))
        weights = np.concatenate(blocks)
        assert weights.shape == (30, n)
        assert (weights.sum(axis=1) == n).all()
    assert weights.var() == pytest.approx(1, abs=0.01)  # Poisson-like counts
    again = np.concatenate(list(bootstrap.bootstrap_weights(n, 30, seed=3)))
    np.testing.assert_array_equal(weights, again)


@pytest.mark.parametrize("postprocess", ["none", "column-mean"])
def test_resampled_totals_equal_scoring_the_resample(postprocess: str) -> None:
    """The interval's resamples are what one gets from repeating the images and scoring from the start."""
    from senbench.scoring.single_label.sums import statistic

    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 50)
    weights = next(iter(bootstrap.bootstrap_weights(50, 20, seed=1)))
    totals = _fixed(scores, labels) if postprocess == "none" else repredicted(scores, labels, None)
    got = statistic(totals.resampled(weights), 3)
    for row, w in zip(got, weights.astype(int), strict=True):
        chosen = np.repeat(np.arange(50), w)
        figures = evaluate(scores[chosen], labels[chosen], postprocess=postprocess).metrics
        assert row[0] == pytest.approx(figures["top1"].value)
        assert row[2] == pytest.approx(figures["balanced_accuracy"].value)
        assert row[3] == pytest.approx(figures["f1_macro"].value)


def _fixed(scores, labels) -> bootstrap.FixedSums:
    from senbench.scoring.single_label.sums import image_rows

    rows = image_rows(labels, scores.argmax(1), np.ones(len(labels), bool), 3, None)
    return bootstrap.FixedSums(rows.astype(np.float32))


def test_column_mean_resamples_are_not_those_of_fixed_predictions() -> None:
    """Bootstrapping the post-processed scores as if they were fixed is the mistake."""
    scores, labels = sample(np.random.default_rng(0), 50)
    weights = next(iter(bootstrap.bootstrap_weights(50, 200, seed=1)))
    fixed = _fixed(column_mean(scores, KEYS)[0], labels).resampled(weights)[:, :3].sum(1)
    anew = repredicted(scores, labels, None).resampled(weights)[:, :3].sum(1)
    assert (fixed != anew).mean() > 0.3


def test_dap_prior_equals_scoring_the_resample() -> None:
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(40, 6)), rng.normal(size=(9, 6))
    text_class = np.repeat([0, 1, 2], 3)
    weights = next(iter(bootstrap.bootstrap_weights(40, 5, seed=1)))
    prior = dap_prior(images, texts, text_class, 3, 15.0)
    scores = classifier.class_scores(images, texts, text_class, 3, "dap", logit_scale=15.0)
    free = scores + prior(np.ones((1, 40), np.float32))
    for w in weights:
        chosen = np.repeat(np.arange(40), w.astype(int))
        expected = classifier.class_scores(images[chosen], texts, text_class, 3, "dap", logit_scale=15.0)
        np.testing.assert_allclose((free - prior(w[None]))[chosen], expected, atol=1e-3)


def test_totals_of_the_whole_sample_are_its_figures() -> None:
    """Tied classes, top-5 and the prior's sign, which only the sample as a whole shows exactly."""
    from senbench.scoring.single_label.sums import statistic

    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(80, 4)) + 0.8, rng.normal(size=(14, 4)) + 0.8
    texts[2:4] = texts[:2]  # classes 0 and 1 tie everywhere
    texts[12:] = texts[10:12]  # and so do classes 5 and 6
    text_class, labels = np.repeat(np.arange(7), 2), rng.integers(0, 7, 80)
    keys, ones = tuple("abcdefg"), np.ones((1, 80), np.float32)
    for rule, postprocess in (("norm-mean-norm", "column-mean"), ("dap", "none")):
        scores = classifier.class_scores(images, texts, text_class, 7, rule, logit_scale=3.0)
        names = {"class_keys": keys, "class_names": keys}
        figures = score_single_label(scores, labels, rule=rule, postprocess=postprocess, **names)
        assert figures.ties > 0
        prior = dap_prior(images, texts, text_class, 7, 3.0) if rule == "dap" else None
        got = statistic(repredicted(scores, labels, prior).resampled(ones), 7)[0]
        for j, name in enumerate(("top1", "top5", "balanced_accuracy", "f1_macro")):
            assert got[j] == pytest.approx(figures.metrics[name].value), (rule, name)


def test_resamples_are_one_stream_of_draws_whatever_the_blocks() -> None:
    from senbench.scoring.intervals.bootstrap import bootstrap_weights

    rng = np.random.default_rng(5)
    want = [np.bincount(rng.integers(0, 50, 50, dtype=np.uint32), minlength=50) for _ in range(300)]
    blocks = list(bootstrap_weights(50, 300, 5))
    assert len(blocks) > 2
    np.testing.assert_array_equal(np.concatenate(blocks), want)


@pytest.mark.parametrize("n", [1, 2, 40, 41, 2000])
def test_percentiles_are_those_of_numpy(n: int) -> None:
    draws = np.random.default_rng(n).random(n)
    got = bootstrap._percentile(draws, 0.5, np.array([0.0, 1.0]), recentre=False)
    assert got.ci == pytest.approx(tuple(np.quantile(draws, [0.025, 0.975])), abs=1e-12)
    some = np.append(draws, [np.nan] * (n // 20))
    assert bootstrap._percentile(some, 0.5, np.array([0.0, 1.0]), recentre=False)[::2] == (got.ci, n // 20)


def test_leaving_out_a_cluster_equals_deleting_its_images() -> None:
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 60)
    codes = rng.integers(0, 5, 60)
    for totals in (_fixed(scores, labels), repredicted(scores, labels, None)):
        left_out = totals.without(codes, 5)
        for g in range(5):
            keep = (codes != g).astype(np.float32)[None]
            np.testing.assert_allclose(left_out[g], totals.resampled(keep)[0])


# --- coverage --------------------------------------------------------------------------------------


def coverage(draw, truth: dict[str, float], times: int, **options) -> dict[str, float]:
    hits = dict.fromkeys(truth, 0)
    for seed in range(times):
        scores, labels, clusters = draw(np.random.default_rng(seed))
        figures = evaluate(scores, labels, clusters=clusters, seed=seed, **options).metrics
        for name, value in truth.items():
            low, high = figures[name].ci
            hits[name] += low <= value <= high
    return {name: count / times for name, count in hits.items()}


def truths(scores, labels, names: tuple[str, ...], **options) -> dict[str, float]:
    figures = evaluate(scores, labels, clusters=np.zeros(len(labels)), **options).metrics  # one cluster: no interval
    return {name: figures[name].value for name in names}


PLAIN = ("top1", "balanced_accuracy", "f1_macro")


@pytest.mark.slow
def test_iid_coverage() -> None:
    names = (*PLAIN, "nll", "brier")
    truth = truths(*sample(np.random.default_rng(9), 1_000_000), names, logit_scale=12.0)
    got = coverage(lambda rng: (*sample(rng, 300), None), truth, 300, logit_scale=12.0)
    assert all(0.92 <= share <= 0.975 for share in got.values()), got
    # The root of a debiased square: at least nominal, and not vacuous.
    truth = truths(*sample(np.random.default_rng(9), 1_000_000), ("ece",), logit_scale=25.0)
    got = coverage(lambda rng: (*sample(rng, 600), None), truth, 150, logit_scale=25.0)
    assert got["ece"] >= 0.92


@pytest.mark.slow
def test_column_mean_coverage() -> None:
    truth = truths(*sample(np.random.default_rng(9), 1_000_000), PLAIN, postprocess="column-mean")
    got = coverage(lambda rng: (*sample(rng, 300), None), truth, 150, postprocess="column-mean")
    assert all(0.90 <= share <= 0.99 for share in got.values()), got


@pytest.mark.slow
def test_cluster_coverage_and_that_of_ignoring_clusters() -> None:
    """Thirty unequal, correlated clusters: the jackknife covers, intervals that take images as units do not."""
    rng = np.random.default_rng(9)
    big = unequal(rng, 20_000)
    truth = truths(*sample(rng, len(big), big), PLAIN)

    def draw(rng: np.random.Generator):
        clusters = unequal(rng, 30)
        return (*sample(rng, len(clusters), clusters), clusters)

    clustered = coverage(draw, truth, 300)
    assert all(share >= 0.90 for share in clustered.values()), clustered
    ignored = coverage(lambda rng: (*draw(rng)[:2], None), truth, 200)
    assert all(share < 0.75 for share in ignored.values()), ignored


# --- labels and refusals ---------------------------------------------------------------------------


def test_labels_say_how_the_interval_was_made() -> None:
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 300)
    clusters = np.array([f"33UU{g:02d}" for g in rng.integers(0, 12, 300)])
    assert evaluate(scores, labels).metrics["top1"].interval == "iid-bootstrap"
    label = evaluate(scores, labels, clusters=clusters).metrics["top1"].interval
    assert label.startswith("cluster-jackknife-t (12 clusters, ")
    assert "effective" in label
    assert "design effect" in label


def test_identical_images_in_clusters_have_their_size_as_design_effect() -> None:
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 100)
    figures = evaluate(
        np.repeat(scores, 8, axis=0), np.repeat(labels, 8), clusters=np.repeat(np.arange(100), 8)
    ).metrics
    effect = float(figures["top1"].interval.split("design effect ")[1].rstrip(")"))
    assert effect == pytest.approx(8, rel=0.2)
    narrow = evaluate(scores, labels).metrics["top1"].ci
    wide = figures["top1"].ci
    assert wide[1] - wide[0] == pytest.approx(narrow[1] - narrow[0], rel=0.1)


def test_one_cluster_or_one_image_gives_the_reason_and_no_error() -> None:
    scores, labels = sample(np.random.default_rng(0), 100)
    figure = evaluate(scores, labels, clusters=["33UUP"] * 100).metrics["top1"]
    assert figure.value is not None
    assert figure.ci is None
    assert figure.interval == "none: all images are in one cluster"
    assert evaluate(scores[:1], labels[:1]).metrics["top1"].interval == "none: a single image"


def test_clusters_must_be_one_per_image() -> None:
    scores, labels = sample(np.random.default_rng(0), 20)
    with pytest.raises(UsageError, match=r"clusters have shape \(19,\)"):
        evaluate(scores, labels, clusters=np.arange(19))


def test_per_class_intervals_need_ten_units() -> None:
    labels = np.repeat([0, 1, 2], [9, 10, 81])
    scores = sample(np.random.default_rng(0), 100)[0]
    assert [ci is not None for ci in evaluate(scores, labels).recall_ci] == [False, True, True]
    clusters = np.where(labels == 1, 0, np.arange(100) % 20)  # ten images of class 1, all in one place
    assert [ci is not None for ci in evaluate(scores, labels, clusters=clusters).recall_ci] == [
        False,
        False,
        True,
    ]


def test_intervals_stay_in_range_and_around_the_value() -> None:
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 40)
    for clusters in (None, rng.integers(0, 3, 40)):
        for postprocess in ("none", "column-mean"):
            got = evaluate(scores, labels, logit_scale=50.0, clusters=clusters, postprocess=postprocess)
            for name, figure in got.metrics.items():
                if figure.ci:
                    assert 0 <= figure.ci[0] <= figure.value <= figure.ci[1], name
                    assert figure.ci[1] <= {"nll": np.inf, "brier": 2}.get(name, 1), name


def test_losses_may_exceed_one() -> None:
    scores, labels = sample(np.random.default_rng(0), 200)
    figures = evaluate(scores, (labels + 1) % 3, logit_scale=100.0).metrics
    for name in ("nll", "brier"):
        low, high = figures[name].ci
        assert 1 < low < figures[name].value < high


def test_perfect_predictions_warn_of_the_zero_width() -> None:
    labels = np.arange(30) % 3
    got = evaluate(np.eye(3, dtype=np.float32)[labels], labels)
    assert got.metrics["top1"].ci == (1.0, 1.0)
    assert any("zero width" in w for w in got.warnings)


def test_seed_fixes_the_interval() -> None:
    scores, labels = sample(np.random.default_rng(0), 200)
    a, b, c = (evaluate(scores, labels, seed=s).metrics["f1_macro"].ci for s in (1, 1, 2))
    assert a == b != c


def test_resamples_with_a_column_mean_below_zero_are_counted() -> None:
    rng = np.random.default_rng(0)
    scores, labels = sample(rng, 30)
    few = scores.copy()
    few[:, 2] = rng.normal(0, 0.1, 30)
    few[:, 2] += 0.03 - few[:, 2].mean()
    assert "undefined)" in evaluate(few, labels, postprocess="column-mean").metrics["top1"].interval
    few[:, 2] += 0.004 - few[:, 2].mean()
    figure = evaluate(few, labels, postprocess="column-mean").metrics["top1"]
    assert figure.ci is None
    assert figure.interval.startswith("none: undefined in ")


def test_dap_gets_intervals_only_where_its_prior_can_be_recomputed() -> None:
    rng = np.random.default_rng(0)
    images, texts = rng.normal(size=(60, 6)), rng.normal(size=(9, 6))
    text_class, labels = np.repeat([0, 1, 2], 3), rng.integers(0, 3, 60)
    names = {"class_keys": KEYS, "class_names": KEYS}
    got = zero_shot(images, texts, text_class, labels, rule="dap", logit_scale=15.0, **names)
    assert got.metrics["top1"].ci is not None
    assert got.access_level == 2
    alone = score_single_label(got.scores, labels, rule="dap", **names)
    assert alone.metrics["top1"].ci is None
    assert alone.metrics["top1"].value == got.metrics["top1"].value
    assert "p(t)" in alone.metrics["top1"].interval
