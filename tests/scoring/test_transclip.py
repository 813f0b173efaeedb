"""TransCLIP against a transcription of its equations and against recorded accuracies, and its neighbours."""

from __future__ import annotations

import json

import numpy as np
import pytest

from senbench.scoring.classifier import unit
from senbench.scoring.transclip import NEIGHBOURS, Neighbours, effect, transclip

FLOAT32 = ["GeoRSCLIP_ViT-H-14", "GeoRSCLIP_ViT-L-14", "RemoteCLIP_RN50", "RemoteCLIP_ViT-L-14", "SkyCLIP50_ViT-L-14"]


def made(n=90, classes=4, dims=24, seed=0):
    """Unit image rows around class directions, and cosines with noisy text rows that differ as little as CLIP's."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, dims))
    labels = rng.integers(0, classes, n)
    rows = unit(centres[labels] + rng.normal(size=(n, dims)))
    return rows, 0.1 * rows @ unit(centres + 1.5 * rng.normal(size=(classes, dims))).T, labels


def by_the_equations(x, cosines):
    """The published equations, tile by tile and class by class, in float64."""
    x, cosines = x.astype(np.float64), cosines.astype(np.float64)
    (n, d), c = x.shape, cosines.shape[1]
    y = np.exp(100 * cosines - (100 * cosines).max(axis=1, keepdims=True))
    y /= y.sum(axis=1, keepdims=True)
    w = np.zeros((n, n))
    similar = x @ x.T
    for i in range(n):
        others = sorted((j for j in range(n) if j != i), key=lambda j: -similar[i, j])
        for j in others[:3]:
            w[i, j] = similar[i, j]
    z, mu, s = y, np.zeros((c, d)), np.full(d, 1 / d)
    for k in range(c):
        best = np.argsort(-z[:, k], kind="stable")[:8]
        mu[k] = sum(z[i, k] * x[i] for i in best)
        mu[k] /= np.linalg.norm(mu[k])
    for step in range(11):
        g = np.array([[-0.5 * (((x[i] - mu[k]) ** 2) / s).sum() for k in range(c)] for i in range(n)])
        for _ in range(5):
            m = g + 50 / 6 * (w.T @ z + w @ z)
            z = y * np.exp((m - m.max(axis=1, keepdims=True)) / 50)
            z /= z.sum(axis=1, keepdims=True)
        if step == 10:
            return z
        mu = (z.T @ x) / z.sum(axis=0)[:, None]
        mu /= np.linalg.norm(mu, axis=1, keepdims=True)
        s = np.mean([sum(z[i, k] * (x[i] - mu[k]) ** 2 for k in range(c)) for i in range(n)], axis=0)
    raise AssertionError


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equal_to_the_published_equations(seed):
    rows, cosines, labels = made(seed=seed)
    found = transclip(rows, cosines)
    np.testing.assert_allclose(found, by_the_equations(rows, cosines), atol=2e-4)
    assert (found.argmax(axis=1) == labels).mean() > (cosines.argmax(axis=1) == labels).mean()


@pytest.mark.shared
@pytest.mark.parametrize("model", FLOAT32)
@pytest.mark.parametrize("every", [7, pytest.param(1, marks=pytest.mark.slow)])
def test_accuracies_that_its_authors_recorded(shared, model, every):
    folder = shared / "rs-transclip-whurs19"
    recorded = json.loads((folder / "recorded.json").read_text())["models"][model]
    arrays = np.load(folder / f"{model}.npz")
    rows, labels = unit(arrays["images"]), arrays["labels"]
    texts = np.stack([unit(one) for one in arrays["texts"]])
    neighbours = Neighbours.of(rows)
    wanted = [(p["zero_shot"], p["transductive"]) for p in recorded["prompts"]]
    average = unit(texts.mean(axis=0))
    for class_rows, (inductive, transductive) in [
        *zip(texts[::every], wanted[::every], strict=True),
        (average, (recorded["average"]["zero_shot"], recorded["average"]["transductive"])),
    ]:
        cosines = rows @ class_rows.T
        right = [
            100 * (scores.argmax(axis=1) == labels).mean() for scores in (cosines, transclip(rows, cosines, neighbours))
        ]
        assert right == pytest.approx([inductive, transductive], abs=1e-4)


@pytest.mark.parametrize("block", [1, 1 << 8, 1 << 25])
def test_neighbours_are_those_of_a_full_comparison(monkeypatch, block):
    monkeypatch.setattr("senbench.scoring.transclip.BLOCK_CELLS", block)
    rows = made()[0]
    similar = rows @ rows.T
    np.fill_diagonal(similar, -np.inf)
    found = Neighbours.of(rows, 5)
    np.testing.assert_array_equal(found.nearest, np.argsort(-similar, axis=1)[:, :5])
    np.testing.assert_allclose(found.cosines, -np.sort(-similar, axis=1)[:, :5], atol=1e-6)


@pytest.mark.parametrize("known", [3, 4, 12])
def test_neighbours_among_some_are_as_if_there_were_no_others(known):
    rows = made()[0]
    kept = np.flatnonzero(np.random.default_rng(3).random(len(rows)) < 0.4)
    among, alone = Neighbours.of(rows, known).among(rows, kept), Neighbours.of(rows[kept])
    np.testing.assert_array_equal(among.nearest, alone.nearest)
    np.testing.assert_allclose(among.cosines, alone.cosines, atol=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_few_tiles(n):
    rows, cosines, _ = made(n=n)
    found = transclip(rows, cosines)
    assert Neighbours.of(rows).nearest.shape == (n, min(NEIGHBOURS, n - 1))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_what_it_changed_is_told_in_points_by_class():
    labels = np.array([0, 0, 1, 1, 2])
    before, after = (np.eye(3)[rows] for rows in ([0, 1, 1, 2, 2], [0, 0, 1, 2, 1]))
    told = effect(before, after, labels, ["Forest", "River", "Pasture"])
    assert told[0] == (
        "transclip changes 2 of 5 predictions: top-1 from 60.00 to 60.00 %, recall by class from -100.0 points "
        "(Pasture) to +50.0 (Forest)"
    )
    assert "fewer are predicted as Forest, River, Pasture" in told[1]


def test_equal_tiles_and_a_class_that_nothing_resembles():
    rows, cosines, _ = made()
    rows[:50], cosines[:50] = rows[0], cosines[0]
    cosines[:, 2] = -1
    found = transclip(rows, cosines)
    assert np.isfinite(found).all()
    assert not (found.argmax(axis=1) == 2).any()
    assert len(np.unique(found[:50].argmax(axis=1))) == 1
