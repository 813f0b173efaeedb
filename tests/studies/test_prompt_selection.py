"""Selection end to end: it sees no evaluated tile, keeps its distance, and its pack raises the level of a run."""

from __future__ import annotations

import json

import numpy as np
import prompt_studies
import pytest
import stubs
from prompt_studies import POOL, spec

import senbench
from senbench.datasets import open as registry
from senbench.errors import UsageError
from senbench.prompts.load import load_prompts
from senbench.studies.prompt_selection import Selection, select_prompts


@pytest.fixture
def ground(monkeypatch, tmp_path):
    return prompt_studies.ground(monkeypatch, tmp_path)


def evaluate(prompts, tiles, tmp_path):
    from senbench.prompts import packs

    path = tmp_path / "pack.json"
    path.write_text(json.dumps(packs.as_json(prompts, "stub")))
    return senbench.evaluate(stubs.StubEncoder(), tiles, path, results=str(tmp_path / "results"))


@pytest.mark.parametrize(("by", "level"), [("mean", 1), ("tfidf", 1), ("hhi", 1), ("redundancy", 1), ("labels", 3)])
def test_no_evaluated_tile_is_seen(ground, by, level):
    pool, opened, read, whole = ground
    chosen = select_prompts(spec(pool), Selection(k=2, by=by))
    assert set(read) == set(whole.ids[:30])
    assert not set(read) & set(opened("stub", split="test").tile_ids)
    assert chosen.access_level == level
    assert chosen.provenance["selected_on"]["n"] == 30
    assert chosen.provenance["distance_km"] == 95
    assert chosen.provenance["held_out"]["split"] == "test"


def test_prompts_meet_their_class_by_name(ground):
    pool, *_ = ground
    chosen = select_prompts(spec(pool), Selection(k=2, by="mean"))
    assert list(chosen.texts) == ["Field", "Lake", "Town"]
    for key, texts in chosen.texts.items():
        assert len(texts) == 2
        assert all(key.lower() in text for text in texts), texts


def test_labels_are_not_seen_unless_asked_for(ground, monkeypatch):
    pool, opened, *_ = ground
    methods = ("mean", "tfidf", "hhi", "redundancy")
    found = [select_prompts(spec(pool), Selection(k=2, by=by)).texts for by in methods]

    def relabelled(name, **options):
        from dataclasses import replace

        tiles = opened(name, **options)
        return replace(tiles, labels=np.zeros_like(tiles.labels))

    monkeypatch.setattr(registry, "open_dataset", relabelled)
    assert [select_prompts(spec(pool), Selection(k=2, by=by)).texts for by in methods] == found
    few = [select_prompts(spec(pool, limit=9), Selection(k=2, by="mean")).provenance["selected_on"]["tiles"]]
    monkeypatch.setattr(registry, "open_dataset", opened)
    assert [select_prompts(spec(pool, limit=9), Selection(k=2, by="mean")).provenance["selected_on"]["tiles"]] == few


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
        select_prompts(spec(pool, split=split), Selection(k=2, by="mean", evaluated=evaluated))
    assert "--on-evaluated" in str(refused.value)
    assert read == []


def test_what_is_near_is_refused_or_left_out(ground):
    pool, *_ = ground
    with pytest.raises(UsageError, match=r"may be 95 km apart, below 120 km: 30 of 30 tiles"):
        select_prompts(spec(pool), Selection(k=2, by="mean", least_km=120))
    with pytest.raises(UsageError, match="no tile is 120 km"):
        select_prompts(spec(pool), Selection(k=2, by="mean", least_km=120, drop_near=True))


def test_near_tiles_are_left_out_by_name(ground, monkeypatch):
    pool, opened, read, whole = ground

    def beside(name, *, split, **options):
        return opened(name, split="mixed", **options).take(range(40)) if split == "train" else opened(name, split=split)

    monkeypatch.setattr(registry, "open_dataset", beside)
    with pytest.raises(UsageError, match=r"may be 45 km apart, below 60 km: 30 of 40 tiles .* --drop-near"):
        select_prompts(spec(pool), Selection(k=2, by="mean", least_km=60))
    assert read == []
    chosen = select_prompts(spec(pool), Selection(k=2, by="mean", least_km=60, drop_near=True))
    assert set(read) == set(whole.ids[20:30])
    assert (chosen.provenance["left_out_near"], chosen.provenance["distance_km"]) == (30, 95)


def test_on_evaluated_images_only_by_name(ground):
    pool, _, read, whole = ground
    chosen = select_prompts(spec(pool), Selection(k=2, by="mean", on_evaluated=True))
    assert set(read) == set(whole.ids[60:])
    assert chosen.access_level == 2
    assert select_prompts(spec(pool), Selection(k=2, by="labels", on_evaluated=True)).access_level == 3


def test_a_pack_gives_a_run_its_level(ground, tmp_path):
    pool, opened, *_ = ground
    chosen = select_prompts(spec(pool), Selection(k=2, by="mean"))
    test = opened("stub", split="test")
    result = evaluate(chosen, test, tmp_path)
    assert result.access_level == 1
    assert result.prompts.provenance["score"] == "mean"
    assert "tiles" not in result.prompts.provenance["selected_on"]
    assert [w for w in result.warnings if "selected" in w] == ["the prompts were selected on stub train"]
    plain = evaluate(chosen.model_copy(update={"access_level": 0, "provenance": {}}), test, tmp_path)
    assert plain.access_level == 0
    assert plain.run_id != result.run_id


def test_evaluating_what_was_selected_on_is_level_2(ground, tmp_path):
    pool, opened, *_ = ground
    chosen = select_prompts(spec(pool), Selection(k=2, by="mean"))
    result = evaluate(chosen, opened("stub", split="mixed"), tmp_path)
    assert result.access_level == 2
    assert any(
        "10 of the 41 evaluated tiles are among those that prompts pack were selected on" in warning
        for warning in result.warnings
    )
    by_labels = select_prompts(spec(pool), Selection(k=2, by="labels"))
    assert evaluate(by_labels, opened("stub", split="train"), tmp_path).access_level == 3


def test_evaluating_nearer_than_promised_is_level_2(ground, tmp_path):
    pool, opened, *_ = ground
    chosen = select_prompts(spec(pool), Selection(k=2, by="mean", least_km=60))
    result = evaluate(chosen, opened("stub", split="mixed").take(range(15, 35)), tmp_path)
    assert result.access_level == 2
    assert any("may be 45 km from evaluated ones, below 60 km" in warning for warning in result.warnings)


def test_tiles_of_the_same_data_that_nothing_shows_to_be_apart_are_level_2(ground, tmp_path):
    pool, opened, *_ = ground
    chosen = select_prompts(spec(pool), Selection(k=2, by="mean"))
    result = evaluate(chosen, opened("stub", split="random-test"), tmp_path)
    assert result.access_level == 2
    assert any("nothing shows that these tiles are apart from those: access level 2" in w for w in result.warnings)


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


def test_a_choice_from_a_choice_keeps_its_level(ground, tmp_path):
    assert select_prompts(spec(_pack(tmp_path, POOL)), Selection(k=2, by="mean")).access_level == 3


def test_models_that_read_other_tiles_are_refused(monkeypatch):
    from types import SimpleNamespace

    from senbench.evaluation import embed

    read = [stubs.tiles(9), stubs.tiles(9).take(range(8))]
    monkeypatch.setattr(embed, "embed", lambda *_: SimpleNamespace(tiles=read.pop(0)))
    with pytest.raises(UsageError, match="read for one model only"):
        list(embed.embed_each(None, ["a", "b"], None, None, None))
