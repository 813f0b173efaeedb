"""The directory of a zip file equals that of `zipfile`, its oracle, whatever the file is like."""

from __future__ import annotations

import io
import struct
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from senbench.datasets.readers import zip_index
from senbench.datasets.readers.zip_index import members

REFUSED = (zipfile.BadZipFile, struct.error, NotImplementedError, OSError, UnicodeDecodeError)


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
            if not i.filename.endswith("/")
        ]


def alike(path):
    """What `zipfile` lists is listed; what it refuses is refused, but for extra fields, which nothing is read from."""
    try:
        wanted = told(path)
    except REFUSED as error:
        if "extra field" not in str(error):
            with pytest.raises(REFUSED):
                members(path)
        return
    assert [tuple(m) for m in members(path)] == wanted


NAMES = ["2750/", "2750/River/", *(f"2750/River/River_{k}.jpg" for k in range(30)), "a b/\u007e.txt"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_plain_archive_is_read_without_zipfile(tmp_path, monkeypatch, method):
    path = tmp_path / "a.zip"
    path.write_bytes(made(NAMES, method=method))
    wanted = told(path)
    monkeypatch.setattr(zip_index.zipfile, "ZipFile", None)
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


def one(name="a", extra=b"", comment=b"", data=b"of a"):
    """Two members, the first one with these."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        info = zipfile.ZipInfo(name)
        info.extra, info.comment = extra, comment
        out.writestr(info, data)
        out.writestr("b", b"of b")
    return buffer.getvalue()


def changed(at, value, data=None):
    """Some bytes changed, `at` from the beginning of the directory, or from the end of the file."""
    data = bytearray(data or one())
    at += data.index(b"PK\1\2") if at >= 0 else len(data)
    data[at : at + len(value)] = value
    return bytes(data)


class Stream(io.BytesIO):
    def tell(self):
        raise OSError


def streamed():
    buffer = Stream()
    with zipfile.ZipFile(buffer, "w") as out:
        out.writestr("a", b"its size follows it")
    return buffer.getvalue()


ENTRY = b"PK\1\2" + bytes(42)
ODD = {
    "two of a name": changed(46, b"b"),
    "a stream": streamed(),
    "mark in a name": one("aPK\1\2b"),
    "mark in an extra field": one(extra=b"\x99\x99\x04\0PK\1\2"),
    "mark in a comment": one(comment=b"PK\1\2"),
    "entry in a comment": one(comment=ENTRY),
    "entry in a comment, counted": changed(-14, b"\3\0\3\0", one(comment=ENTRY)),
    "too many counted": changed(-14, b"\3\0\3\0"),
    "too few counted": changed(-14, b"\1\0\1\0"),
    "a second part": changed(-18, b"\1\0\1\0"),
    "of a newer version": changed(6, b"\x40"),
    "no mark": changed(0, b"QK"),
    "begins before the mark": changed(-6, struct.pack("<L", one().index(b"PK\1\2") - 3)),
    "longer and begins before the mark": changed(
        -10, struct.pack("<LL", len(one()) - 22 - one().index(b"PK\1\2") + 3, one().index(b"PK\1\2") - 3)
    ),
    "a longer name": changed(28, b"\2"),
    "a longer comment": changed(32, b"\1"),
    "a shorter name": changed(28, b"\1", one("ab")),
    "NUL in a name": changed(47, b"\0", one("abc")),
    "beyond ASCII": changed(46, b"\x81"),
    "size elsewhere": changed(24, b"\xff\xff\xff\xff"),
    "packed size elsewhere": changed(20, b"\xff\xff\xff\xff", one(extra=b"\1\0\x08\0" + bytes(8))),
    "whole size elsewhere": changed(24, b"\xff\xff\xff\xff", one(extra=b"\1\0\x08\0" + bytes(8))),
    "offset elsewhere": changed(42, b"\xff\xff\xff\xff", one(extra=b"\1\0\x08\0" + bytes(8))),
    "behind another of its layout": one(data=b"OF A") + one(),
    "something behind": one() + b"behind",
    "cut": one()[:-1],
    "nothing": b"",
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD)
def test_odd_archives_are_listed_or_refused_as_by_zipfile(tmp_path, data):
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    alike(path)


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
    alike(path)
