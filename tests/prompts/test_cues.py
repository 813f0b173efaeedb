"""The shipped cues against what their files promise: what is visible where, pairs of one thing in other words."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from prompt_words import content_words, jaccard

from senbench.datasets.open import dataset_info
from senbench.models.clip import bpe
from senbench.prompts import load_prompts, load_vocabulary
from senbench.prompts.lexicon import listed
from senbench.prompts.text_files import read_yaml
from senbench.prompts.versions import older_cues, with_cues
from senbench.runtime.paths import shipped

VOCABULARIES = {"eurosat": "eurosat", "bigearthnet": "bigearthnet-v2", "bigearthnet-43": "bigearthnet-v1-43"}
"""Vocabulary -> a dataset of it."""
WITH_VERSION_1 = ("eurosat", "bigearthnet")
"""Those that had cues before version 2."""
WINTER = re.compile(r"\b(snow|snowy|winter|frost|frosty|frozen|ice|icy)\b|\bsnow-")
MOST_NATS = 8.0
"""Margin of a word classifier for another class, above which a cue is suspected of standing in the wrong one."""


def pairs(entry):
    return [*zip(entry.ground, entry.aerial, strict=True), *zip(entry.ground_short, entry.aerial_short, strict=True)]


@pytest.fixture(params=VOCABULARIES)
def classes(request):
    return load_vocabulary(request.param).classes


def test_no_aerial_cue_is_below_a_pixel_and_no_cue_is_invisible(classes):
    for entry in classes:
        for ground, aerial in pairs(entry):
            assert listed(aerial, "below_10m") is None, aerial
            assert listed(aerial, "not_visual") is None, aerial
            assert listed(ground, "not_visual") is None, ground


def test_the_lists_find_what_was_wrong_with_the_cues_of_version_1():
    below = {
        name: sum(listed(cue, "below_10m") is not None for e in older_cues(name, 1).values() for cue in e["aerial"])
        for name in WITH_VERSION_1
    }
    unseen = sum(
        listed(cue, "not_visual") is not None for e in older_cues("bigearthnet", 1).values() for cue in e["ground"]
    )
    assert below["eurosat"] > 25 and below["bigearthnet"] > 25 and unseen >= 8


def test_pairs_are_one_thing_in_other_words(classes):
    every = []
    for entry in classes:
        shares = [jaccard(content_words(g), content_words(a)) for g, a in pairs(entry)]
        for (g, a), share in zip(pairs(entry), shares, strict=True):
            assert share <= 0.45, (g, a)
        assert np.mean(shares) <= 0.3, entry.key
        sides = [set().union(*(content_words(pair[side]) for pair in pairs(entry))) for side in (0, 1)]
        assert jaccard(*sides) <= 0.33, entry.key  # of all words of a class: 0.49 and 0.44 on average in version 1
        every.append((np.mean(shares), jaccard(*sides)))
    assert np.mean(every, axis=0).max() <= 0.3


def test_the_overlap_of_version_1_was_too_large():
    for name in WITH_VERSION_1:
        shares = [
            jaccard(content_words(g), content_words(a))
            for e in older_cues(name, 1).values()
            for g, a in zip(e["ground"], e["aerial"], strict=True)
        ]
        assert np.mean(shares) > 0.3


def test_winter_is_at_most_one_pair_of_a_class(classes):
    for entry in classes:
        found = [pair for pair in pairs(entry) if any(WINTER.search(cue) for cue in pair)]
        assert len(found) <= 1, (entry.key, found)


def test_cues_name_no_place_and_are_plain_noun_phrases(classes):
    seen = set()
    for entry in classes:
        for pair in pairs(entry):
            for cue in pair:
                assert cue.isascii() and cue == cue.strip() and cue[-1].isalnum() and "  " not in cue, cue
                assert cue == cue.lower(), cue  # names of places have capitals
                assert not re.search(r"\ba [aeio]|\ban [^aeiou]", cue), cue
                assert all(one != two for one, two in pairwise(cue.split())), cue
                assert cue not in seen, cue
                seen.add(cue)


def test_no_word_rules_the_aerial_cues(classes):
    for entry in classes:
        for word in ("dark", "pale"):
            held = sum(bool(re.search(rf"\b{word}", cue)) for _, cue in pairs(entry))
            assert held <= 6, (entry.key, word)  # 12 of 22 in version 1


@pytest.mark.parametrize("side", [0, 1])
def test_no_cue_reads_like_one_of_another_class(classes, side):
    """A leave-one-out word classifier finds suspects, no more: a cue with new words is rightly missed."""
    texts = [pair[side] for entry in classes for pair in pairs(entry)]
    labels = np.repeat(np.arange(len(classes)), [len(pairs(entry)) for entry in classes])
    margins, right = margins_for_another_class(texts, labels)
    assert max(margins) <= MOST_NATS, texts[int(np.argmax(margins))]
    assert right > 0.4 * len(texts)  # it reads something


def test_the_word_classifier_suspects_a_cue_of_version_1():
    then = older_cues("bigearthnet", 1)
    texts = [cue for entry in then.values() for cue in entry["aerial"]]
    margins, _ = margins_for_another_class(texts, np.repeat(np.arange(len(then)), 22))
    assert max(margins) > MOST_NATS
    assert texts[int(np.argmax(margins))] == "a new oak planting as pale ruled points in long grass"


def margins_for_another_class(texts, labels):
    """Log-odds by which the likeliest class of each text leads its own, and how often its own is the likeliest."""
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.naive_bayes import MultinomialNB

    counts = CountVectorizer(analyzer=lambda text: sorted(content_words(text))).fit_transform(texts)
    margins, right = [], 0
    for j, label in enumerate(labels):
        rest = np.arange(len(texts)) != j
        fitted = MultinomialNB(alpha=0.5, fit_prior=False).fit(counts[rest], labels[rest])
        found = fitted.predict_joint_log_proba(counts[j])[0]
        margins.append(found.max() - found[label])
        right += found.argmax() == label
    return margins, right


@pytest.mark.parametrize("dataset", VOCABULARIES.values())
def test_ground_and_aerial_are_fair(dataset):
    """Counts, names, tokens, near duplicates: a difference between the two is one of cue and frame."""
    info = dataset_info(dataset)
    vocabulary = load_vocabulary(info.vocabulary)
    ground, aerial = (load_prompts(style, info, vocabulary) for style in ("ground", "aerial"))
    for key, name in zip(info.classes, ground.names, strict=True):
        sides = ground.texts[key], aerial.texts[key]
        assert [len(lines) for lines in sides] == [52, 52]
        named = [[name.lower() in line for line in lines] for lines in sides]
        assert named[0] == named[1] and sum(named[0]) == 26
        means = [np.mean(bpe.counts(list(lines), None)) for lines in sides]
        assert abs(means[0] - means[1]) <= 1, key
        for lines in sides:
            assert near_duplicates(lines) <= 0.05, key


def near_duplicates(lines) -> float:
    words = [set(re.findall(r"[\w'-]+", line.lower())) for line in lines]
    return np.mean([any(jaccard(one, other) > 0.8 for other in words[:j]) for j, one in enumerate(words)])


def test_near_duplicates_are_found_in_version_1():
    info = dataset_info("eurosat")
    vocabulary = load_vocabulary("eurosat")
    assert near_duplicates(load_prompts("ground@1", info, vocabulary).texts["River"]) > 0.15


def test_cues_of_version_1_are_another_text():
    for name in WITH_VERSION_1:
        now = load_vocabulary(name)
        then = with_cues(now, 1)
        assert [e.names for e in then.classes] == [e.names for e in now.classes]
        for one, other in zip(now.classes, then.classes, strict=True):
            assert one.aerial != other.aerial


def test_each_of_the_43_says_where_its_cues_are_from():
    """Own, inherited, or in part those of the one of the 19 labels that it was split from: counted."""
    coarse = {entry.key: entry for entry in load_vocabulary("bigearthnet").classes}
    shared = {pair: key for key, entry in coarse.items() for pair in pairs(entry)}
    raw = read_yaml(shipped("prompts") / "classes" / "bigearthnet-43.yaml", "class vocabulary")["classes"]
    kinds = []
    for entry in load_vocabulary("bigearthnet-43").classes:
        found = re.fullmatch(
            r"CORINE Land Cover [1-5]\d\d; (?:(own) pairs|all pairs (inherited)"
            r"|(\d+) of 22 and (\d+) of 8 pairs are those of (.+), the others own)",
            entry.source,
        )
        assert found, entry.source
        own, inherited, long, short, parent = found.groups()
        taken = [sum(pair in shared for pair in part) for part in (pairs(entry)[:22], pairs(entry)[22:])]
        assert taken == ([0, 0] if own else [22, 8] if inherited else [int(long), int(short)]), entry.key
        assert ("cues_from" in raw[entry.key]) == bool(inherited)
        assert {shared[pair] for pair in pairs(entry) if pair in shared} <= {parent} or inherited
        kinds.append("own" if own else "inherited" if inherited else "in part")
    assert {kind: kinds.count(kind) for kind in kinds} == {"own": 14, "inherited": 6, "in part": 23}
