"""The blocks of a result: what was read is what is written, whatever another version put there or left out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from senbench.schema.blocks import DatasetBlock, Environment, ModelBlock, PromptBlock, Settings, SpecBlock, Timings
from senbench.schema.run_spec import RunSpec

LEAST = {
    SpecBlock: {"models": ["m"], "prompts": ["p"]},
    Settings: {
        "protocol": "standard",
        "model": "m",
        "dataset": "d",
        "prompts": "p",
        "split": "all",
        "ensemble": "max",
        "postprocess": "none",
        "preprocess": None,
        "headline": "top1",
        "overrides": [],
    },
    ModelBlock: {"id": "m", "family": "user", "title": "M", "weights_sha256": None},
    DatasetBlock: {
        "id": "d",
        "title": "D",
        "task": "single-label",
        "split": "all",
        "n_expected": 3,
        "n_evaluated": 2,
        "index_hash": "0",
        "classes": ["a", "b"],
        "class_names": "x",
        "radiometry": "native",
        "band_order": "rgb",
    },
    PromptBlock: {
        "id": "p",
        "style": "custom",
        "class_names": "x",
        "names": ["A"],
        "texts": {"a": ["an a"]},
        "template_aligned": True,
        "hash": "0",
        "n": 1,
    },
    Timings: {},
    Environment: {"dtype": "float32", "versions": {}},
}
"""Block -> what every version wrote of it."""
MORE = {
    DatasetBlock: {"skipped": [{"id": "t", "reason": "torn"}], "dn_offset": {"0": 2, "1000": 1}, "limit": None},
    ModelBlock: {"bands": ["B04"], "weights": {"repo": None}, "trained_on": ["x"], "synthetic": True},
    SpecBlock: {"seed": 3, "ensemble": None},
    Timings: {"images": 0.25, "images_per_second": None},
}
UNKNOWN = {"new": {"nested": [1, None, 0.5, {"a": []}]}, "other": None}
"""Fields of another version."""


def written(block):
    return json.dumps(block.model_dump(mode="json"))


@pytest.mark.parametrize("kind", LEAST)
@given(data=st.data())
def test_fields_keep_their_order_and_unknown_ones_are_kept_and_absent_ones_stay_absent(kind, data):
    fields = list({**LEAST[kind], **MORE.get(kind, {}), **UNKNOWN}.items())
    raw = dict(data.draw(st.permutations(fields)))
    assert written(kind.of(raw)) == json.dumps(raw)


@pytest.mark.parametrize("kind", [kind for kind in LEAST if LEAST[kind]])
def test_what_every_version_wrote_is_required_and_typed(kind):
    for name in LEAST[kind]:
        with pytest.raises(ValidationError, match=name):
            kind.of({k: v for k, v in LEAST[kind].items() if k != name})
        with pytest.raises(ValidationError, match=name):
            kind.of({**LEAST[kind], name: object()})


def test_absent_fields_read_as_their_defaults():
    assert DatasetBlock.of(LEAST[DatasetBlock]).skipped == ()
    assert SpecBlock.of(LEAST[SpecBlock]).dn_offset == "auto"
    assert ModelBlock.of(LEAST[ModelBlock]).synthetic is False


def test_a_changed_copy_is_written_with_what_was_added():
    block = ModelBlock.of({"title": "M", "id": "m", "family": "f", "weights_sha256": None})
    assert list(block.model_copy(update={"synthetic": True}).model_dump()) == [
        "title",
        "id",
        "family",
        "weights_sha256",
        "synthetic",
    ]
    assert block.model_dump(exclude={"title"}) == {"id": "m", "family": "f", "weights_sha256": None}


def test_blocks_are_equal_however_they_were_made():
    made = Timings(images=1.0, texts=2.0)
    assert made == Timings.of({"images": 1.0, "texts": 2.0})
    assert made != Timings.of({"images": 1.0, "texts": 2.5})


def test_settings_that_were_changed_are_told_by_name():
    spec = SpecBlock.of(RunSpec(models=("m",), prompts=("p",), seed=3, labels="v1", exact=True).model_dump())
    assert spec.changed(("labels", "split", "seed")) == {"labels": "v1", "seed": 3}
    assert list(spec.changed(("seed", "labels"))) == ["seed", "labels"]
