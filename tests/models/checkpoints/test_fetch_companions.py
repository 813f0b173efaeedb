"""Files beside the weights: all here or told by name, and known by their hash."""

from __future__ import annotations

import hashlib

import pytest

from senbench.errors import UnavailableError
from senbench.models import registry
from senbench.models.checkpoints import fetch
from senbench.schema.model_card import HubFile

FILES = (HubFile(repo="o/text", file="tokenizer.json"), HubFile(repo="o/tower", file="sub/config.json"))
CARD = registry.find("mini").model_copy(update={"id": "mine", "companions": FILES})


@pytest.fixture
def here():
    made = {}
    for one in FILES:
        path = fetch.companions(CARD, one.repo) / one.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(one.file.encode())
        made[one] = path
    return made


def test_they_are_given_in_the_cards_order(here):
    assert list(fetch.companion_files(CARD).items()) == list(here.items())
    assert fetch.companion_files(registry.find("mini")) == {}


@pytest.mark.parametrize("missing", FILES, ids=lambda one: one.file)
def test_a_missing_one_is_told_with_its_place(here, missing):
    here[missing].unlink()
    for ask in (fetch.companion_files, fetch.companion_hashes):
        with pytest.raises(UnavailableError, match=f"{missing.file} of {missing.repo}, needed beside") as error:
            ask(CARD)
        assert str(here[missing].parent) in str(error.value)
        assert "`senbench models fetch mine`" in str(error.value)


def test_hashes_are_of_the_bytes_by_repository_and_file(here):
    wanted = {f"{one.repo}/{one.file}": hashlib.sha256(one.file.encode()).hexdigest() for one in FILES}
    assert fetch.companion_hashes(CARD) == wanted
    here[FILES[0]].write_bytes(b"other")
    changed = fetch.companion_hashes(CARD)
    assert [changed[name] != wanted[name] for name in wanted] == [True, False]
