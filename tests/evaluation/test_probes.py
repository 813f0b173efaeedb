"""Supervised anchors: what scikit-learn gives by hand, never chosen or trained on what is evaluated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import stubs
from eurosat_files import jpegs, unpack

import senbench
from senbench.errors import UsageError
from senbench.evaluation import probes
from senbench.evaluation.outcome import LabelledSplit
from senbench.scoring.sample import Sample

KEYS = ("a", "b", "c")


def blobs(n: int, seed: int, multi: bool = False, clusters: bool = False) -> LabelledSplit:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    rows = rng.normal(size=(n, 6)) + 1.5 * np.eye(6)[labels]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    hot = (labels[:, None] == np.arange(3)) | (rng.random((n, 3)) < 0.1)
    where = np.array([f"t{i // 10}" for i in range(n)]) if clusters else None
    return LabelledSplit(rows.astype(np.float32), Sample(hot if multi else labels, KEYS, where), "train", 120, "0")


def test_neighbours_are_those_of_scikit_learn():
    from sklearn.neighbors import KNeighborsClassifier

    train, test = blobs(120, 0), blobs(60, 1)
    for k in (1, 5, 20):
        hand = KNeighborsClassifier(k, metric="cosine").fit(train.rows, train.sample.labels).predict_proba(test.rows)
        np.testing.assert_allclose(probes.neighbour_scores(train, test.rows, k, {}), hand, atol=1e-6)


@pytest.mark.parametrize("multi", [False, True])
def test_figures_are_those_of_scikit_learn(multi):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import average_precision_score
    from sklearn.multiclass import OneVsRestClassifier

    train, test = blobs(120, 0, multi), blobs(60, 1, multi)
    found = probes.measure(train, test.rows, test.sample)
    knn, probe = found.classifiers
    assert (knn.id, probe.id) == ("knn", "linear_probe")
    model = LogisticRegression(C=probe.hyperparameters["C"], max_iter=1000)
    if multi:
        scores = (
            OneVsRestClassifier(model).fit(train.rows, train.sample.labels.astype(int)).decision_function(test.rows)
        )
        hand = average_precision_score(test.sample.labels, scores, average="macro")
        assert probe.metric == "map_macro"
    else:
        hand = (model.fit(train.rows, train.sample.labels).predict(test.rows) == test.sample.labels).mean()
        assert probe.metric == "top1"
    assert probe.figure.value == pytest.approx(hand, abs=1e-6)
    assert probe.figure.ci is not None
    assert {a.figure.access_level for a in found.classifiers} == {3}
    assert found.n_train == 120


def test_hyperparameters_never_see_the_evaluated_images():
    train = blobs(120, 0)
    chosen = [
        [c.hyperparameters for c in probes.measure(train, test.rows, test.sample).classifiers]
        for test in (blobs(60, 1), blobs(60, 2), replace(blobs(60, 3), sample=Sample(np.zeros(60, np.int64), KEYS)))
    ]
    assert chosen[0] == chosen[1] == chosen[2]
    held = probes.held_out(train.sample, 0)
    fit, seen = train.take(~held), train.take(held)
    value = {
        k: (probes.neighbour_scores(fit, seen.rows, k, {}).argmax(axis=1) == seen.sample.labels).mean()
        for k in probes.NEIGHBOURS
    }
    assert value[chosen[0][0]["k"]] == max(value.values())


def test_whole_clusters_are_held_out():
    train = blobs(120, 0, clusters=True)
    held = probes.held_out(train.sample, 0)
    assert 0.2 <= held.mean() <= 0.3
    for name in np.unique(train.sample.clusters):
        assert held[train.sample.clusters == name].all() or not held[train.sample.clusters == name].any()
    assert 0.2 <= probes.held_out(blobs(120, 0).sample, 0).mean() <= 0.21
    assert (probes.held_out(train.sample, 0) == held).all()


def test_a_class_without_training_images_is_never_predicted():
    train = blobs(120, 0)
    some = train.take(train.sample.labels != 1)
    for scores in (
        probes.neighbour_scores(some, blobs(60, 1).rows, 5, {}),
        probes.probe_scores(some, blobs(60, 1).rows, 10.0, {}),
    ):
        assert (scores[:, 1] == 0).all()
    found = probes.measure(some, blobs(60, 1).rows, blobs(60, 1).sample)
    assert found.classifiers[0].figure.value < 0.7
    assert any("trained on 80 of the 120 tiles" in w for w in found.warnings)


def test_one_class_is_refused():
    train = blobs(120, 0)
    with pytest.raises(UsageError, match="one class only"):
        probes.measure(train.take(train.sample.labels == 1), blobs(60, 1).rows, blobs(60, 1).sample)


@pytest.fixture
def eurosat(tmp_path, monkeypatch):
    """Six tiles a class, listed in two halves, and what both together are."""
    unpack(tmp_path / "data" / "2750", jpegs(6))
    monkeypatch.chdir(tmp_path)
    names = sorted(p.name for p in (tmp_path / "data").rglob("*.jpg"))
    for name, part in (("train.txt", names[::2]), ("test.txt", names[1::2]), ("all.txt", names)):
        (tmp_path / name).write_text("\n".join(part))

    def run(**options):
        return senbench.evaluate(
            stubs.StubEncoder(), "eurosat-rgb", "generic", data_dir="data", offline=True, **options
        )

    return run


def test_a_run_records_them_and_nothing_else_changes(eurosat):
    plain, result = eurosat(split="test.txt"), eurosat(split="test.txt", anchors="train.txt")
    assert plain.anchors is None
    assert result.anchors.n_train == 30
    assert result.anchors.classifiers[0].figure.n == 30
    assert (result.metrics, result.lines, result.access_level, result.run_id) == (
        plain.metrics,
        plain.lines,
        plain.access_level,
        plain.run_id,
    )
    assert result.anchors.index_hash == eurosat(split="train.txt").dataset.index_hash


def test_overlap_is_refused(eurosat):
    with pytest.raises(
        UsageError, match=r"--anchors all\.txt: 30 of its tiles are evaluated too; give a disjoint split"
    ):
        eurosat(split="test.txt", anchors="all.txt")
    with pytest.raises(UsageError, match=r"--anchors test\.txt: 30 of its tiles"):
        eurosat(split="test.txt", anchors="test.txt")


def test_tiles_that_were_passed_have_no_splits():
    with pytest.raises(UsageError, match="--anchors train: needs a dataset by name"):
        senbench.evaluate(stubs.StubEncoder(), stubs.tiles(), {k: [f"a {k}"] for k in stubs.CLASSES}, anchors="train")


def test_the_table_shows_them_apart(eurosat, capsys, monkeypatch):
    from senbench.cli.tables.run_table import print_table

    monkeypatch.setenv("COLUMNS", "140")
    result = eurosat(split="test.txt", anchors="train.txt")
    print_table([result], stderr=False)
    shown = capsys.readouterr().out
    assert "(stub: kNN)" in shown
    assert "(stub: logistic regression)" in shown
    assert "trained on 30 labels" in shown
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setenv("COLUMNS", "70")
    print_table([result], stderr=False)
    assert "kNN trained on labels (level 3)" in capsys.readouterr().out


@pytest.mark.slow
def test_on_demo_scenes_labels_reach_more_than_colour_words():
    from senbench.datasets.open import open_dataset
    from senbench.embedding.engine import embed_images

    tiles = open_dataset("demo", split=None, data_dir=None, offline=True)
    rows = embed_images(stubs.StubEncoder(), tiles, None).rows
    half = np.arange(len(tiles)) % 2 == 0
    train, test = (Sample(tiles.tile_labels[part], tiles.info.classes) for part in (half, ~half))
    found = probes.measure(LabelledSplit(rows[half], train, "even", 200, "0"), rows[~half], test)
    assert all(c.figure.value > 0.3 for c in found.classifiers)  # mean colour alone; chance is 0.1
