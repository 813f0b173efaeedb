"""What works on embeddings loads a model only for what is not kept."""

from __future__ import annotations

import json

import numpy as np
import pytest
import stubs

from senbench.embedding.engine import embed_images
from senbench.evaluation.embed import continued, embed
from senbench.models import kernels, lazy_model, load, onednn, registry
from senbench.prompts.load import prompts_from_dict
from senbench.runtime.access import Access
from senbench.runtime.progress import Silent
from senbench.schema.dataset import ClassEntry, Vocabulary
from senbench.schema.run_spec import RunSpec


@pytest.fixture
def prompts():
    entries = tuple(ClassEntry(key=key, names={"own": key}) for key in stubs.CLASSES)
    words = Vocabulary(id="stub", title="stub", default_names="own", classes=entries)
    return prompts_from_dict({k: [f"a {k}", f"the {k}"] for k in stubs.CLASSES}, stubs.info(), words)


def test_kept_embeddings_need_no_model(prompts, monkeypatch):
    spec = RunSpec(models=("mini",), prompts=("x",), device="cpu", offline=True)
    tiles = stubs.tiles(9)
    first = embed(spec, registry.find("mini"), tiles, prompts, Silent())

    def refuse(*given, **how):
        raise AssertionError("a model is loaded for nothing")

    monkeypatch.setattr(load, "from_file", refuse)
    again = embed(spec, registry.find("mini"), tiles, prompts, Silent())
    np.testing.assert_array_equal(again.images, first.images)
    np.testing.assert_array_equal(again.texts, first.texts)
    assert again.model == first.model
    with pytest.raises(AssertionError, match="for nothing"):
        embed(spec.model_copy(update={"dtype": "bf16"}), registry.find("mini"), tiles, prompts, Silent())


@pytest.mark.skipif(not onednn.available(), reason="torch was built without oneDNN")
@pytest.mark.parametrize(("change", "wanted"), [({"exact": True}, "torch"), ({"kernels": "onednn"}, "onednn")])
def test_what_a_run_asks_for_reaches_the_model(prompts, isolated_home, change, wanted):
    spec = RunSpec(models=("mini",), prompts=("x",), device="cpu", offline=True, **change)
    embed(spec, registry.find("mini"), stubs.tiles(9), prompts, Silent())
    settings = [json.loads(path.read_text()) for path in isolated_home.glob("cache/*/settings.json")]
    found = {one["kind"]: one.get("kernels", "torch") for one in settings}
    assert (found["image"], found["text"]) == (wanted, wanted)


@pytest.fixture
def interrupted(monkeypatch, isolated_home):
    """A run of 40 tiles that embedded some with the one kernels; now the others are the faster."""

    def begin(n, first, then):
        monkeypatch.setattr(kernels, "known", lambda c: c.kernels if c.kernels != "auto" else then)
        access = Access(device="cpu", offline=True, cache=isolated_home / "cache")
        tiles = stubs.tiles(40)
        if n:
            began = lazy_model.of(registry.find("mini"), access).multiplied_by(first)
            embed_images(began, tiles.take(np.arange(n)), access.cache)
        return lazy_model.of(registry.find("mini"), access), access, tiles

    return begin


@pytest.mark.skipif(not onednn.available(), reason="torch was built without oneDNN")
@pytest.mark.parametrize(("first", "then"), [("torch", "onednn"), ("onednn", "torch")])
@pytest.mark.parametrize(("n", "goes_on"), [(0, False), (1, False), (8, True), (40, True)])
def test_a_run_keeps_the_kernels_that_it_began_with(interrupted, first, then, n, goes_on):
    encoder, access, tiles = interrupted(n, first, then)
    said = []
    found = continued(encoder, access, [tiles], said.append)
    assert found.kernels == (first if goes_on else then)
    assert len(said) == goes_on
    if goes_on:
        assert f"goes on with the {first} kernels, by which {n / 40:.0%} of the tiles" in said[0]
    assert embed_images(found, tiles, access.cache).encoded == 40 - n * goes_on
    assert continued(found, access, [tiles], said.append).kernels == found.kernels  # and now it stays


@pytest.mark.skipif(not onednn.available(), reason="torch was built without oneDNN")
def test_kernels_that_are_asked_for_are_those(interrupted):
    from dataclasses import replace

    encoder, access, tiles = interrupted(40, "torch", "onednn")
    assert continued(encoder, replace(access, kernels="onednn"), [tiles], print).kernels == "onednn"
    assert continued(encoder, replace(access, cache=None), [tiles], print).kernels == "onednn"
