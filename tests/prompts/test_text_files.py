"""Files of users: what is read, and the one line that says why it is not."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.prompts.text_files import MAX_BYTES, one_line, read_json, read_text, read_yaml

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)


def refused(read, path, *parts):
    with pytest.raises(UsageError) as caught:
        read(path, "prompt file")
    line = str(caught.value)
    assert line.startswith(f"prompt file {path}")
    assert len(line.splitlines()) == 1
    for part in parts:
        assert part in line


@settings(deadline=None)
@given(data=PLAIN)
def test_json_and_yaml_are_read_as_they_were_written(data, tmp_path_factory):
    import yaml

    folder = tmp_path_factory.mktemp("plain")
    (folder / "a.json").write_text(json.dumps(data), encoding="utf-8")
    (folder / "a.yaml").write_text(yaml.safe_dump(data), encoding="utf-8")
    assert read_json(folder / "a.json", "x") == data
    assert read_yaml(folder / "a.yaml", "x") == data


@settings(deadline=None)
@given(text=st.text(max_size=60))
def test_a_message_is_one_printable_line(text):
    assert one_line(text).isprintable()
    assert one_line("a\n  b\u202e") == "a b\\u202e"


def test_text_is_utf8_without_its_mark(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfa \xc3\xa9")
    assert read_text(tmp_path / "a", "x") == "a \u00e9"
    (tmp_path / "a").write_bytes(b"a" * MAX_BYTES)
    assert len(read_text(tmp_path / "a", "x")) == MAX_BYTES
    (tmp_path / "a").write_bytes(b"a" * (MAX_BYTES + 1))
    refused(read_text, tmp_path / "a", "larger than the limit of 1 MB")
    (tmp_path / "a").write_bytes(b"ab\xff")
    refused(read_text, tmp_path / "a", "not a text file in UTF-8 (line 1)")
    refused(read_text, tmp_path, "is a folder")
    refused(read_text, tmp_path / "none", "does not exist")


@pytest.mark.parametrize(
    ("read", "text", "parts"),
    [
        (read_json, '{"a": 1, "b": {"c": 1, "c": 2}}', ("has the key 'c' 2 times",)),
        (read_json, '{"a": 1,\n}', ("line 2 is not valid JSON",)),
        (read_json, "[" * 9999, ("is not valid JSON",)),
        (read_yaml, "a: 1\nb: 2\na: 3\n", ("line 1 is not valid YAML", "key 'a' occurs 2 times")),
        (read_yaml, "x: {a: 1, a: 2}\n", ("key 'a' occurs 2 times",)),
        (read_yaml, "a: [1\n", ("line 2 is not valid YAML",)),
        (read_yaml, "[" * 21 + "]" * 21, ("nested deeper than 20 levels",)),
        (read_yaml, "a: !!python/object:os.system x\n", ("is not valid YAML",)),
        (read_yaml, "a: \x01\n", ("is not valid YAML",)),
    ],
)
def test_what_is_not_valid_is_named_with_its_line(read, text, parts, tmp_path):
    (tmp_path / "a").write_text(text)
    refused(read, tmp_path / "a", *parts)


def test_twenty_levels_are_no_error(tmp_path):
    (tmp_path / "a").write_text("[" * 20 + "]" * 20)
    assert len(read_yaml(tmp_path / "a", "x")) == 1
