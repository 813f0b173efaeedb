"""Comparisons keep their layout: what was written is read, and written again alike."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from senbench.schema.factorial import FACTORIAL_VERSION, Factorial, ResampledDifference

UNKNOWN = {"value": 0.1, "ci": None, "p": None, "error_prompts": None, "error_images": None, "interval": "none: why"}
KNOWN = {"value": 0.1, "ci": [0.0, 0.2], "p": 0.05, "error_prompts": 0.03, "error_images": 0.04, "interval": "how"}
WRITTEN = {
    "schema_version": 1,
    "run_ids": ["a_x", "a_y"],
    "dataset": "made",
    "split": "test",
    "index_hash": "0" * 64,
    "headline": "top1",
    "access_levels": [0, 0],
    "class_names": {"F": "forest"},
    "seed": 0,
    "draws": 400,
    "units": 30,
    "clustered": True,
    "contrasts": [
        {
            "kind": "styles",
            "models": ["a"],
            "styles": ["x", "y"],
            "control": False,
            "matched": True,
            "points": KNOWN,
            "log_odds": UNKNOWN,
            "per_class": [{"key": "F", "points": UNKNOWN, "p_holm": None}],
        }
    ],
    "notes": [],
}


def test_a_file_is_read_and_written_byte_for_byte() -> None:
    text = json.dumps(WRITTEN)
    assert json.dumps(Factorial.model_validate_json(text).model_dump(mode="json")) == text
    assert FACTORIAL_VERSION == 1


def test_a_difference_without_uncertainty_still_writes_every_field() -> None:
    assert ResampledDifference(value=0.1, interval="none: why").model_dump() == UNKNOWN
    with pytest.raises(ValidationError):
        ResampledDifference(value=0.1)


@pytest.mark.parametrize("change", [{"kind": "images"}, {"extra": 1}])
def test_foreign_values_are_refused(change: dict[str, object]) -> None:
    (contrast,) = WRITTEN["contrasts"]
    with pytest.raises(ValidationError):
        Factorial.model_validate({**WRITTEN, "contrasts": [{**contrast, **change}]})
