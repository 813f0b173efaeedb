"""What works on embeddings loads a model only for what is not kept."""

from __future__ import annotations

import numpy as np
import pytest
import stubs

from senbench.embedded import embed
from senbench.models import load, zoo
from senbench.progress import Silent
from senbench.prompting.styles import prompts_from_dict
from senbench.spec import ClassEntry, RunSpec, Vocabulary


@pytest.fixture
def prompts():
    entries = tuple(ClassEntry(key=key, names={"own": key}) for key in stubs.CLASSES)
    words = Vocabulary(id="stub", title="stub", default_names="own", classes=entries)
    return prompts_from_dict({k: [f"a {k}", f"the {k}"] for k in stubs.CLASSES}, stubs.info(), words)


def test_kept_embeddings_need_no_model(prompts, monkeypatch):
    spec = RunSpec(models=("mini",), prompts=("x",), device="cpu", offline=True)
    tiles = stubs.tiles(9)
    first = embed(spec, zoo.find("mini"), tiles, prompts, Silent())

    def refuse(*given, **how):
        raise AssertionError("a model is loaded for nothing")

    monkeypatch.setattr(load, "from_file", refuse)
    again = embed(spec, zoo.find("mini"), tiles, prompts, Silent())
    np.testing.assert_array_equal(again.images, first.images)
    np.testing.assert_array_equal(again.texts, first.texts)
    assert again.model == first.model
    with pytest.raises(AssertionError, match="for nothing"):
        embed(spec.model_copy(update={"dtype": "bf16"}), zoo.find("mini"), tiles, prompts, Silent())
