"""Selection end to end: it sees no evaluated tile, keeps its distance, and its pack raises the level of a run."""

from __future__ import annotations

import json

import numpy as np
import pytest
import stubs

import senbench
from senbench.datasets import open as registry
from senbench.errors import UsageError
from senbench.evaluation import leakage
from senbench.prompts.load import load_prompts
from senbench.schema.run_spec import RunSpec
from senbench.studies.prompt_selection import select_prompts
from senbench.studies.prompt_sensitivity import best, measure

POOL = {  # two of five speak of another class, one of none
    "Town": ["a town", "a lake shore", "the old town", "something", "town houses"],
    "Field": ["a field", "a town of old", "a wide field", "nothing", "the field of wheat"],
    "Lake": ["a lake", "a field of corn", "the big lake", "whatever", "lake and water"],
}
"""Keys in another order than the classes."""


class Encoder(stubs.StubEncoder):
    """The stub as `load` would return it."""

    damaged: tuple[str, ...] = ()


@pytest.fixture
def ground(monkeypatch, tmp_path):
    """Four splits of one data set, what was read of each, and the stub in place of a model."""
    read: list[str] = []
    whole = stubs.tiles(90)
    blocks = [f"EPSG:32633/{i // 30 * 10}_{i % 3}" for i in range(90)]  # three regions, 45 km apart
    rows = {"train": range(30), "test": range(60, 90), "near": range(31), "mixed": range(20, 61)}
    rows["random-test"] = range(45, 90)
    info = stubs.info(id="stub", splits={name: len(part) for name, part in rows.items()}, default_split="test")

    def opened(name, *, split, **options):
        tiles = stubs.tiles(
            90,
            info=info,
            split=split,
            reader=lambda i: read.append(whole.ids[i]) or whole.reader(i),
            keys=lambda i: read.append(whole.ids[i]) or whole.keys(i),
            locate=None if split in ("random-test", "near") else lambda indices: [blocks[i] for i in indices],
        )
        return tiles.take(rows[split])

    monkeypatch.setattr(registry, "dataset_info", lambda name: info)
    monkeypatch.setattr(registry, "open_dataset", opened)
    monkeypatch.setattr("senbench.models.lazy_model.of", lambda card, spec, **options: Encoder())
    pool = tmp_path / "pool.json"
    pool.write_text(json.dumps(POOL))
    return pool, opened, read, whole


def spec(pool, **change):
    return RunSpec(models=("mini",), prompts=(str(pool),), datasets=("stub",), offline=True, **change)


def evaluate(prompts, tiles, tmp_path):
    from senbench.prompts import packs

    path = tmp_path / "pack.json"
    path.write_text(json.dumps(packs.as_json(prompts, "stub")))
    return senbench.evaluate(stubs.StubEncoder(), tiles, path, results=str(tmp_path / "results"))


@pytest.mark.parametrize(("by", "level"), [("mean", 1), ("tfidf", 1), ("hhi", 1), ("redundancy", 1), ("labels", 3)])
def test_no_evaluated_tile_is_seen(ground, by, level):
    pool, opened, read, whole = ground
    chosen = select_prompts(spec(pool), k=2, by=by)
    assert set(read) == set(whole.ids[:30])
    assert not set(read) & set(opened("stub", split="test").tile_ids)
    assert chosen.access_level == level
    assert chosen.provenance["selected_on"]["n"] == 30
    assert chosen.provenance["distance_km"] == 95
    assert chosen.provenance["held_out"]["split"] == "test"


def test_prompts_meet_their_class_by_name(ground):
    pool, *_ = ground
    chosen = select_prompts(spec(pool), k=2, by="mean")
    assert list(chosen.texts) == ["Field", "Lake", "Town"]
    for key, texts in chosen.texts.items():
        assert len(texts) == 2
        assert all(key.lower() in text for text in texts), texts


def test_labels_are_not_seen_unless_asked_for(ground, monkeypatch):
    pool, opened, *_ = ground
    found = [select_prompts(spec(pool), k=2, by=by).texts for by in ("mean", "tfidf", "hhi", "redundancy")]

    def relabelled(name, **options):
        from dataclasses import replace

        tiles = opened(name, **options)
        return replace(tiles, labels=np.zeros_like(tiles.labels))

    monkeypatch.setattr(registry, "open_dataset", relabelled)
    assert [select_prompts(spec(pool), k=2, by=by).texts for by in ("mean", "tfidf", "hhi", "redundancy")] == found
    few = [select_prompts(spec(pool, limit=9), k=2, by="mean").provenance["selected_on"]["tiles"]]
    monkeypatch.setattr(registry, "open_dataset", opened)
    assert [select_prompts(spec(pool, limit=9), k=2, by="mean").provenance["selected_on"]["tiles"]] == few


@pytest.mark.parametrize(
    ("split", "evaluated", "said"),
    [
        ("test", "test", "share 30 tiles"),
        ("mixed", "test", "share 1 tiles, such as Field_60"),
        ("mixed", "train", "share 10 tiles"),
        ("train", "random-test", "random splits cut neighbouring tiles"),
        ("near", "test", "positions of these tiles are not known"),
    ],
)
def test_what_is_not_apart_is_refused_unread(ground, split, evaluated, said):
    pool, _, read, _ = ground
    with pytest.raises(UsageError, match=said) as refused:
        select_prompts(spec(pool, split=split), k=2, by="mean", evaluated=evaluated)
    assert "--on-evaluated" in str(refused.value)
    assert read == []


def test_what_is_near_is_refused_or_left_out(ground):
    pool, *_ = ground
    with pytest.raises(UsageError, match=r"may be 95 km apart, below 120 km: 30 of 30 tiles"):
        select_prompts(spec(pool), k=2, by="mean", least=120)
    with pytest.raises(UsageError, match="no tile is 120 km"):
        select_prompts(spec(pool), k=2, by="mean", least=120, drop_near=True)


def test_near_tiles_are_left_out_by_name(ground, monkeypatch):
    pool, opened, read, whole = ground

    def beside(name, *, split, **options):
        return opened(name, split="mixed", **options).take(range(40)) if split == "train" else opened(name, split=split)

    monkeypatch.setattr(registry, "open_dataset", beside)
    with pytest.raises(UsageError, match=r"may be 45 km apart, below 60 km: 30 of 40 tiles .* --drop-near"):
        select_prompts(spec(pool), k=2, by="mean", least=60)
    assert read == []
    chosen = select_prompts(spec(pool), k=2, by="mean", least=60, drop_near=True)
    assert set(read) == set(whole.ids[20:30])
    assert (chosen.provenance["left_out_near"], chosen.provenance["distance_km"]) == (30, 95)


def test_on_evaluated_images_only_by_name(ground):
    pool, _, read, whole = ground
    chosen = select_prompts(spec(pool), k=2, by="mean", on_evaluated=True)
    assert set(read) == set(whole.ids[60:])
    assert chosen.access_level == 2
    assert select_prompts(spec(pool), k=2, by="labels", on_evaluated=True).access_level == 3


def test_a_pack_gives_a_run_its_level(ground, tmp_path):
    pool, opened, *_ = ground
    chosen = select_prompts(spec(pool), k=2, by="mean")
    test = opened("stub", split="test")
    result = evaluate(chosen, test, tmp_path)
    assert result.access_level == 1
    assert result.prompts.provenance["score"] == "mean"
    assert "tiles" not in result.prompts.provenance["selected_on"]
    assert not [w for w in result.warnings if "selected" in w]
    plain = evaluate(chosen.model_copy(update={"access_level": 0, "provenance": {}}), test, tmp_path)
    assert plain.access_level == 0
    assert plain.run_id != result.run_id


def test_evaluating_what_was_selected_on_is_level_2(ground, tmp_path):
    pool, opened, *_ = ground
    chosen = select_prompts(spec(pool), k=2, by="mean")
    result = evaluate(chosen, opened("stub", split="mixed"), tmp_path)
    assert result.access_level == 2
    assert any(
        "10 of the 41 evaluated tiles are among those that prompts pack were selected on" in warning
        for warning in result.warnings
    )
    by_labels = select_prompts(spec(pool), k=2, by="labels")
    assert evaluate(by_labels, opened("stub", split="train"), tmp_path).access_level == 3


def test_evaluating_nearer_than_promised_is_level_2(ground, tmp_path):
    pool, opened, *_ = ground
    chosen = select_prompts(spec(pool), k=2, by="mean", least=60)
    result = evaluate(chosen, opened("stub", split="mixed").take(range(15, 35)), tmp_path)
    assert result.access_level == 2
    assert any("may be 45 km from evaluated ones, below 60 km" in warning for warning in result.warnings)


def test_tiles_of_the_same_data_that_nothing_shows_to_be_apart_are_level_2(ground, tmp_path):
    pool, opened, *_ = ground
    chosen = select_prompts(spec(pool), k=2, by="mean")
    result = evaluate(chosen, opened("stub", split="random-test"), tmp_path)
    assert result.access_level == 2
    assert any("nothing shows that these tiles are apart from those: access level 2" in w for w in result.warnings)


@pytest.mark.parametrize(
    ("split", "collection", "level", "said"),
    [
        ("spatial-val", "eurosat", 1, False),  # lists split by longitude, other than the one that was checked
        ("spatial-train", "eurosat", 2, True),  # other tiles of the same regions
        ("random-test", "eurosat", 2, True),
        ("all", "mine", 1, True),  # other data: disjoint, but how far away?
    ],
)
def test_the_level_where_no_positions_are_known(split, collection, level, said):
    seen = {"dataset": "e", "collection": "eurosat", "split": "spatial-train", "tiles": "", "places": None}
    about = {"selected_on": seen, "held_out": {"dataset": "e", "split": "spatial-test"}, "min_distance_km": 5.0}
    info = stubs.info(id="e", collection=collection)
    prompts = load_prompts("generic", stubs.info(), senbench.prompts.vocabulary_for(stubs.info(), None)[0])
    prompts = prompts.model_copy(update={"access_level": 1, "provenance": about})
    found, notes = leakage.access(prompts, stubs.tiles(9, info=info, split=split), None)
    assert (found, bool(notes)) == (level, said)


def test_several_labels_raise_every_figure(tmp_path):
    pack = load_prompts(
        str(_pack(tmp_path, {"Field": ["a field"], "Lake": ["a lake"], "Town": ["a town"]})),
        stubs.info(),
        senbench.prompts.vocabulary_for(stubs.info(), None)[0],
    )
    assert pack.access_level == 3
    labels = np.eye(3, dtype=bool)[np.arange(60) % 3]
    tiles = stubs.tiles(info=stubs.info(task="multi-label", splits={"all": 60}), labels=labels)
    result = senbench.evaluate(stubs.StubEncoder(), tiles, tmp_path / "p.json")
    assert result.access_level == 3
    assert {m.access_level for m in result.metrics.values()} == {3}


def _pack(folder, texts):
    raw = {
        "senbench_pack": 1, "id": "p", "style": "custom", "dataset": "stub", "class_names": "folder",
        "access_level": 3, "texts": texts, "provenance": {},
    }  # fmt: skip
    path = folder / "p.json"
    path.write_text(json.dumps(raw))
    return path


def test_sensitivity_names_the_harmful_prompts(ground):
    pool, *_ = ground
    found = measure(spec(pool, split="train"), draws=50)
    (model,) = found.models
    assert (found.k, found.headline, found.draws) == (2, "top1", 50)
    assert list(model.curve) == [1, 2]
    assert model.curve[1].low <= model.everything["top1"]
    kept = best(found, 3)
    assert kept.access_level == 3
    assert kept.provenance["selected_on"]["split"] == "train"
    assert [len(t) for t in kept.texts.values()] == [3, 3, 3]
    for key, gains in model.contributions.items():
        order = np.argsort(-gains, kind="stable")[:3]
        assert kept.texts[key] == tuple(found.prompts.texts[key][j] for j in order)


def test_sensitivity_refuses_what_is_no_band(ground):
    pool, *_ = ground
    for options, said in (
        ({"k": 3}, "shrinks artificially"),
        ({"k": 1, "bootstrap": True}, "does not go with --bootstrap"),
        ({"draws": 5}, "at least 20"),
    ):
        with pytest.raises(UsageError, match=said):
            measure(spec(pool), **options)
    with pytest.raises(UsageError, match="only means of prompts"):
        measure(spec(pool, ensemble="dap"))


def test_two_models_share_their_draws(ground):
    pool, *_ = ground
    found = measure(RunSpec(models=("mini", "mini"), prompts=(str(pool),), datasets=("stub",), offline=True), draws=30)
    assert found.models[0].bands == found.models[1].bands
    assert found.flips.pairs == {(0, 1): None}


def test_models_draw_the_same_prompts(ground, monkeypatch):
    """Shares of turned rankings mean nothing unless every draw is the same prompts for all models."""
    from senbench.prompts import resampling

    pool, *_ = ground
    drawn, resampled = [], resampling.resampled
    monkeypatch.setattr(resampling, "resampled", lambda p, t, w: drawn.append(w) or resampled(p, t, w))
    measure(RunSpec(models=("mini", "mini"), prompts=(str(pool),), datasets=("stub",), offline=True), draws=20)
    one, other = drawn[: len(drawn) // 2], drawn[len(drawn) // 2 :]
    assert len(one) == 3  # the band, and the curve at 1 and 2
    for a, b in zip(one, other, strict=True):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)


def test_a_choice_from_a_choice_keeps_its_level(ground, tmp_path):
    assert select_prompts(spec(_pack(tmp_path, POOL)), k=2, by="mean").access_level == 3


def test_models_that_read_other_tiles_are_refused(monkeypatch):
    from types import SimpleNamespace

    from senbench.evaluation import embed

    read = [stubs.tiles(9), stubs.tiles(9).take(range(8))]
    monkeypatch.setattr(embed, "embed", lambda *_: SimpleNamespace(tiles=read.pop(0)))
    with pytest.raises(UsageError, match="read for one model only"):
        list(embed.embed_each(None, ["a", "b"], None, None, None))
