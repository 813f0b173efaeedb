"""`senbench prompts select`: mistakes are one line; with `mini` on fresh synthetic scenes it raises accuracy."""

from __future__ import annotations

import json

import pytest

OFFLINE = ("--offline", "--device", "cpu")


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
        assert top1[by] >= top1["spoilt"] - 0.05, top1  # two standard errors of 160 tiles
    selected = ["the prompts were selected on eurosat file:select.txt"]
    assert all([w for w in r["warnings"] if "selected on" in w] in ([], selected) for r in results.values())
    done = senbench(
        "run", "--model", "mini", "--prompts", tmp_path / "mean.json", *where, "--split", scenes / "select.txt",
        "--json", "--results", tmp_path / "results", *OFFLINE,
    )  # fmt: skip
    (result,) = json.loads(done.out)
    assert result["access_level"] == 2
    assert any("160 of the 160 evaluated tiles" in w for w in result["warnings"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--k", 3, "--out", "pack.txt"), "--out pack.txt: a pack's name ends in .json"),
        (("--k", 3, "--out", "none/such/pack.json"), "its folder does not exist"),
        (("--k", 60, "--out", "{}/p.json", "--split", "test"), "has 52 distinct prompts; give 1 to 52"),
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


def test_the_pack_is_written_told_and_taken_by_a_run(senbench, mini_run, tmp_path):
    words = ("--model", "mini", "--prompts", "generic", "--dataset", "demo", "--split", "test", "--on-evaluated")
    done = senbench("prompts", "select", *words, "--k", 2, "--out", tmp_path / "p.json", *OFFLINE, "--json")
    assert done.code == 0, done.err
    pack = json.loads(done.out)
    assert pack == json.loads((tmp_path / "p.json").read_text())
    assert {len(texts) for texts in pack["texts"].values()} == {2}
    assert pack["access_level"] == 2
    assert f"access level 2; {tmp_path / 'p.json'} is what `senbench run --prompts" in done.err
    assert "2 of 6 prompts per class of generic by hhi, on 20 tiles of demo test with mini" in done.err
