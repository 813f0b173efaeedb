"""Labels beside recorded embeddings: from another file, a list of ids, a split or halves; never of evaluated images."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from eurosat_files import jpeg

from senbench.audit.validate import validate
from senbench.datasets.catalog import EUROSAT
from senbench.datasets.eurosat import splits
from senbench.datasets.eurosat.splits import SplitList
from senbench.errors import UsageError
from senbench.evaluation.recorded_elsewhere import About, score
from senbench.evaluation.recorded_labels import FewLabels
from senbench.results import store

ABOUT = About("theirs", "p", "zoo", "somebody")
KEYS = ("Field", "Lake", "Town")


def embedded(n=240, seed=2, **more):
    """Images around a direction per class, texts some way off it."""
    centres = np.random.default_rng(7).normal(size=(3, 16))
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 3
    return {
        "images": (centres[labels] + 1.2 * rng.normal(size=(n, 16))).astype(np.float32),
        "labels": labels,
        "texts": (centres + 1.0 * rng.normal(size=(3, 16))).astype(np.float32),
        "text_class": np.arange(3),
        "class_names": np.array(KEYS),
        "ids": np.array([f"{'abc'[k % 3]}/tile_{seed}_{k}.jpg" for k in range(n)]),
    } | more


def saved(folder, name, arrays):
    np.savez(folder / name, **arrays)
    return folder / name


def scored(folder, file, shots=(1, 4), anchors=None, about=ABOUT, results=None):
    few = FewLabels(shots, None if anchors is None else str(anchors))
    return score(file, about=about, few=few, results=results)


def test_halves_are_kept_shown_and_valid(tmp_path):
    r = scored(tmp_path, saved(tmp_path, "e.npz", embedded()), shots=(4, 1, 4), results=str(tmp_path / "r"))
    few = r.few_shot
    assert (few.separation, few.drawn_from, few.n_pool, few.left_out) == ("halves", "halves", 240, 0)
    assert {one.shots for one in few.figures} == {1, 4} and r.access_level == 0
    assert all(one.gain == pytest.approx(one.value - r.metrics["top1"].value) for one in few.figures)
    by = {(one.method, one.shots): one.value for one in few.figures}
    assert by["class-means", 4] > by["class-means", 1] > 1 / 3
    folder = tmp_path / "r" / r.run_id
    assert validate(folder) == []
    assert store.load(folder).labels_saved == few
    without = score(tmp_path / "e.npz", about=ABOUT)
    assert "few_shot" not in without.model_dump() and without.run_id == r.run_id


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda few: few["figures"][0].update(gain=0.9), "gain"),
        (lambda few: few.update(n_pool=12), "halves of 12 images"),
        (lambda few: few.pop("drawn_from"), "few labels of a run stand with its anchors"),
        (lambda few: few["figures"][0].update(draws=[2.0]), "draws"),
    ],
)
def test_what_was_changed_afterwards_is_found(tmp_path, change, says):
    r = scored(tmp_path, saved(tmp_path, "e.npz", embedded()), results=str(tmp_path / "r"))
    path = tmp_path / "r" / r.run_id / "result.json"
    held = json.loads(path.read_text())
    change(held["few_shot"])
    path.write_text(json.dumps(held))
    assert says in str(validate(path.parent))


def test_a_second_file_a_list_and_clusters(tmp_path):
    file, other = saved(tmp_path, "e.npz", embedded()), saved(tmp_path, "a.npz", embedded(90, seed=5))
    r = scored(tmp_path, file, anchors=other)
    assert (r.few_shot.separation, r.few_shot.drawn_from, r.few_shot.n_pool) == ("random", "file:a.npz", 90)
    assert r.dataset.n_evaluated == 240 and list(r.spec.shots) == [1, 4] and r.spec.anchors == "a.npz"

    names = tmp_path / "train.txt"
    names.write_text("\n".join(embedded()["ids"][:90]) + "\n")
    r = scored(tmp_path, file, anchors=names)
    assert (r.few_shot.n_pool, r.dataset.n_evaluated, r.few_shot.drawn_from) == (90, 150, "file:train.txt")

    places = np.array([f"p{k}" for k in range(240)]), np.array([f"p{k + 200}" for k in range(90)])
    file = saved(tmp_path, "e.npz", embedded(clusters=places[0]))
    other = saved(tmp_path, "a.npz", embedded(90, seed=5, clusters=places[1]))
    r = scored(tmp_path, file, anchors=other)
    assert (r.few_shot.separation, r.few_shot.n_pool, r.few_shot.left_out) == ("spatial", 50, 40)
    assert scored(tmp_path, file).few_shot.separation == "spatial halves"


def test_anchors_by_class_names_in_another_order(tmp_path):
    file = saved(tmp_path, "e.npz", embedded())
    own = embedded(90, seed=5)
    turned = {**own, "labels": 2 - own["labels"], "class_names": np.array(KEYS[::-1])}
    named = {**own, "labels": np.array(KEYS)[own["labels"]]}
    found = [
        scored(tmp_path, file, anchors=saved(tmp_path, "a.npz", arrays)).few_shot.figures
        for arrays in (own, turned, named)
    ]
    assert found[0] == found[1] == found[2]


def test_a_split_of_a_dataset_is_separate_by_its_list(tmp_path, monkeypatch):
    folder, named, labels = tmp_path / "EuroSAT_RGB", {"train": [], "test": []}, []
    for part, numbers in (("train", range(1, 4)), ("test", range(4, 7))):
        for k, key in enumerate(EUROSAT):
            for i in numbers:
                (folder / key).mkdir(parents=True, exist_ok=True)
                (folder / key / f"{key}_{i}.jpg").write_bytes(jpeg(k))
                named[part].append(f"{key}_{i}.jpg")
                labels.append(k)
        path = folder / f"eurosat-spatial-{part}.txt"
        path.write_text("\n".join(named[part]) + "\n")
        spec = SplitList(path.name, hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest(), 30)
        monkeypatch.setitem(splits.LISTS, f"spatial-{part}", spec)
    centres, labels = np.random.default_rng(0).normal(size=(10, 16)), np.array(labels)
    arrays = {
        "images": centres[labels] + 0.3 * np.random.default_rng(1).normal(size=(60, 16)),
        "labels": labels,
        "texts": centres,
        "text_class": np.arange(10),
        "ids": np.array([*named["train"], *named["test"]]),
    }
    about = About("theirs", "p", "eurosat-rgb", "somebody", split="spatial-test", data_dir=str(folder))
    r = scored(tmp_path, saved(tmp_path, "e.npz", arrays), shots=(1, 3), anchors="spatial-train", about=about)
    assert (r.few_shot.separation, r.few_shot.drawn_from) == ("spatial list", "spatial-train")
    assert (r.few_shot.n_pool, r.dataset.n_evaluated, r.complete) == (30, 30, True)
    assert r.recorded.joined and r.dataset.split == "spatial-test"


BAD = {
    "of the evaluated": (embedded(30), "overlaps: 30 of its images are evaluated, a/tile_2_0.jpg the first"),
    "same rows without names": (
        {k: v for k, v in embedded(30).items() if k != "ids"},
        "overlaps: 30 of its images are evaluated, row 0 the first",
    ),
    "no labels": ({"images": np.ones((4, 16))}, "it holds no labels"),
    "another width": ({**embedded(30, 5), "images": np.ones((30, 8))}, "expected (N, 16) real numbers"),
    "labels short": ({**embedded(30, 5), "labels": np.zeros(29, int)}, "labels have shape (29,)"),
    "labels of another set": ({**embedded(30, 5), "labels": np.array(["Zoo"] * 30)}, "'Zoo' in row 0, which is none"),
    "labels out of range": ({**embedded(30, 5), "labels": np.full(30, 7)}, "labels is 7 in row 0; expected 0..2"),
    "nan": ({**embedded(30, 5), "images": np.full((30, 16), np.nan)}, "images: row 0"),
    "too few": (embedded(9, 5), "--shots 4: file:a.npz has 3 tiles of class Field that can be drawn"),
}


@pytest.mark.parametrize("name", BAD)
def test_anchors_that_do_not_fit_are_refused(tmp_path, name):
    arrays, says = BAD[name]
    file = saved(tmp_path, "e.npz", embedded())
    with pytest.raises(UsageError) as raised:
        scored(tmp_path, file, anchors=saved(tmp_path, "a.npz", arrays))
    assert says in str(raised.value) and "\n" not in str(raised.value)


def test_lists_that_do_not_fit_are_refused(tmp_path):
    file, ids = saved(tmp_path, "e.npz", embedded()), embedded()["ids"]
    path = tmp_path / "l.txt"
    for lines, says in (
        (["nobody.jpg", ids[0]], "1 of 2 names are no ids of the file, nobody the first"),
        (ids, "names all rows of the file: none is left to evaluate"),
        ([], "names no row of the file"),
    ):
        path.write_text("\n".join(lines))
        with pytest.raises(UsageError, match=says):
            scored(tmp_path, file, anchors=path)
    with pytest.raises(UsageError, match="no such file, and zoo has no splits"):
        scored(tmp_path, file, anchors="train")
    nameless = {k: v for k, v in embedded().items() if k != "ids"}
    path.write_text(ids[0])
    with pytest.raises(UsageError, match="the file has no ids"):
        scored(tmp_path, saved(tmp_path, "n.npz", nameless), anchors=path)


def test_numbers_and_kinds_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(UsageError, match="--shots 0: give 1 to 1,000"):
        FewLabels((1, 0))
    answers = saved(tmp_path, "p.npz", {"predictions": np.arange(6) % 3, "labels": np.arange(6) % 3})
    assert scored(tmp_path, answers, shots=(4,)).recorded.shots == 4
    with pytest.raises(UsageError, match="the file holds predictions: give one number"):
        scored(tmp_path, answers)
    several = embedded(labels=np.eye(3, dtype=int)[np.arange(240) % 3])
    with pytest.raises(UsageError, match="--shots is for one class per image"):
        scored(tmp_path, saved(tmp_path, "m.npz", several))
