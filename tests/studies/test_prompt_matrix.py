"""Prompts by classes end to end, and which tiles get a picture."""

from __future__ import annotations

import numpy as np
import prompt_studies
import pytest
import stubs
from prompt_studies import POOL, spec

from senbench.errors import UnavailableError
from senbench.results.thumbnails import encode
from senbench.studies.prompt_matrix import TOP, matrix_of, measure, pictures


@pytest.fixture
def ground(monkeypatch, tmp_path):
    return prompt_studies.ground(monkeypatch, tmp_path)


def test_a_prompt_is_most_like_the_class_that_it_speaks_of(ground):
    found = measure(spec(ground.pool, split="train"))
    (model,) = found.models
    assert model.cosine.shape == model.contribution.shape == (15, 3)
    assert model.top.shape == model.top_cosine.shape == (15, TOP)
    assert set(ground.read) == set(ground.whole.ids[:30])
    classes = found.tiles.info.classes
    rows = [(key, text) for key in classes for text in POOL[key]]
    spoken = {j: [c for c, name in enumerate(classes) if name.lower() in text] for j, (_, text) in enumerate(rows)}
    for j, named in spoken.items():
        if len(named) == 1:
            assert model.cosine[j].argmax() == named[0]
            assert {int(label) for label in found.tiles.tile_labels[model.top[j]]} == set(named)
    assert (np.diff(model.top_cosine) <= 0).all()
    assert set(found.pictures) == set(model.top.ravel().tolist())


def test_cards_of_one_title_go_by_their_ids(ground, monkeypatch):
    from senbench.models import registry

    one = registry.find("mini")
    cards = [one, one.model_copy(update={"id": "other"})]
    monkeypatch.setattr(registry, "find", lambda name, **options: cards[name == "other"])
    found = measure(spec(ground.pool, split="train", models=("mini", "other")))
    assert [model.title for model in found.models] == ["mini", "other"]
    cards[1] = cards[1].model_copy(update={"title": "Other"})
    found = measure(spec(ground.pool, split="train", models=("mini", "other")))
    assert [model.title for model in found.models] == [one.title, "Other"]


def test_contribution_is_the_figure_with_all_prompts_less_that_without_one():
    rng = np.random.default_rng(3)
    images, texts = rng.normal(size=(40, 6)).astype(np.float32), rng.normal(size=(5, 6)).astype(np.float32)
    text_class, labels = np.array([0, 0, 0, 1, 1]), np.arange(40) % 2
    found = matrix_of("m", images, texts, text_class, labels, 2)

    def recall(keep):
        unit = texts[keep] / np.linalg.norm(texts[keep], axis=1, keepdims=True)
        means = np.stack([unit[text_class[keep] == c].mean(axis=0) for c in range(2)])
        best = (images @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T).argmax(axis=1)
        return np.array([(best == labels)[labels == c].mean() for c in range(2)])

    every = np.arange(5)
    for p in every:
        np.testing.assert_allclose(found.contribution[p], recall(every) - recall(every[every != p]), atol=1e-9)


def test_first_places_come_before_second_ones_and_the_size_is_bounded(monkeypatch):
    tiles = stubs.tiles(12)
    top = np.array([[0, 1, 2, 3], [4, 5, 6, 7]])
    size = len(encode(tiles.picture(0))) + len(encode(tiles.picture(4)))
    assert list(pictures(tiles, [top], limit=size)) == [0, 4]
    assert list(pictures(tiles, [top])) == [0, 4, 1, 5, 2, 6, 3, 7]

    def unseen(self, i):
        if i == 4:
            raise UnavailableError("no RGB")
        return plain(self, i)

    plain = type(tiles).picture
    monkeypatch.setattr(type(tiles), "picture", unseen)
    assert list(pictures(tiles, [top])) == [0, 1, 5, 2, 6, 3, 7]
