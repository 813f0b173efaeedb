"""Packs: what is written is what is read, and what is not a pack is refused by name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.prompts import load_prompts, packs


@pytest.fixture
def pack(info, vocabulary, tmp_path):
    """A pack of the style ground, with classes in another order."""
    prompts = load_prompts("ground", info, vocabulary).model_copy(
        update={"access_level": 1, "provenance": {"score": "mean", "selected_on": {"n": 3, "tiles": "", "places": []}}}
    )
    raw = packs.as_json(prompts, "eurosat")
    raw["texts"] = dict(reversed(raw["texts"].items()))
    path = tmp_path / "picked.json"

    def write(**change):
        path.write_text(json.dumps({k: v for k, v in {**raw, **change}.items() if v is not None}))
        return path

    return write, prompts


def test_it_is_read_as_it_was_written(pack, info, vocabulary):
    write, prompts = pack
    found = load_prompts(str(write()), info, vocabulary)
    assert found.texts == prompts.texts
    assert list(found.texts) == list(info.classes)
    assert (found.hash, found.style, found.access_level) == (prompts.hash, "ground", 1)
    assert found.provenance == prompts.provenance
    assert (found.id, found.template_aligned) == ("picked", False)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"senbench_pack": 2}, "version 2"),
        ({"access_level": 4}, "access_level is 4"),
        ({"access_level": True}, "access_level is True"),
        ({"style": "Ground!"}, "style is"),
        ({"texts": ["a {}"]}, "texts must map"),
        ({"provenance": "none"}, "provenance must be"),
        ({"provenance": None}, "lacks the field 'provenance'"),
        ({"acess_level": 0}, "unknown field 'acess_level'"),
    ],
)
def test_malformed_ones_are_refused(pack, info, vocabulary, change, said):
    write, _ = pack
    with pytest.raises(UsageError, match=said):
        load_prompts(str(write(**change)), info, vocabulary)


@given(st.sets(st.text(max_size=20), max_size=30), st.text(max_size=5))
def test_hashes_of_tiles_come_back(ids, collection):
    found = packs.digests(collection, ids)
    assert packs.decoded(packs.encoded(found)) == found
    assert len(found) == len(ids)


def test_tiles_of_other_collections_differ():
    assert not packs.digests("eurosat", ["Forest_1"]) & packs.digests("user", ["Forest_1"])


@pytest.mark.parametrize("text", ["AAAA", "not base64!", 7])
def test_damaged_hashes_are_refused(text):
    with pytest.raises(UsageError, match=r"selected_on\.tiles"):
        packs.decoded(text)


def test_results_keep_no_lists_of_tiles(pack):
    _, prompts = pack
    assert packs.told(prompts.provenance) == {"score": "mean", "selected_on": {"n": 3}}
