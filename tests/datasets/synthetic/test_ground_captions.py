"""Captions of ground views: true of the view, varied, and without a word from above."""

from __future__ import annotations

import re

import numpy as np
import pytest

from senbench.datasets.synthetic.ground_captions import NAMES, caption, subject
from senbench.datasets.synthetic.ground_views import views
from senbench.datasets.synthetic.landcover import LandCover
from senbench.datasets.synthetic.scenes import CLASSES, FRESH_SEED
from senbench.prompts.vocabulary import load_vocabulary

FIRST = FRESH_SEED + 779_000_000


@pytest.fixture(scope="module")
def seen() -> list[tuple[str, object]]:
    """Class and view, of ten scenes of each class."""
    return [(key, view) for key in CLASSES for n in range(10) for view in views(key, FIRST + n)]


@pytest.fixture(scope="module")
def written(seen) -> list[tuple[str, str]]:
    """What each view is said to show, and six captions of it."""
    rng = np.random.default_rng(0)
    return [(subject(key, view), caption(key, view, rng)) for key, view in seen for _ in range(6)]


def test_same_stream_same_words(seen):
    key, view = seen[17]
    assert caption(key, view, np.random.default_rng(4)) == caption(key, view, np.random.default_rng(4))


def test_most_views_are_said_to_show_their_scene(seen):
    own = {key: np.mean([subject(k, view) == key for k, view in seen if k == key]) for key in CLASSES}
    assert min(own.values()) > 0.4, own
    assert np.mean(list(own.values())) > 0.85


def test_a_river_is_named_only_where_water_is_seen(seen):
    rivers = [view for key, view in seen if key == "River"]
    dry = [view for view in rivers if view.shares[LandCover.WATER] < 0.04]
    assert 0 < len(dry) < len(rivers)
    rng = np.random.default_rng(1)
    for view in dry:
        assert not re.search(r"\b(river|stream|lake|sea)\b", caption("River", view, rng))


def test_words_are_varied(written):
    for key in CLASSES:
        own = [text for about, text in written if about == key]
        assert len(set(own)) > 0.7 * len(own), key
        assert len({word for text in own for word in re.findall(r"[a-z-]+", text.lower())}) > 50, key


def test_no_caption_is_cut_or_from_above(written):
    above = re.compile(r"satellite|aerial|overhead|from above|from the air|bird|\btiles?\b|pixel|sentinel", re.I)
    for _, text in written:
        assert text == text.strip()
        assert "{" not in text
        assert "  " not in text
        assert 1 <= len(text.split()) <= 30, text
        assert not above.search(text), text


def test_words_follow_what_is_seen():
    rng = np.random.default_rng(2)
    green, bare = [], []
    for view in (view for n in range(30) for view in views("AnnualCrop", FIRST + 100 + n)):
        words = " ".join(caption("AnnualCrop", view, rng) for _ in range(20))
        if view.greenness[LandCover.FIELD] > 0.55:
            green.append(words)
        elif view.greenness[LandCover.FIELD] < 0.18:
            bare.append(words)
    assert len(green) > 10
    assert len(bare) > 3
    assert not any(re.search(r"soil|ploughed|stubble", text) for text in green)
    assert all(re.search(r"soil|ploughed|clods", text) for text in bare)


def test_no_cue_of_the_evaluated_prompts_is_a_phrase_of_the_captions(written):
    vocabulary = load_vocabulary("eurosat")
    said = "\n".join(text.lower() for _, text in written)
    cues = [cue for entry in vocabulary.classes for cue in (*entry.ground, *entry.aerial) if len(cue.split()) > 4]
    assert len(cues) > 300
    assert [cue for cue in cues if cue.lower() in said] == []


def test_names_hold_the_published_ones():
    assert set(NAMES) == set(CLASSES)
