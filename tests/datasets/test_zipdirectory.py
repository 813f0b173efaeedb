"""The directory of a zip file equals that of `zipfile`, its oracle, whatever the file is like."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.datasets import zipdirectory
from senbench.datasets.zipdirectory import members

REFUSED = (zipfile.BadZipFile, struct.error, NotImplementedError)


def made(names, *, comment=b"", before=b"", method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    buffer.write(before)
    with zipfile.ZipFile(buffer, "w", method) as out:
        for k, name in enumerate(names):
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            info.extra = b"\x99\x99\x04\x00abcd" * (k % 2)
            info.comment = b"c" * (k % 3)
            out.writestr(info, bytes([k % 251]) * (37 * k))
        out.comment = comment
    return buffer.getvalue()


def told(path):
    with zipfile.ZipFile(path) as archive:
        return [
            (i.filename, i.flag_bits, i.compress_type, i.CRC, i.compress_size, i.file_size, i.header_offset)
            for i in archive.infolist()
            if not i.is_dir()
        ]


NAMES = ["2750/", "2750/River/", *(f"2750/River/River_{k}.jpg" for k in range(30)), "a b/\u007e.txt"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_plain_archive_is_read_without_zipfile(tmp_path, monkeypatch, method):
    path = tmp_path / "a.zip"
    path.write_bytes(made(NAMES, method=method))
    wanted = told(path)
    monkeypatch.setattr(zipdirectory.zipfile, "ZipFile", None)
    assert [tuple(m) for m in members(path)] == wanted
    assert len(wanted) == 31


@pytest.mark.parametrize(
    "data",
    [
        made(NAMES, comment=b"made by hand"),
        made(NAMES, before=b"#!/bin/sh\n"),
        made([*NAMES, "2750/Zürich_1.jpg"]),
        made([]),
    ],
    ids=["comment", "prepended", "beyond ASCII", "empty"],
)
def test_rarities_are_left_to_zipfile_or_equal_it(tmp_path, data):
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    assert [tuple(m) for m in members(path)] == told(path)


def test_more_members_than_the_end_record_can_count(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as out:
        for k in range(65_537):
            out.writestr(f"{k}", b"")
    assert [tuple(m) for m in members(path)] == told(path)


@settings(max_examples=300)
@given(data=st.data())
def test_changed_bytes_give_what_zipfile_gives_or_an_error(tmp_path_factory, data):
    """A byte of the directory or of its end changed: never another listing than `zipfile`'s."""
    content = bytearray(made(NAMES[:8]))
    begin = content.index(b"PK\1\2")
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(begin, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    path.write_bytes(content[: data.draw(st.sampled_from([len(content), len(content), -1, -30]))])
    try:
        wanted = told(path)
    except (*REFUSED, OSError, UnicodeDecodeError, IndexError):
        return
    assert [tuple(m) for m in members(path)] == wanted
