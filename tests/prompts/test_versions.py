"""Older versions of a style run by name, with the cues of their time."""

from __future__ import annotations

import pytest

from senbench.datasets.open import dataset_info
from senbench.errors import UsageError
from senbench.prompts import load_prompts, load_vocabulary
from senbench.prompts.frozen import frozen
from senbench.prompts.lint.lint import lint
from senbench.prompts.pairing import resamplings
from senbench.prompts.versions import asked, older, vocabulary_of, with_cues

INFO = dataset_info("eurosat")
VOCABULARY = load_vocabulary("eurosat")


def test_a_version_is_asked_for_by_name():
    assert asked("ground@1") == ("ground", 1)
    assert asked("control-random-words@12") == ("control-random-words", 12)
    assert [asked(other) for other in ("ground", "ground@", "a/ground@1", "ground@1.j2", "Ground@x")] == [None] * 5


def test_every_frozen_version_but_the_last_has_its_template():
    for style, entries in frozen().items():
        assert list(older(style)) == [entry.version for entry in entries[:-1]], style


def test_the_prompts_of_an_older_version_are_those_that_were_frozen():
    old = load_prompts("ground@1", INFO, VOCABULARY)
    assert (old.id, old.style, old.version, old.source) == ("ground@1", "ground", 1, "builtin:ground@1.j2")
    assert old.hash == frozen()["ground"][0].hashes["eurosat"]["senclip"]
    assert old.texts["River"][0] == "a ground-level photo of a slow channel of brown water between banks of willows."
    now = load_prompts("ground", INFO, VOCABULARY)
    assert load_prompts(f"ground@{now.version}", INFO, VOCABULARY) == now


def test_an_older_version_is_linted_with_the_cues_of_its_time():
    assert lint("ground@1", INFO, VOCABULARY).n == 560


@pytest.mark.parametrize("source", ["ground@9", "ground@0", "clip@2"])
def test_no_such_version_is_one_line(source):
    with pytest.raises(UsageError, match="unknown version of a prompt style") as caught:
        load_prompts(source, INFO, VOCABULARY)
    assert "\n" not in str(caught.value) and f"{source.partition('@')[0]}@1" in str(caught.value)


def test_no_such_style_is_told_as_ever():
    with pytest.raises(UsageError, match="unknown prompt style 'grund@1'"):
        load_prompts("grund@1", INFO, VOCABULARY)


def test_cues_of_a_users_own_stay():
    own = VOCABULARY.classes[0].model_copy(update={"ground": ("a cue of mine",)})
    mixed = VOCABULARY.model_copy(update={"classes": (own, *VOCABULARY.classes[1:])})
    found = with_cues(mixed, 1)
    assert found.classes[0] == own
    assert found.classes[1].ground[0] == "tall spruce trunks close together in dim light"
    assert found.classes[1] != VOCABULARY.classes[1]
    assert vocabulary_of("ground", mixed) is mixed


def test_a_vocabulary_without_cues_then_has_none():
    fine = load_vocabulary("bigearthnet-43")
    assert not any(entry.ground for entry in vocabulary_of("ground@1", fine).classes)


def test_matched_styles_of_version_1_are_still_drawn_together():
    old = [load_prompts(style, INFO, VOCABULARY) for style in ("ground@1", "aerial@1")]
    one, other = resamplings(old, VOCABULARY)
    assert one == other and one.order[0] == tuple(range(56))
