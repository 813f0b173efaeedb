"""Grades follow the card and the collection, never the file format, and reach result, table and page."""

from __future__ import annotations

import pytest
import stubs

from senbench.datasets.open import dataset_info
from senbench.evaluation.grid import evaluate
from senbench.models import registry
from senbench.report.leaderboard.entries import read_all
from senbench.report.leaderboard.tables import build
from senbench.schema import contamination

PROMPTS = {"Field": ["a field"], "Lake": ["a lake"], "Town": ["a town"]}


@pytest.mark.parametrize("dataset", ["eurosat", "eurosat-rgb", "eurosat-spatial", "eurosat-100"])
def test_every_form_of_a_collection_has_one_grade(dataset):
    assert contamination.grade(registry.find("senclip"), dataset_info(dataset)) == "same geography and sensor"


def test_unlisted_data_are_unknown_not_clean():
    assert contamination.grade(registry.find("clip"), dataset_info("eurosat")) == "unknown"
    assert contamination.grade(registry.find("clip"), stubs.info()) == "unknown"
    assert contamination.grade(None, dataset_info("eurosat")) == "unknown"


def test_every_shipped_card_states_both_collections():
    for card in registry.cards().values():
        assert {"eurosat", "bigearthnet"} <= set(card.contamination), card.id


def test_rs5m_holds_bigearthnet():
    for name in ("georsclip-vit-b-32", "farslip1-vit-b-32"):
        assert registry.find(name).contamination["bigearthnet"] == contamination.NOT_ZERO_SHOT


def test_a_file_that_the_card_does_not_pin_may_have_been_trained_further():
    card = registry.find("openclip-datacomp-vit-b-32")
    assert contamination.grade(card, dataset_info("eurosat")) == "none known"
    assert contamination.grade(card, dataset_info("eurosat"), given=True) == "unknown"
    assert (
        contamination.grade(registry.find("senclip"), dataset_info("eurosat"), given=True)
        == "same geography and sensor"
    )


def contaminated():
    encoder = stubs.StubEncoder("seen")
    encoder.card = registry.find("clip").model_copy(update={"contamination": {"stub": "images"}})
    return encoder


def test_trained_on_the_images_is_not_zero_shot_anywhere(tmp_path, capsys):
    from senbench.cli.tables.run_table import print_table

    clean = evaluate(stubs.StubEncoder(), stubs.tiles(), PROMPTS, results=str(tmp_path))
    result = evaluate(contaminated(), stubs.tiles(), PROMPTS, results=str(tmp_path))
    assert clean.contamination == "unknown"
    assert result.contamination == "images"
    assert any("not zero-shot" in w for w in result.warnings)
    assert not any("not zero-shot" in w for w in clean.warnings)
    print_table([clean, result], stderr=False)
    out = capsys.readouterr().out
    assert "not zero-shot" in out
    (board,) = build(read_all(tmp_path)[0])
    # the contaminated row stands below, whatever its figure
    assert [(e.result.run_id, e.status) for e in board.entries] == [
        (clean.run_id, "as declared"),
        (result.run_id, "not zero-shot"),
    ]
