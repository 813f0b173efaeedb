"""JSON and TOML from elsewhere: one kind of error."""

from __future__ import annotations

import pytest

from senbench.runtime import parsing


def test_what_is_right_is_read():
    assert parsing.from_json(b'{"a": [1]}') == {"a": [1]} and parsing.from_toml("a = [1]") == {"a": [1]}


@pytest.mark.parametrize("text", ["[" * 200_000, "9" * 6000, "{", ""])
def test_whatever_is_wrong_with_json_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"deeply|digits|Expecting"):
        parsing.from_json(text)


@pytest.mark.parametrize("text", ["a = " + "[" * 200_000, "a = " + "9" * 6000, "a ="])
def test_whatever_is_wrong_with_toml_is_a_value_error(text):
    with pytest.raises(ValueError, match=r"deeply|digits|Invalid"):
        parsing.from_toml(text)
