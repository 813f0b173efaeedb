"""Multi-label figures against scikit-learn and naive loops."""

from __future__ import annotations

import numpy as np
import pytest
from multi_hot import sample
from scored import evaluate

from senbench.errors import UsageError
from senbench.scoring.intervals import leave_one_tile_out
from senbench.scoring.multi_label.evaluate import macro_map
from senbench.scoring.multi_label.ranking import Ranking
from senbench.scoring.sample import Sample


@pytest.mark.parametrize("decimals", [None, 2, 1])
def test_equals_scikit_learn(decimals: int | None) -> None:
    import sklearn.metrics as sk

    scores, truth = sample(decimals=decimals)
    got = evaluate(scores, truth, logit_scale=30.0, logit_bias=-7.0)
    value = {name: figure.value for name, figure in got.metrics.items()}
    assert value["map_macro"] == pytest.approx(sk.average_precision_score(truth, scores, average="macro"))
    assert value["map_micro"] == pytest.approx(sk.average_precision_score(truth, scores, average="micro"))
    some = truth.any(axis=1)
    assert value["lrap"] == pytest.approx(sk.label_ranking_average_precision_score(truth[some], scores[some]))
    each = sk.average_precision_score(truth, scores, average=None)
    assert [e.average_precision for e in got.per_label] == pytest.approx(list(each))
    probs = 1 / (1 + np.exp(-(30.0 * scores.astype(float) - 7)))
    assert value["nll"] == pytest.approx(sk.log_loss(truth.ravel(), probs.ravel()))
    assert value["brier"] == pytest.approx(sk.brier_score_loss(truth.ravel(), probs.ravel()))


def naive_r_precision(scores, truth) -> tuple[float, float]:
    hits, total, shares = 0, 0, []
    for s, t in zip(scores, truth, strict=True):
        k = int(t.sum())
        if k:
            best = sorted(range(len(s)), key=lambda c: (-s[c], c))[:k]
            hit = sum(bool(t[c]) for c in best)
            hits, total = hits + hit, total + k
            shares.append(hit / k)
    return hits / total, float(np.mean(shares))


@pytest.mark.parametrize("decimals", [None, 1])
def test_r_precision_equals_naive_loop(decimals: int | None) -> None:
    scores, truth = sample(decimals=decimals)
    got = evaluate(scores, truth)
    micro, samples = naive_r_precision(scores, truth)
    assert got.metrics["r_precision_micro"].value == pytest.approx(micro)
    assert got.metrics["r_precision_samples"].value == pytest.approx(samples)
    constant = np.tile(truth.sum(0), (len(truth), 1))
    assert got.lines["constant_ranking"] == pytest.approx(naive_r_precision(constant, truth)[0])
    assert got.lines["prevalence"] == pytest.approx(truth.mean())


def test_constant_ranking_beats_a_random_one() -> None:
    """The reason for the line: frequency alone scores well in R-precision, and prevalence in AP."""
    scores, truth = sample(5000)
    noise = np.random.default_rng(1).random(scores.shape).astype(np.float32)
    got = evaluate(noise, truth)
    assert got.lines["constant_ranking"] > got.metrics["r_precision_micro"].value + 0.1
    assert got.metrics["map_macro"].value == pytest.approx(got.lines["prevalence"], abs=0.02)


def test_images_without_labels_count_for_ap_only() -> None:
    scores, truth = sample()
    some = truth.any(axis=1)
    got, without = evaluate(scores, truth), evaluate(scores[some], truth[some])
    assert 0 < got.n_unlabelled == (~some).sum()
    for name in ("lrap", "r_precision_micro", "r_precision_samples"):
        assert got.metrics[name].value == pytest.approx(without.metrics[name].value)
        assert got.metrics[name].n == some.sum()
    assert got.metrics["map_macro"].n == 200
    assert got.metrics["map_macro"].value != without.metrics["map_macro"].value
    assert any("have no label" in w for w in got.warnings)


def test_labels_without_positives_leave_the_macro_mean() -> None:
    scores, truth = sample()
    truth[:, 5] = False
    got = evaluate(scores, truth)
    kept = [e.average_precision for e in got.per_label[:5]]
    assert got.metrics["map_macro"].value == pytest.approx(np.mean(kept))
    assert got.per_label[5].average_precision is None
    assert any("1 of 6 labels have no positive: left out of map_macro (f)" in w for w in got.warnings), got.warnings


def test_labels_lost_in_resamples_are_counted() -> None:
    scores, truth = sample()
    truth[:, 5] = False
    truth[:2, 5] = True
    got = evaluate(scores, truth)
    assert got.metrics["map_macro"].ci is not None
    assert any("no positive in" in w and "resamples" in w for w in got.warnings)
    assert got.per_label[5].ci is None


def test_intervals_by_image_and_by_cluster() -> None:
    scores, truth = sample()
    clusters = np.random.default_rng(0).integers(0, 12, 200)
    plain, grouped = evaluate(scores, truth), evaluate(scores, truth, clusters=clusters)
    assert plain.metrics["map_macro"].interval == "iid-bootstrap (500 resamples)"
    assert grouped.metrics["map_micro"].interval.startswith("cluster-jackknife-t (12 clusters")
    for got in (plain, grouped):
        for name in ("map_macro", "map_micro", "lrap", "r_precision_micro", "r_precision_samples"):
            low, high = got.metrics[name].ci
            assert 0 <= low < got.metrics[name].value < high <= 1


def test_clusters_and_design_effect_are_in_the_result() -> None:
    """Every image eight times in its own cluster: the information of an eighth of them."""
    scores, truth = sample(100)
    got = evaluate(np.repeat(scores, 8, axis=0), np.repeat(truth, 8, axis=0), clusters=np.repeat(np.arange(100), 8))
    assert got.clustering.clusters == 100
    assert got.clustering.effective == pytest.approx(100)
    assert got.clustering.design_effect == pytest.approx(8, rel=0.1)
    assert got.clustering.sizes["42"] == 8
    assert f"design effect {got.clustering.design_effect:.2f}" in got.metrics["map_macro"].interval
    alone = evaluate(scores, truth, clusters=np.arange(100))
    assert alone.clustering.design_effect == pytest.approx(1, rel=0.1)
    assert evaluate(scores, truth).clustering is None


def test_resamples_of_clusters_are_a_second_opinion() -> None:
    scores, truth = sample(600)
    clusters = np.random.default_rng(0).integers(0, 30, 600)
    got = evaluate(scores, truth, clusters=clusters)
    assert set(got.resampled) == {"map_macro", "map_micro"}
    for name, (low, high) in got.resampled.items():
        ci = got.metrics[name].ci
        assert low < got.metrics[name].value < high
        assert high - low == pytest.approx(ci[1] - ci[0], rel=0.35)
    ranked = [Ranking.of(scores[:, k], truth[:, k]) for k in range(6)]
    draws = leave_one_tile_out.average_precision(ranked, clusters, leave_one_tile_out.resamples(30, seed=0)).mean(
        axis=1
    )
    centred = np.quantile(draws, [0.025, 0.975]) - draws.mean() + got.metrics["map_macro"].value
    assert got.resampled["map_macro"] == pytest.approx(tuple(centred), abs=1e-9)
    again = evaluate(scores, truth, clusters=clusters)
    assert got.resampled == again.resampled
    assert got.resampled != evaluate(scores, truth, clusters=clusters, seed=1).resampled


def test_labels_lost_with_a_cluster_or_in_resamples_of_clusters_are_counted() -> None:
    scores, truth = sample()
    clusters = np.arange(200) % 20
    truth[:, 5] = clusters == 3
    truth[:, 4] = np.isin(clusters, [3, 4])
    got = evaluate(scores, truth, clusters=clusters)
    assert got.metrics["map_macro"].ci is not None
    assert any("'f' has positives in one cluster only" in w for w in got.warnings)
    counts = [int(w.split(" positive in ")[1].split()[0]) for w in got.warnings if "of 1000 resamples of clusters" in w]
    assert counts[1] == pytest.approx(1000 * 0.95**20, abs=60)
    assert counts[0] == pytest.approx(1000 * 0.9**20, abs=45)


def test_intervals_per_label_need_ten_clusters_with_a_positive() -> None:
    scores, truth = sample()
    clusters = np.arange(200) % 20
    truth[:, 4] = (clusters < 9) & (np.arange(200) < 60)
    truth[:, 5] = (clusters < 10) & (np.arange(200) < 60)
    got = evaluate(scores, truth, clusters=clusters)
    assert [entry.ci is not None for entry in got.per_label[4:]] == [False, True]


def test_only_so_many_replicates_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    from senbench.scoring.multi_label import evaluate as multilabel

    scores, truth = sample()
    clusters = np.arange(200) % 20
    monkeypatch.setattr(multilabel, "MAX_REPLICATES", 45)
    assert list(evaluate(scores, truth, clusters=clusters).replicates) == ["map_macro", "map_micro"]
    monkeypatch.setattr(multilabel, "MAX_REPLICATES", 19)
    none = evaluate(scores, truth, clusters=clusters)
    assert (none.replicates, none.clustering.sizes) == ({}, {})
    monkeypatch.setattr(multilabel, "MAX_REPLICATES", 600)
    level2 = evaluate(scores, truth, clusters=clusters, postprocess="column-mean")
    assert list(level2.replicates) == list(level2.resampled) == ["map_macro"]


def test_column_mean_leaves_macro_ap_and_moves_the_rest() -> None:
    scores, truth = sample()
    plain, divided = evaluate(scores, truth), evaluate(scores, truth, postprocess="column-mean")
    assert divided.metrics["map_macro"].value == pytest.approx(plain.metrics["map_macro"].value)
    assert divided.metrics["map_macro"].ci is not None
    assert divided.metrics["lrap"].value != plain.metrics["lrap"].value
    assert divided.metrics["lrap"].ci is None
    assert divided.access_level == 2


def test_calibration_needs_scale_and_bias() -> None:
    scores, truth = sample()
    assert evaluate(scores, truth, logit_scale=30.0).metrics["nll"].value is None
    figures = evaluate(scores, truth, logit_scale=30.0, logit_bias=-7.0, rule="max").metrics
    assert figures["brier"].value is None


def test_bad_labels_are_one_clear_line() -> None:
    scores, truth = sample()
    with pytest.raises(UsageError, match="expected 0 and 1"):
        evaluate(scores, truth * 2)
    with pytest.raises(UsageError, match=r"\(200, 6\).*\(200, 5\)"):
        evaluate(scores, truth[:, :5])
    with pytest.raises(UsageError, match="no image has any label"):
        evaluate(scores, np.zeros_like(truth))


def test_labels_with_few_positives_are_named() -> None:
    rng = np.random.default_rng(0)
    truth = np.zeros((80, 3), bool)
    truth[:40, 0], truth[:5, 1], truth[:6, 2] = True, True, True
    got = evaluate(rng.normal(size=(80, 3)).astype(np.float32), truth)
    (told,) = [w for w in got.warnings if "biased upwards" in w]
    assert told.startswith("labels with 5 positives or fewer: b (5);")


@pytest.mark.slow
def test_average_precision_of_five_positives_is_biased_upwards() -> None:
    rng = np.random.default_rng(0)

    def mean(positives: int) -> float:
        found = []
        for _ in range(400):
            truth = np.arange(positives * 50)[:, None] < positives
            scores = (rng.normal(size=truth.shape) + 1.5 * truth).astype(np.float32)
            found.append(macro_map(scores, Sample(truth, "a", np.zeros(len(truth)))).value)
        return float(np.mean(found))

    assert mean(5) - mean(200) > 0.02
