"""Classifiers of a few labels against their definitions, their draws, and the spread of their figures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from senbench.errors import UsageError
from senbench.scoring import few_shot
from senbench.scoring.classifier import unit
from senbench.scoring.few_shot import METHODS, Evaluated, Training


def scattered(n=240, classes=3, dims=8, noise=1.0, seed=0):
    """Unit rows around one direction per class, with labels; the directions depend on nothing but their number."""
    directions = np.random.default_rng(99).normal(size=(classes, dims)) * 2
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    return unit(directions[labels] + noise * rng.normal(size=(n, dims))), labels, unit(directions)


@pytest.fixture
def pool():
    return Training(*scattered(seed=1))


@pytest.fixture
def evaluated():
    rows, labels, _ = scattered(seed=2)
    return Evaluated(rows, labels)


@pytest.mark.parametrize("name", METHODS)
def test_each_learns_what_can_be_learnt(name, pool, evaluated):
    found = few_shot.hits(pool, evaluated, (1, 16), draws=3)
    assert found[name, 16].by_draw.mean() > 0.9
    assert found[name, 16].by_draw.mean() >= found[name, 1].by_draw.mean()


@pytest.mark.parametrize("name", METHODS)
def test_one_image_per_class_of_two_classes(name):
    rows, labels, texts = scattered(20, classes=2, noise=0.1)
    scores = METHODS[name](Training(rows[:2], labels[:2], texts), rows)
    assert scores.shape == (20, 2)
    assert (scores.argmax(axis=1) == labels).all()


def test_class_means_are_nearest_means(pool, evaluated):
    from sklearn.neighbors import NearestCentroid
    from sklearn.preprocessing import normalize

    centroid = NearestCentroid().fit(pool.rows, pool.labels)
    centroid.centroids_ = normalize(centroid.centroids_)
    expected = centroid.predict(evaluated.rows)
    np.testing.assert_array_equal(few_shot.class_means(pool, evaluated.rows).argmax(axis=1), expected)


def test_tip_adapter_is_its_equation(pool, evaluated):
    x = evaluated.rows[3].astype(float)
    expected = 100 * pool.class_rows.astype(float) @ x
    for row, label in zip(pool.rows.astype(float), pool.labels, strict=True):
        expected[label] += np.exp(-5.5 * (1 - x @ row))
    np.testing.assert_allclose(few_shot.tip_adapter(pool, evaluated.rows)[3], expected, rtol=1e-4)


def test_tip_adapter_without_similar_images_is_zero_shot(pool):
    far = unit(-pool.rows[:1] * 2)
    train = Training(pool.rows[:3], pool.labels[:3], pool.class_rows)
    assert few_shot.tip_adapter(train, far).argmax() == (far @ pool.class_rows.T).argmax()


def test_smaller_draws_lie_within_larger_ones_of_their_class(pool):
    chosen = few_shot.draw(pool.labels, 3, 16, seed=4)
    for c, own in enumerate(chosen):
        assert (pool.labels[own] == c).all()
        assert len(set(own.tolist())) == 16
    assert not np.array_equal(chosen, few_shot.draw(pool.labels, 3, 16, seed=5))


def test_a_class_with_too_few_images(pool):
    with pytest.raises(UsageError, match=r"--shots 81: class 0 has 80 labelled images"):
        few_shot.draw(pool.labels, 3, 81, seed=0)


def test_draws_are_reproducible_and_their_mean_is_that_of_the_images(pool, evaluated):
    one, other = (few_shot.hits(pool, evaluated, (2,), draws=3, seed=7) for _ in range(2))
    for key, found in one.items():
        np.testing.assert_array_equal(found.by_draw, other[key].by_draw)
        assert found.shares.mean() == pytest.approx(found.by_draw.mean())


@pytest.mark.parametrize("cluster", [1, 10])
def test_the_error_holds_draws_and_images(cluster):
    """Accuracies that vary with the draw and with the cluster: 95 % intervals hold the truth about as often."""
    rng, truth, inside, n, draws = np.random.default_rng(5), 0.7, 0, 400, 5
    for _ in range(300):
        place = np.repeat(0.08 * rng.normal(size=n // cluster), cluster) if cluster > 1 else np.zeros(n)
        chance = truth + place[None] + 0.03 * rng.normal(size=(draws, 1))
        right = rng.random(n)[None] < chance
        shares, by_draw = right.mean(axis=0), right.mean(axis=1)
        error, freedom = few_shot.spread(shares, by_draw, np.arange(n) // cluster)
        inside += abs(shares.mean() - truth) < stats.t.ppf(0.975, freedom) * error
    assert 0.92 <= inside / 300 <= 0.99


def test_a_figure_without_draws_has_the_error_of_its_images():
    right = np.arange(50) % 5 > 0
    error, freedom = few_shot.spread(right.astype(float), np.array([0.8]), np.arange(50))
    assert error == pytest.approx(right.std(ddof=1) / 50**0.5)
    assert freedom == pytest.approx(49)
    assert few_shot.spread(np.ones(9), np.array([1.0]), np.arange(9)) == (0.0, float("inf"))


@pytest.mark.parametrize("groups", [None, 30])
def test_halves_are_disjoint_and_predict_every_image_once(groups):
    _, labels, _ = scattered(120)
    clusters = None if groups is None else np.arange(120) % groups
    seen = []
    for drawn, predicted in few_shot.halved(labels, clusters, seed=3):
        assert not set(drawn) & set(predicted)
        assert len(drawn) + len(predicted) == 120
        assert (np.bincount(labels[drawn]) > 10).all()
        if clusters is not None:
            assert not set(clusters[drawn]) & set(clusters[predicted])
        seen += list(predicted)
    assert sorted(seen) == list(range(120))


def test_labels_of_either_half_are_those_that_train(monkeypatch):
    """A classifier that answers with the labels it was given shows which these are."""
    rows, labels, texts = scattered(60)
    trained = []

    def spy(train, others):
        trained.append((train.rows, others))
        return np.zeros((len(others), 3)) + np.array([1, 0, 0])

    monkeypatch.setitem(METHODS, "class-means", spy)
    found = few_shot.halved_hits(Evaluated(rows, labels), texts, None, (2,), ("class-means",), draws=2)
    assert len(trained) == 4
    for own, others in trained:
        assert len(own) == 6 and len(others) == 30
        assert not {row.tobytes() for row in own} & {row.tobytes() for row in others}
    one = found["class-means", 2]
    np.testing.assert_allclose(one.shares, labels == 0)
    np.testing.assert_allclose(one.by_draw, (labels == 0).mean())


def test_what_cannot_be_halved_is_refused():
    with pytest.raises(UsageError, match="1 clusters cannot be halved"):
        few_shot.halved(np.arange(6) % 3, np.zeros(6), 0)
    with pytest.raises(UsageError, match="2 images cannot be halved"):
        few_shot.halved(np.arange(2), None, 0)
