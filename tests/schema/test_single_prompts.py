"""Counts of single prompts: at least one image, nothing of another layout."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from senbench.schema.single_prompts import SinglePrompts

FIELDS = {"dataset": "zoo", "split": "all", "index_hash": "a", "n": 3, "prompts": ["a"], "right": {"run": [2]}}


def test_fields_are_kept_and_others_refused():
    assert SinglePrompts.model_validate(FIELDS).right == {"run": (2,)}
    for change in ({"n": 0}, {"strange": 1}, {"right": {"run": [0.5]}}):
        with pytest.raises(ValidationError):
            SinglePrompts.model_validate({**FIELDS, **change})
