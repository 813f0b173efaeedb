"""Two results on the same images: settings, differences, flips, refusals, the page."""

from __future__ import annotations

import json
import shutil

import answers
import numpy as np
import pytest
from typer.testing import CliRunner

from senbench.cli.main import application
from senbench.errors import UsageError
from senbench.report.comparison.two_results import compare
from senbench.results import store
from senbench.results.settings_diff import differences
from senbench.scoring.comparison.paired import from_left_out, minimum_detectable


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return answers.pair(tmp_path_factory.mktemp("pair"))


def test_the_difference_is_the_paired_one_of_both_results(pair) -> None:
    a, b, labels, first, second, clusters = pair
    got = compare(a, b)
    hits = [(answer == labels).astype(float) for answer in (first, second)]
    sizes = {str(g): int((clusters == g).sum()) for g in np.unique(clusters)}
    replicates = [{g: float(hit[clusters != int(g)].mean()) for g in sizes} for hit in hits]
    left_out = np.array([replicates[1][g] - replicates[0][g] for g in sizes])
    want = from_left_out(hits[1].mean() - hits[0].mean(), left_out, np.array(list(sizes.values())))
    assert got.change.paired.difference == pytest.approx(-21 / 600)
    assert got.change.paired.ci == pytest.approx(want.ci)
    assert got.change.test == "paired-t"
    assert got.change.paired.p == got.change.p == pytest.approx(want.p)
    assert got.change.sign_flip < 0.05
    assert got.change.p < 0.05
    assert got.change.minimum_detectable == pytest.approx(minimum_detectable(want.error, want.df))
    assert set(got.change.second_opinions) == {"cr2-t", "wild-cluster"}
    for low, high in got.change.second_opinions.values():
        assert low < got.change.paired.difference < high < 0


def test_every_flip_is_listed_with_what_became_of_it(pair) -> None:
    a, b, _, first, second, _ = pair
    flips = compare(a, b).flips
    assert [flip.id for flip in flips] == [f"tile_{i:04}" for i in np.flatnonzero(first != second)]
    kinds = [flip.kind for flip in flips]
    assert (kinds.count("lost"), kinds.count("gained"), kinds.count("other")) == (30, 9, 2)
    back = {flip.id: flip.kind for flip in compare(b, a).flips}
    turned = {"lost": "gained", "gained": "lost", "other": "other"}
    assert [back[flip.id] for flip in flips] == [turned[flip.kind] for flip in flips]


def test_settings_that_differ_are_all_listed_and_no_others(pair) -> None:
    a, b, *_ = pair
    found = compare(a, b).settings
    assert [path for path, *_ in found] == ["prompts.texts", "prompts.hash", "prompts.n"]
    assert found[0][1:] == ("3 prompts", "4; others for 1 of 3 classes")
    assert differences(store.load(a), store.load(a)) == []


def test_classes_are_one_family_for_holm(pair) -> None:
    a, b, *_ = pair
    classes = compare(a, b).classes
    assert list(classes) == ["Field", "Lake", "Town"]
    for change in classes.values():
        assert change.p <= change.p_adjusted <= min(1, 3 * change.p) + 1e-12
    smallest = min(classes.values(), key=lambda change: change.p)
    assert smallest.p_adjusted == pytest.approx(min(1, 3 * smallest.p))


def test_without_clusters_the_test_is_mcnemars(tmp_path) -> None:
    labels, first, _ = answers.draw()
    second = first.copy()
    second[np.flatnonzero(first == labels)[:7]] += 1
    second %= 3
    a = answers.save(tmp_path / "a", answers.one_hot(first), labels)
    b = answers.save(tmp_path / "b", answers.one_hot(second), labels)
    got = compare(a, b)
    assert (got.change.test, got.change.p) == ("mcnemar-exact", pytest.approx(2 * 0.5**7))
    assert got.change.paired.interval == "paired-mcnemar-exact (600 images; too narrow where images share a place)"


def test_four_clusters_give_no_interval_and_the_reason(tmp_path) -> None:
    labels, first, clusters = answers.draw(g=4)
    second = np.roll(first, 1)
    a = answers.save(tmp_path / "a", answers.one_hot(first), labels, clusters)
    b = answers.save(tmp_path / "b", answers.one_hot(second), labels, clusters)
    change = compare(a, b).change
    assert (change.paired.ci, change.p) == (None, None)
    assert change.paired.interval == "none: 4 clusters, 5 are needed"


def multi(seed: int):
    rng = np.random.default_rng(seed)
    truth = rng.random((300, 3)) < [0.5, 0.3, 0.2]
    clusters = rng.integers(0, 15, 300)
    shared = truth + rng.normal(0, 0.6, (300, 3))
    scores = [(shared + rng.normal(0, 0.4, (300, 3)) + 4).astype(np.float32) for _ in range(2)]
    return truth, clusters, scores


def test_multi_label_difference_equals_that_of_the_kept_replicates(tmp_path) -> None:
    truth, clusters, scores = multi(0)
    a, b = (answers.save(tmp_path / str(k), s, truth, clusters) for k, s in enumerate(scores))
    got = compare(a, b)
    first, second = store.load(a), store.load(b)
    sizes = first.clustering.sizes
    left_out = np.array([second.replicates["map_macro"][g] - first.replicates["map_macro"][g] for g in sizes])
    difference = second.metrics["map_macro"].value - first.metrics["map_macro"].value
    want = from_left_out(difference, left_out, np.array(list(sizes.values())))
    assert got.metric == "map_macro"
    assert got.change.paired.difference == pytest.approx(want.difference)
    assert got.change.paired.ci == pytest.approx(want.ci)
    assert got.change.p == pytest.approx(want.p)
    for key, entry in zip(got.classes, second.per_label, strict=True):
        assert got.classes[key].after == pytest.approx(entry.average_precision)
    assert {flip.kind for flip in got.flips} == {"gained", "lost"}


def test_other_images_are_refused_with_both_sides(tmp_path) -> None:
    labels, first, clusters = answers.draw(n=60, wrong=6)
    a = answers.save(tmp_path / "a", answers.one_hot(first), labels, clusters)
    b = answers.save(tmp_path / "b", answers.one_hot(first[:55]), labels[:55], clusters[:55])
    with pytest.raises(
        UsageError, match=r"saw other images .* 5 \(tile_0055, tile_0056, tile_0057, \.\.\.\) only in t"
    ):
        compare(a, b)


def test_other_labels_clusters_or_classes_are_refused(tmp_path) -> None:
    labels, first, clusters = answers.draw(n=60, wrong=6)
    scores = answers.one_hot(first)
    a = answers.save(tmp_path / "a", scores, labels, clusters)
    other = labels.copy()
    other[:2] = [1, 2]
    with pytest.raises(UsageError, match="2 of the images have other labels in the second run, tile_0000 the first"):
        compare(a, answers.save(tmp_path / "b", scores, other, clusters))
    with pytest.raises(UsageError, match="other clusters"):
        compare(a, answers.save(tmp_path / "c", scores, labels, clusters + 1))
    truth = np.eye(3, dtype=bool)[labels]
    with pytest.raises(UsageError, match="single-label and multi-label"):
        compare(a, answers.save(tmp_path / "d", scores, truth, clusters))


def test_clusters_that_one_run_alone_knows_serve_both(tmp_path) -> None:
    labels, first, clusters = answers.draw()
    a = answers.save(tmp_path / "a", answers.one_hot(first), labels)
    b = answers.save(tmp_path / "b", answers.one_hot(np.roll(first, 3)), labels, clusters)
    got = compare(a, b)
    assert got.change.paired.clusters == 20
    assert any("only one of the runs knows the clusters" in note for note in got.notes)


def test_other_access_levels_are_compared_but_said(tmp_path) -> None:
    labels, first, clusters = answers.draw()
    a = answers.save(tmp_path / "a", answers.one_hot(first), labels, clusters)
    b = answers.save(tmp_path / "b", answers.one_hot(first), labels, clusters, postprocess="column-mean")
    notes = compare(a, b).notes
    assert any(note.startswith("access levels differ (0 and 2)") for note in notes)
    assert any("too narrow" in note for note in notes)


def run(*words: str):
    return CliRunner().invoke(application(), list(words))


def test_command_finds_run_ids_and_writes_json_alone(pair) -> None:
    a, b, *_ = pair
    got = run("compare", a.name, str(b / "result.json"), "--results", str(a.parent), "--json")
    assert got.exit_code == 0, got.output
    data = json.loads(got.stdout)
    assert data["change"]["difference"] == pytest.approx(-21 / 600)
    assert len(data["flips"]) == 41
    text = run("compare", str(a), str(b)).output
    assert text.index("prompts.hash") < text.index("top-1 on 600 images: 90.00 -> 86.50 %, -3.50 points")
    assert "41 images flipped: 9 gained, 30 lost, 2 other" in text


def test_a_result_that_states_another_figure_than_its_predictions_is_told(pair, tmp_path) -> None:
    a, b, *_ = pair
    assert not any("its predictions give" in note for note in compare(a, b).notes)
    forged = shutil.copytree(b, tmp_path / "forged")
    data = json.loads((forged / "result.json").read_text())
    data["metrics"]["top1"]["value"] = 0.9
    (forged / "result.json").write_text(json.dumps(data))
    (note,) = (note for note in compare(a, forged).notes if "its predictions give" in note)
    assert note.startswith(f"{b.name} states top1 90.00 %, its predictions give 86.50 %, which is what is compared")
