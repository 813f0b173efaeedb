"""Card and dataset of a result, from its blocks."""

from __future__ import annotations

import runs
from places import ROOT

from senbench.audit.stand_ins import card_of, dataset_of, shipped_card, vocabulary_of
from senbench.models import registry
from senbench.results import store


def test_a_shipped_model_and_dataset():
    result = store.load(next((ROOT / "leaderboard" / "results").glob("mini_generic*")))
    assert card_of(result.model).preprocess == registry.find("mini").preprocess
    assert shipped_card(result) == registry.find("mini")
    known = dataset_of(result)
    assert known.shipped
    assert [entry.key for entry in vocabulary_of(known).classes] == list(result.dataset.classes)


def test_a_users_object_and_tiles(tmp_path):
    result = runs.run(tmp_path)
    assert card_of(result.model) is None
    assert shipped_card(result) is None
    known = dataset_of(result)
    assert not known.shipped
    assert known.info.default_split == result.dataset.split
    assert [entry.names["folder"] for entry in vocabulary_of(known).classes] == ["Field", "Lake", "Town"]
