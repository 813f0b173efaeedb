"""`senbench baseline bless` and `senbench check`: exit codes, the three forms, and the step summary."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pyarrow as pa
import pytest
import runs
import stubs
from outcomes import refused
from pyarrow import parquet

from senbench.gate.bless import bless


@pytest.fixture(scope="module")
def blessed(tmp_path_factory):
    """A model's results, and those of a worse one in its place."""
    root = tmp_path_factory.mktemp("gate")
    for name, share in (("good", 0.05), ("bad", 0.5)):
        (root / name).mkdir()
        runs.run(root / name, "model", share, runs.located(60), cache=False)
    return root


@pytest.fixture
def baseline(senbench, blessed, tmp_path):
    done = senbench(
        "baseline", "bless", "--why", "the first", "--out", tmp_path / "b.json", "--results", blessed / "good"
    )
    assert done.code == 0, done.err
    assert "new: " in done.err or "added: " in done.err
    assert done.err.splitlines()[-1].endswith(": the first")
    return tmp_path / "b.json"


def test_the_same_results_pass(senbench, baseline, blessed):
    done = senbench("check", "--baseline", baseline, "--results", blessed / "good")
    assert done.code == 0, done.out
    found = json.loads(senbench("check", "--baseline", baseline, "--results", blessed / "good", "--format", "json").out)
    assert found["passed"] is True


def test_worse_results_fail_in_every_form(senbench, baseline, blessed, tmp_path, monkeypatch):
    words = ("check", "--baseline", baseline, "--results", blessed / "bad")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    assert senbench(*words).code == 1
    assert not (tmp_path / "summary.md").exists()  # for --format github alone
    assert json.loads(senbench(*words, "--format", "json").out)["passed"] is False
    done = senbench(*words, "--format", "github")
    assert (done.code, "::error" in done.out) == (1, True)
    assert (tmp_path / "summary.md").read_text()
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path))
    done = senbench(*words, "--format", "github")
    assert f"step summary {tmp_path} cannot be written" in done.err


def test_an_unreadable_baseline_fails_with_what_to_do(senbench, baseline, blessed, tmp_path):
    results = ("--results", blessed / "good")
    done = senbench("check", "--baseline", tmp_path / "none.json", *results)
    assert (done.code, done.err) == (1, "")
    assert "none.json: No such file or directory; write one with `senbench baseline bless" in done.out
    (tmp_path / "cut.json").write_text(baseline.read_text()[:50])
    done = senbench("check", "--baseline", tmp_path / "cut.json", *results)
    assert done.code == 1
    assert "cut.json" in done.out
    refused(senbench("baseline", "bless", "--why", "", "--out", tmp_path / "b", *results), 2, "--why")


KINDS = {"single": runs.located, "iid": stubs.tiles, "multi": runs.multi}


@pytest.fixture(scope="module", params=KINDS)
def guarded(request, tmp_path_factory):
    """A blessed result of each kind: the tiles, and the folder with its baseline."""
    root, tiles = tmp_path_factory.mktemp(request.param), KINDS[request.param]
    (root / "results").mkdir()
    runs.run(root / "results", "model", 0.3, tiles(), cache=False)
    bless(root / "results", root / "b.json", "the first")
    return tiles, root


@pytest.fixture
def again(guarded, tmp_path):
    """A copy of the blessed folder, to be changed."""
    tiles, root = guarded
    shutil.copytree(root, tmp_path / "x")
    return tiles, tmp_path / "x"


def parts(place):
    (file,) = (place / "results").glob("*/result.json")
    return file, file.with_name("predictions.parquet")


def edited(change):
    """A change of the result's JSON."""

    def apply(tiles, place):
        file, _ = parts(place)
        data = json.loads(file.read_text())
        file.write_text(json.dumps(change(data) or data))

    return apply


def rerun(name="model", share=0.3, *, beside=False, **options):
    """The run made again otherwise, or another one beside it."""

    def apply(tiles, place):
        if not beside:
            shutil.rmtree(place / "results")
            (place / "results").mkdir()
        runs.run(place / "results", name, share, tiles(), **{"cache": False, **options})

    return apply


def written_otherwise(tiles, place):
    _, rows = parts(place)
    parquet.write_table(parquet.read_table(rows), rows, compression="gzip", row_group_size=7, use_dictionary=False)


def moved(tiles, place):
    (place / "results").rename(place / "other")
    (place / "deep").mkdir()
    (place / "other").rename(place / "deep" / "x")
    (place / "results").symlink_to(place / "deep" / "x")


def beside(tiles, place):
    (place / "results" / "README.md").write_text("what these are")
    (place / "results" / "empty").mkdir()


def elsewhere(tiles, place):
    found = tiles()
    other = dataclasses.replace(found, info=found.info.model_copy(update={"id": "other"}))
    runs.run(place / "results", "model", 0.1, other, cache=False)


HARMLESS = {
    "the same again": rerun(),
    "another batch size": rerun(batch_size=7),
    "kept embeddings": rerun(cache=True),
    "tiles that cannot be read would be skipped": rerun(on_error="skip"),
    "noise measured": rerun(noise=20),
    "a trial run beside it": rerun(limit=20, beside=True),
    "another dataset beside it": elsewhere,
    "files beside it": beside,
    "results moved": moved,
    "rows stored otherwise": written_otherwise,
    "pictures removed": lambda tiles, place: parts(place)[0].with_name("thumbnails.parquet").unlink(),
    "made at another time": edited(lambda r: r.update(created="2030-01-01T00:00:00+01:00")),
    "made faster": edited(
        lambda r: r["timings"].update(images=0.5, images_per_second=r["dataset"]["n_evaluated"] / 0.5)
    ),
    "another machine": edited(lambda r: r["environment"].update(device_name="other", cpus=3, platform="Other")),
    "another torch": edited(lambda r: r["environment"]["versions"].update(torch="9.9.9")),
    "another numpy": edited(lambda r: r["environment"]["versions"].update(numpy="9.9.9")),
    "a later senbench": edited(lambda r: r.update(senbench_version="9.9.9")),
    "a warning more": edited(lambda r: r["warnings"].append("the cache could not be written: disk full")),
    "other keys first": edited(lambda r: dict(sorted(r.items()))),
    "the data have another name": edited(lambda r: r["dataset"].update(source="EuroSAT-2.zip")),
}


@pytest.mark.parametrize("change", HARMLESS)
def test_harmless_changes_pass(senbench, again, change):
    tiles, place = again
    HARMLESS[change](tiles, place)
    done = senbench("check", "--baseline", place / "b.json", "--results", place / "results")
    assert done.code == 0, done.out


def scored(change):
    """Other scores in the rows, (N, C)."""

    def apply(tiles, place):
        _, rows = parts(place)
        table = parquet.read_table(rows)
        names = [name for name in table.column_names if name.startswith("score_")]
        made = change(np.stack([np.asarray(table[name]) for name in names], axis=1))
        for name, column in zip(names, made.T, strict=True):
            at = table.column_names.index(name)
            table = table.set_column(at, name, pa.array(np.ascontiguousarray(column, np.float32)))
        parquet.write_table(table, rows)

    return apply


def columned(name, change):
    """Another column of the rows."""

    def apply(tiles, place):
        _, rows = parts(place)
        table = parquet.read_table(rows)
        own = next(n for n in table.column_names if n.startswith(name))
        at = table.column_names.index(own)
        parquet.write_table(table.set_column(at, own, pa.array(change(table[own].to_pylist()))), rows)

    return apply


def twice(tiles, place):
    file, _ = parts(place)
    shutil.copytree(file.parent, file.parent.with_name("copy"))


def another_answer(r):
    r["metrics"][r["headline"]].update(value=0.99, ci=[0.98, 1.0])


RNG = np.random.default_rng(0)
FORGED = {
    "scores are NaN": scored(lambda s: np.full(s.shape, np.nan)),
    "one score is NaN": scored(lambda s: np.where(np.arange(s.size).reshape(s.shape) == 4, np.nan, s)),
    "random scores": scored(lambda s: RNG.random(s.shape)),
    "scores doubled": scored(lambda s: 2 * s),
    "scores shifted": scored(lambda s: s + 0.01),
    "scores all equal": scored(lambda s: np.zeros(s.shape)),
    "classes swapped": scored(lambda s: s[:, ::-1]),
    "rows of scores swapped": scored(lambda s: s[::-1]),
    "two rows of scores swapped": scored(lambda s: s[[1, 0, *range(2, len(s))]]),
    "ids renamed": columned("id", lambda ids: [f"x{name}" for name in ids]),
    "two ids swapped": columned("id", lambda ids: [ids[1], ids[0], *ids[2:]]),
    "an id twice": columned("id", lambda ids: [ids[1], *ids[1:]]),
    "labels rolled": columned("label", lambda labels: labels[1:] + labels[:1]),
    "a run id twice": twice,
    "run id edited": edited(lambda r: r.update(run_id=f"{r['run_id'][:-1]}x")),
    "level raised": edited(lambda r: r.update(access_level=2)),
    "level of the prompts raised": edited(lambda r: r["prompts"].update(access_level=3)),
    "figure edited": edited(another_answer),
    "interval edited": edited(lambda r: r["metrics"][r["headline"]].update(ci=[0.1, 0.9])),
    "an interval removed": edited(lambda r: r["metrics"][r["headline"]].update(ci=None)),
    "images edited": edited(lambda r: r["dataset"].update(index_hash="0" * 64)),
    "weights edited": edited(lambda r: r["model"].update(weights_sha256="1" * 64)),
    "prompts edited": edited(lambda r: r["prompts"]["texts"].update(Lake=["a pond"])),
    "warnings of before edited away, with the version": edited(lambda r: r.update(warnings=[], schema_version=1)),
}


@pytest.mark.parametrize("change", FORGED)
def test_forged_results_fail(senbench, again, change):
    tiles, place = again
    FORGED[change](tiles, place)
    done = senbench("check", "--baseline", place / "b.json", "--results", place / "results")
    assert done.code == 1, done.out


def test_a_level_edited_down_fails(senbench, tmp_path):
    """Scores divided by their column means are of level 2, whatever a result and its baseline say."""
    (tmp_path / "results").mkdir()
    runs.run(tmp_path / "results", "model", 0.3, runs.located(), postprocess="column-mean", cache=False)
    bless(tmp_path / "results", tmp_path / "b.json", "the first")
    words = ("check", "--baseline", tmp_path / "b.json", "--results", tmp_path / "results")
    assert senbench(*words).code == 0
    edited(lambda r: r.update(access_level=0))(None, tmp_path)
    base = json.loads((tmp_path / "b.json").read_text())
    base["runs"][0]["settings"]["access_level"] = 0
    (tmp_path / "b.json").write_text(json.dumps(base))
    done = senbench(*words)
    assert done.code == 1
    assert "access_level is 0, expected 2" in done.out
