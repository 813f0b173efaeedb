"""Pages, pointers and empty files are told from what was asked for, by their first bytes."""

from __future__ import annotations

import pytest

from senbench.io import magic


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b"\xef\xbb\xbf\n <html lang='en'>", "a web page"),
        (b"<?xml version='1.0'?><Error>", "a web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 605157884\n", "LFS pointer.*605,157,884"),
    ],
)
def test_what_cannot_be_meant(tmp_path, data, what):
    path = tmp_path / "x"
    path.write_bytes(data)
    found = magic.foreign(path)
    assert found is not None
    assert found.isprintable()
    import re

    assert re.search(what, found)


@pytest.mark.parametrize("data", [b"PK\x03\x04", b"\x80\x02}", b"{}", bytes(range(256)), b"a < b"])
def test_anything_else_passes(tmp_path, data):
    path = tmp_path / "x"
    path.write_bytes(data)
    assert magic.foreign(path) is None
