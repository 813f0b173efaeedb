"""Every selection score against its definition, written out image by image and prompt by prompt."""

from __future__ import annotations

import math

import numpy as np
import pytest

from senbench.errors import UsageError
from senbench.prompts import selection_scores
from senbench.prompts.pool import Pool, Truth
from senbench.scoring.classifier import class_scores, unit

COUNTS = (5, 7, 4)
TEXT_CLASS = np.repeat(np.arange(3), COUNTS)


@pytest.fixture(params=range(4))
def data(request):
    rng = np.random.default_rng(request.param)
    centres = rng.normal(size=(3, 8))
    labels = rng.integers(0, 3, 60)
    images = (rng.normal(size=(60, 8)) + 0.8 * centres[labels]).astype(np.float32)
    texts = (rng.normal(size=(16, 8)) + 0.7 * centres[TEXT_CLASS]).astype(np.float32)
    return unit(images), unit(texts), labels


def pool_of(data):
    return Pool.of(data[0], data[1], TEXT_CLASS, 3)


def standing_for(images, texts):
    """By definition: per class the N / C images whose class score exceeds their mean over classes most."""
    scores = class_scores(images, texts, TEXT_CLASS, 3)
    m = len(images) // 3
    return [sorted(range(len(images)), key=lambda i: -(scores[i, c] - scores[i].mean()))[:m] for c in range(3)], scores


def flat(per_class):
    return np.concatenate(per_class)


def test_mean(data):
    images, texts, _ = data
    rows, _ = standing_for(images, texts)
    expected = [np.mean([float(images[i] @ texts[j]) for i in rows[TEXT_CLASS[j]]]) for j in range(16)]
    assert flat(selection_scores.mean_similarity(pool_of(data))) == pytest.approx(expected, abs=1e-6)


def test_tfidf(data):
    images, texts, _ = data
    rows, _ = standing_for(images, texts)
    cosines = images @ texts.T
    q = round(16 / 3)
    occurs = [[j in sorted(range(16), key=lambda j: -cosines[i, j])[:q] for j in range(16)] for i in range(60)]
    expected = []
    for j in range(16):
        df = sum(occurs[i][j] for i in range(60))
        tf = [max(0, cosines[i, j] - cosines[i].mean()) if occurs[i][j] else 0 for i in rows[TEXT_CLASS[j]]]
        expected.append(math.log(61 / (1 + df)) * np.mean(tf))
    assert flat(selection_scores.tfidf(pool_of(data))) == pytest.approx(expected, abs=1e-6)


def test_a_prompt_that_is_everywhere_has_no_document_frequency_left():
    """What the release lacks: there every idf is zero, here only that of a prompt which is among all images' best."""
    rng = np.random.default_rng(0)
    images = np.abs(rng.normal(size=(30, 6))) + 3 * np.eye(6)[0]
    texts = np.concatenate([[[1.0, 0, 0, 0, 0, 0]], rng.normal(size=(5, 6)) * [0, 1, 1, 1, 1, 1]])
    scores = selection_scores.tfidf(Pool.of(images, texts, np.array([0, 0, 0, 1, 1, 1]), 2))
    assert scores[0][0] == 0
    assert flat(scores).max() > 0
    assert np.argmax(selection_scores.mean_similarity(Pool.of(images, texts, np.array([0, 0, 0, 1, 1, 1]), 2))[0]) == 0


def test_herfindahl(data):
    images, texts, _ = data
    _, scores = standing_for(images, texts)
    predicted = scores.argmax(axis=1)
    expected = []
    for j in range(16):
        best = sorted(range(60), key=lambda i: -(float(images[i] @ texts[j]) - scores[i].mean()))[:20]
        shares = [sum(predicted[i] == c for i in best) / 20 for c in range(3)]
        sign = 1 if shares[TEXT_CLASS[j]] == max(shares) else -1
        expected.append(sign * sum(s * s for s in shares))
    assert flat(selection_scores.concentration(pool_of(data))) == pytest.approx(expected, abs=1e-6)


def test_redundancy(data):
    _, texts, _ = data
    relevance = flat(selection_scores.mean_similarity(pool_of(data)))
    for c, chosen in enumerate(selection_scores.redundancy_aware(pool_of(data), 4)):
        own = np.flatnonzero(c == TEXT_CLASS)
        between = [float(texts[a] @ texts[b]) for a in own for b in own if a != b]
        expected: list[int] = []
        while len(expected) < 4:

            def merit(j, expected=expected, own=own, between=between):
                worth = (relevance[j] - relevance[own].min()) / np.ptp(relevance[own])
                near = [(float(texts[j] @ texts[s]) - min(between)) / np.ptp(between) for s in expected]
                return 0.5 * worth - 0.5 * max(near, default=0)

            expected.append(max((j for j in own if j not in expected), key=merit))
        assert [own[j] for j in chosen] == expected


def test_redundancy_prefers_another_view_to_a_copy():
    images = np.array([[1.0, 0.3], [1, 0.2], [0, 1]])
    texts = np.array([[1.0, 0.0], [1, 0.001], [0.8, 0.5]])
    pool = Pool.of(images, texts, np.zeros(3, int), 1)
    assert set(selection_scores.redundancy_aware(pool, 2)[0]) != {0, 1}


def balanced(images, texts, text_class, labels):
    predicted = class_scores(images, texts, text_class, 3).argmax(axis=1)
    return np.mean([(predicted[labels == c] == c).mean() for c in range(3)])


def test_forward_selection_equals_trying_every_prompt(data):
    images, texts, labels = data
    found = selection_scores.forward(pool_of(data), 3, Truth(labels, 3))
    own = [list(np.flatnonzero(c == TEXT_CLASS)) for c in range(3)]
    expected: list[list[int]] = [[], [], []]
    for _ in range(3):
        for c in range(3):

            def value(j, c=c):
                sets = [expected[k] or own[k] for k in range(3)]
                sets[c] = [*expected[c], j]
                rows = [j for chosen in sets for j in chosen]
                return round(balanced(images, texts[rows], TEXT_CLASS[rows], labels), 9)

            expected[c].append(max((j for j in own[c] if j not in expected[c]), key=value))
    assert [[own[c][j] for j in chosen] for c, chosen in enumerate(found)] == expected


def test_forward_selection_of_several_labels(data):
    from sklearn.metrics import average_precision_score

    images, texts, labels = data
    several = np.eye(3, dtype=bool)[labels] | (np.random.default_rng(1).random((60, 3)) < 0.2)
    found = selection_scores.forward(pool_of(data), 2, Truth(several, 3))
    for c in range(3):
        own = np.flatnonzero(c == TEXT_CLASS)
        expected: list[int] = []
        for _ in range(2):

            def value(j, c=c, expected=expected):
                mean = texts[[*expected, j]].astype(float).mean(axis=0)
                return round(average_precision_score(several[:, c], images @ (mean / np.linalg.norm(mean))), 9)

            expected.append(max((j for j in own if j not in expected), key=value))
        assert [own[j] for j in found[c]] == expected


@pytest.mark.parametrize("by", [m for m in selection_scores.METHODS if m != "labels"])
def test_scores_without_labels_see_no_labels(data, by):
    chosen = selection_scores.choose(pool_of(data), 2, by)
    assert [len(set(c)) for c in chosen] == [2, 2, 2]
    for c, kept in enumerate(chosen):
        assert set(kept) <= set(range(COUNTS[c]))


@pytest.mark.parametrize("by", ["tfidf", "hhi", "mean", "redundancy"])
def test_prompts_of_another_class_are_left_out(by):
    """In every class two of five prompts speak of another class; three are kept."""
    rng = np.random.default_rng(3)
    centres = np.eye(4, 12)
    labels = rng.integers(0, 4, 200)
    images = centres[labels] + rng.normal(scale=0.15, size=(200, 12))
    speaks_of = np.array([[c, (c + 1) % 4, c, (c + 2) % 4, c] for c in range(4)]).ravel()
    texts = centres[speaks_of] + rng.normal(scale=0.2, size=(20, 12))
    for kept in selection_scores.choose(Pool.of(images, texts, np.repeat(np.arange(4), 5), 4), 3, by):
        wrong = {1, 3} & set(kept.tolist())
        assert not wrong or by == "redundancy"  # which may trade relevance for another view
        assert kept[0] in (0, 2, 4)


def test_refusals(data):
    pool = pool_of(data)
    with pytest.raises(UsageError, match="class 2 has 4 distinct prompts"):
        selection_scores.choose(pool, 5, "mean")
    with pytest.raises(UsageError, match="unknown --by 'median'"):
        selection_scores.choose(pool, 1, "median")
    with pytest.raises(UsageError, match="needs labels"):
        selection_scores.choose(pool, 1, "labels")
