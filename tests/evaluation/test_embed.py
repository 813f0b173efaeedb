"""What works on embeddings loads a model only for what is not kept."""

from __future__ import annotations

import numpy as np
import pytest
import stubs

from senbench.evaluation.embed import embed
from senbench.models import load, registry
from senbench.prompts.load import prompts_from_dict
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
