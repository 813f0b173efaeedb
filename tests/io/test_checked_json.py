"""JSON files that are made again when they are not as written."""

from __future__ import annotations

import json

import pytest

from senbench.io import checked_json

VALUE = {"logit_scale": 10.709, "model": {"id": "é", "none": None}, "rows": [1, 2.5e-7, True]}


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "deep" / "a.json"
    assert checked_json.read(path) is None
    checked_json.write(path, VALUE)
    assert checked_json.read(path) == VALUE
    checked_json.write(path, [])
    assert checked_json.read(path) == []
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("10.709", "17.709"),
        lambda text: text.replace("é", "e").replace("\\u00e9", "e"),
        lambda text: text[:40],
        lambda text: "",
        lambda text: "null",
        lambda text: "[1]",
        lambda text: '{"value": 7}',
        lambda text: json.dumps({**json.loads(text), "sha256": "0" * 64}),
    ],
)
def test_a_changed_file_counts_as_not_there(tmp_path, change):
    path = tmp_path / "a.json"
    checked_json.write(path, VALUE)
    path.write_text(change(path.read_text()))
    assert checked_json.read(path) is None


def test_where_nothing_can_be_written_nothing_is_remembered(tmp_path):
    (tmp_path / "file").touch()
    checked_json.write(tmp_path / "file" / "a.json", VALUE)
    assert checked_json.read(tmp_path / "file" / "a.json") is None


def test_what_was_copied_from_another_is_not_there(tmp_path):
    checked_json.write(tmp_path / "a.json", {"model": 1})
    (tmp_path / "b.json").write_bytes((tmp_path / "a.json").read_bytes())
    assert checked_json.read(tmp_path / "a.json") == {"model": 1} and checked_json.read(tmp_path / "b.json") is None
