"""A model that is loaded only when something must be encoded, and is the same model when it is not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from senbench.embedding.engine import embed_images, embed_texts
from senbench.errors import ContractError
from senbench.models import lazy_model, load, registry
from senbench.models.checkpoints import fetch
from senbench.models.checkpoints.checkpoint import Checkpoint
from senbench.models.lazy_model import LazyModel
from senbench.runtime.access import Access

if TYPE_CHECKING:
    from pathlib import Path

TEXTS = ["a field of wheat", "a lake", "word " * 200]


def mini(cache: Path | None, **change) -> LazyModel:
    card = change.pop("card", registry.find("mini"))
    path = fetch.locate(card, Access(offline=True))
    settings = {"device": "cpu", **change}
    return LazyModel(Checkpoint(card, path, fetch.identify(card, path), **settings), cache)


@pytest.fixture(scope="module")
def tiles() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3), dtype=np.uint8))


def loaded(model: LazyModel) -> bool:
    return "model" in model.__dict__


def test_what_is_remembered_is_what_the_model_says(tmp_path):
    first, again, whole = mini(tmp_path), mini(tmp_path), load.load("mini", device="cpu", offline=True)
    assert loaded(first)
    for model in (first, again):
        assert model.describe() == whole.describe()
        assert _plain(model.image_identity()) == _plain(whole.image_identity())
        assert _plain(model.text_identity()) == _plain(whole.text_identity())
        assert (model.logit_scale, model.logit_bias) == (whole.logit_scale, whole.logit_bias)
        assert (model.path, model.batch_size, model.embed_dim) == (whole.path, whole.batch_size, whole.embed_dim)
        assert model.preprocess == whole.preprocess
        assert model.truncated(TEXTS) == whole.truncated(TEXTS) == TEXTS[2:]
        assert model.device.type == whole.device.type
    assert not loaded(again)


def _plain(value):
    """Tuples as lists, as JSON and so the cache's key have them."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value


def test_it_is_loaded_to_encode_and_encodes_alike(tmp_path, tiles):
    mini(tmp_path)
    model, whole = mini(tmp_path), load.load("mini", device="cpu", offline=True)
    texts = model.encode_texts(TEXTS)
    assert not loaded(model)
    assert not hasattr(model._texts.model, "visual")
    rows = model.encode_prepared([model.prepare(tile) for tile in tiles])
    assert loaded(model)
    np.testing.assert_array_equal(rows, whole.encode_images(tiles))
    np.testing.assert_array_equal(texts, whole.encode_texts(TEXTS))
    np.testing.assert_array_equal(texts, model.encode_texts(TEXTS))
    assert model._texts is model.model  # its tensors are held once


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "bf16"},
        {"path": "device"},
        {"preprocess": registry.find("mini").preprocess.model_copy(update={"mean": (0.1, 0.2, 0.3)})},
        {"card": registry.find("mini").model_copy(update={"title": "another"})},
    ],
    ids=["dtype", "path", "preprocess", "card"],
)
def test_other_settings_are_not_remembered_under_these(tmp_path, change):
    mini(tmp_path)
    assert loaded(mini(tmp_path, **change))


def test_what_is_the_default_may_be_asked_for(tmp_path):
    mini(tmp_path)
    assert not loaded(mini(tmp_path, path="exact"))


@pytest.mark.parametrize("what", ["versions", "_code"])
def test_other_versions_or_code_forget(tmp_path, monkeypatch, what):
    mini(tmp_path)
    monkeypatch.setattr(lazy_model, what, lambda: {"torch": "other"})
    assert loaded(mini(tmp_path))


def test_other_weights_are_not_remembered_under_these(tmp_path, monkeypatch):
    mini(tmp_path)
    monkeypatch.setattr(fetch, "identify", lambda card, path: "0" * 64)
    with pytest.raises(ContractError, match="not the bytes that were recorded"):  # so it was loaded, and is another
        mini(tmp_path)


def test_damaged_memory_is_made_anew(tmp_path):
    mini(tmp_path)
    (about,) = (tmp_path / lazy_model.FOLDER).iterdir()
    written = about.read_text()
    for damaged in ('{"image": 3}', written.replace('"logit_scale": ', '"logit_scale": 1'), written[:1000]):
        assert damaged != written
        about.write_text(damaged)
        assert loaded(mini(tmp_path))
        assert not loaded(mini(tmp_path))
        assert about.read_text() == written


def test_without_a_cache_or_for_a_plug_in_nothing_is_remembered(tmp_path):
    mini(None)
    assert loaded(mini(None))
    foreign = registry.find("mini").model_copy(update={"adapter": "plug_in_of_somebody:Adapter"})
    sys.modules["plug_in_of_somebody"] = sys.modules["senbench.models.openclip"]
    try:
        sys.modules["plug_in_of_somebody"].Adapter = sys.modules["senbench.models.openclip"].OpenClipAdapter
        for _ in range(2):
            assert loaded(mini(tmp_path, card=foreign))
    finally:
        del sys.modules["plug_in_of_somebody"], sys.modules["senbench.models.openclip"].Adapter


def test_a_cached_image_stage_does_not_load(tmp_path):
    from stubs import tiles as some

    data = some(9)
    before = embed_images(mini(tmp_path), data, tmp_path)
    model = mini(tmp_path)
    after = embed_images(model, data, tmp_path)
    embed_texts(mini(tmp_path), TEXTS, tmp_path)
    embed_texts(model, TEXTS, tmp_path)
    assert not loaded(model)
    assert (before.encoded, after.encoded) == (9, 0)
    np.testing.assert_array_equal(before.rows, after.rows)
