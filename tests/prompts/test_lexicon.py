"""Words of the other point of view: found as words, each with a reason; no shipped cue holds one."""

from __future__ import annotations

import pytest

from senbench.errors import UsageError
from senbench.prompts import lexicon, load_vocabulary
from senbench.prompts.lexicon import foreign_word, listed, load_lexicon


@pytest.mark.parametrize(
    ("style", "text", "word"),
    [
        ("ground", "an Aerial view of homes", "Aerial"),
        ("ground", "Aerial roots of mangroves", "Aerial"),  # the text tower reads the word, not the sense
        ("ground", "a bird's-eye view", "bird's-eye"),
        ("ground", "seen from  above", "from  above"),
        ("ground", "Sentinel-2 pixels", "Sentinel-2"),
        ("ground", "a canopy overhead, the sky above", None),
        ("ground", "a scarecrow standing sentinel", None),
        ("ground", "aerialist", None),
        ("aerial", "a street-level photo", "street-level"),
        ("aerial", "cows on the horizon", "horizon"),
        ("aerial", "patches of bare ground", None),
        ("aerial", "standing water", None),
        ("mixed", "an aerial and a ground-level photo", None),
        ("custom", "an aerial photo", None),
    ],
)
def test_words_of_the_other_style(style, text, word):
    found = foreign_word(text, style)
    assert (found and found[0]) == word


def test_the_lexicon_states_a_reason_for_every_word():
    lexicon = load_lexicon()
    assert set(lexicon) == {"aerial", "ground", "below_10m", "not_visual"}
    for part, words in lexicon.items():
        for word, reason in words.items():
            assert reason and listed(f"x {word} y", part)


@pytest.mark.parametrize(
    ("part", "text", "word"),
    [
        ("below_10m", "parked Cars and a fence", "Cars"),
        ("below_10m", "a car plant", None),
        ("below_10m", "tyre tracks in mud", "tyre tracks"),
        ("below_10m", "terraces in narrow steps", None),
        ("not_visual", "a buzzing meadow", "buzzing"),
        ("not_visual", "tobacco with sticky leaves", "sticky"),
        ("not_visual", "boats in a narrow sound", None),
        ("not_visual", "the sound of waves", "sound of"),
    ],
)
def test_words_of_things_that_are_not_seen(part, text, word):
    found = listed(text, part)
    assert (found and found[0]) == word


def test_vocabularies_are_not_their_own_contamination():
    for name in ("eurosat", "bigearthnet"):
        for entry in load_vocabulary(name).classes:
            assert not [cue for cue in entry.ground if foreign_word(cue, "ground")]
            assert not [cue for cue in entry.aerial if foreign_word(cue, "aerial")]


def test_the_longest_word_is_told_with_its_own_reason(monkeypatch):
    words = {"from": "short", "seen from": "a view", "from high above": "long", "drone": "a machine"}
    monkeypatch.setattr(lexicon, "load_lexicon", lambda: {"aerial": words, "ground": {}})
    lexicon._compiled.cache_clear()
    try:
        assert foreign_word("a town FROM  high-above", "ground") == ("FROM  high-above", "long")
        assert foreign_word("a town from high up", "ground") == ("from", "short")
        assert foreign_word("drones", "ground") == ("drones", "a machine")
        assert foreign_word("a town from above", "custom") is None
    finally:
        lexicon._compiled.cache_clear()


def test_controls_are_known_by_their_name():
    assert lexicon.is_control("control-bare")
    assert not lexicon.is_control("ground")


@pytest.mark.parametrize("text", ["ground: {}\n", "ground: [a]\naerial: {}\n", "ground: {a: ''}\naerial: {}\n"])
def test_an_edited_lexicon_is_refused(text, tmp_path, monkeypatch):
    (tmp_path / "lexicon.yaml").write_text(text)
    monkeypatch.setattr(lexicon, "shipped", lambda name: tmp_path)
    with pytest.raises(UsageError, match=r"lexicon .* must"):
        load_lexicon()
