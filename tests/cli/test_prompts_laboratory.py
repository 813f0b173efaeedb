"""`prompts select` and `prompts sensitivity` as a user meets them, with `mini` on fresh synthetic scenes."""

from __future__ import annotations

import json

import pytest

from senbench.datasets.open import dataset_info
from senbench.datasets.synthetic.scenes import CLASSES, write_eurosat
from senbench.prompts import load_prompts, vocabulary_for

SEED = 6262  # no other test, no training and no choice of a default uses it
PER_CLASS = 32
SITES = 8  # of `write_eurosat`: tile n lies at site n modulo 8
OFF_TOPIC = ["a photo of a cat asleep.", "a page of printed text."]
OFFLINE = ("--offline", "--device", "cpu")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Fresh scenes; four places to select on, four others, hundreds of km away, to evaluate."""
    root = tmp_path_factory.mktemp("scenes")
    write_eurosat(root, PER_CLASS, SEED, split=(0, 0))
    for name, sites in (("select", range(4)), ("held-out", range(4, 8))):
        ids = [f"{key}_{i + 1}" for key in CLASSES for i in range(PER_CLASS) if i % SITES in sites]
        (root / f"{name}.txt").write_text("\n".join(ids))
    return root


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    """Per class five of its ground prompts, four of the next class, two of nothing here."""
    info = dataset_info("eurosat")
    vocabulary, names = vocabulary_for(info, None)
    ground = load_prompts("ground", info, vocabulary, names).texts
    pool = {key: [*ground[key][:5], *ground[CLASSES[(c + 1) % 10]][20:24], *OFF_TOPIC] for c, key in enumerate(CLASSES)}
    path = tmp_path_factory.mktemp("prompts") / "spoilt.json"
    path.write_text(json.dumps(pool))
    return path


@pytest.mark.slow
def test_selection_raises_held_out_accuracy(senbench, scenes, spoilt, tmp_path):
    """Places and scenes that neither training nor selection has seen.

    `hhi` and `labels` see which class a prompt speaks of; what the others gain here is within sampling error.
    """
    where = ("--dataset", "eurosat", "--data-dir", scenes)
    methods = ("mean", "tfidf", "hhi", "redundancy", "labels")
    for by in methods:
        done = senbench(
            "prompts", "select", "--model", "mini", "--prompts", spoilt, *where, "--split", scenes / "select.txt",
            "--for", scenes / "held-out.txt", "--k", 3, "--by", by, "--out", tmp_path / f"{by}.json", *OFFLINE,
        )  # fmt: skip
        assert done.code == 0, done.err
        assert "distance to eurosat file:held-out.txt: at least" in done.out
    packs = ",".join(str(path) for path in (spoilt, *(tmp_path / f"{by}.json" for by in methods)))
    done = senbench(
        "run", "--model", "mini", "--prompts", packs, *where, "--split", scenes / "held-out.txt", "--json",
        "--results", tmp_path / "results", *OFFLINE,
    )  # fmt: skip
    assert done.code == 0, done.err
    results = {r["prompts"]["id"]: r for r in json.loads(done.out)}
    top1 = {name: r["metrics"]["top1"]["value"] for name, r in results.items()}
    assert {name: r["access_level"] for name, r in results.items()} == {
        "spoilt": 0, "mean": 1, "tfidf": 1, "hhi": 1, "redundancy": 1, "labels": 3,
    }  # fmt: skip
    for by in ("hhi", "labels"):
        assert top1[by] >= top1["spoilt"] + 0.05, top1
    for by in ("mean", "tfidf", "redundancy"):
        assert top1[by] >= top1["spoilt"] - 0.02, top1
    assert not any("selected on" in w for r in results.values() for w in r["warnings"])
    done = senbench(
        "run", "--model", "mini", "--prompts", tmp_path / "mean.json", *where, "--split", scenes / "select.txt",
        "--json", "--results", tmp_path / "results", *OFFLINE,
    )  # fmt: skip
    (result,) = json.loads(done.out)
    assert result["access_level"] == 2
    assert any("160 of the 160 evaluated tiles" in w for w in result["warnings"])


@pytest.mark.slow
def test_sensitivity_prints_bands_and_names_prompts(senbench, scenes, spoilt, tmp_path):
    pack = tmp_path / "best.json"
    words = (
        "prompts", "sensitivity", "--model", "mini", "--prompts", spoilt, "--dataset", "eurosat", "--data-dir", scenes,
        "--split", scenes / "held-out.txt", "--draws", 50, "--best-out", pack, "--best-k", 3, *OFFLINE,
    )  # fmt: skip
    done = senbench(*words)
    assert done.code == 0, done.err
    assert "5 of 11" in done.out
    assert "9 of 10 draws of mini lie between" in done.out
    assert "access level 3" in done.out
    found = json.loads(senbench(*words, "--json").out)
    assert found["access_level"] == 3
    assert len(found["models"][0]["contributions"]) == 110
    best = max(found["models"][0]["contributions"], key=lambda entry: entry["contribution"])
    assert best["prompt"] in json.loads(pack.read_text())["texts"][best["class"]]
    assert json.loads(pack.read_text())["access_level"] == 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--k", 3, "--out", "pack.txt"), "--out pack.txt: a pack's name ends in .json"),
        (("--k", 3, "--out", "none/such/pack.json"), "its folder does not exist"),
        (("--k", 60, "--out", "{}/p.json", "--split", "test"), "has 56 distinct prompts; give 1 to 56"),
        (("--k", 3, "--out", "{}/p.json"), "demo has no train split"),
        (
            ("--k", 3, "--out", "{}/p.json", "--split", "test", "--by", "luck"),
            "--by 'luck': use mean, tfidf, hhi, redundancy, labels",
        ),
        (("--k", 3, "--out", "{}/p.json", "--split", "test", "--min-distance", "-1"), "give km, at least 0"),
    ],
)
def test_mistakes_are_one_line(senbench, tmp_path, words, said):
    words = [str(w).format(tmp_path) for w in words]
    done = senbench(
        "prompts", "select", "--model", "mini", "--prompts", "ground", "--dataset", "demo", *words, *OFFLINE
    )
    assert done.code == 2, done
    (line,) = [line for line in done.err.splitlines() if line.startswith("senbench: ")]
    assert said in line
    assert not list(tmp_path.glob("*.json"))
