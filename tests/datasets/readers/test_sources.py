from __future__ import annotations

import os
import zipfile
from concurrent.futures import ThreadPoolExecutor

import pytest
from eurosat_files import jpegs, packed, unpack
from hypothesis import given
from hypothesis import strategies as st

from senbench.datasets.readers.sources import _SUSPECT, Archive, Folder, is_junk, unsafe
from senbench.datasets.tiles import TileError
from senbench.errors import UnavailableError

AGAIN = "fetch it again"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_members_equal_zipfile_also_from_many_threads(tmp_path, method):
    files = jpegs(5)
    path = packed(tmp_path / "a.zip", files, method=method)
    archive = Archive(path, AGAIN)
    names = list(archive.names) * 20
    with ThreadPoolExecutor(8) as pool:
        for name, data in zip(names, pool.map(archive.read, names), strict=True):
            assert data == files[name.removeprefix("2750/")]


def test_longer_local_extra_field_is_skipped(tmp_path):
    """Some packers write an extra field only into the local header."""
    info = zipfile.ZipInfo("2750/River/River_1.jpg")
    info.extra = b"\x99\x99\x04\x00abcd"
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr(info, b"tile")
        out.filelist[0].extra = b""
    assert Archive(path, AGAIN).read("2750/River/River_1.jpg") == b"tile"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_head_is_how_a_member_begins(tmp_path, method):
    files = {"2750/a.jpg": os.urandom(9000), "2750/b.jpg": b"b" * 9000, "2750/c.jpg": b"short"}
    archive = Archive(packed(tmp_path / "a.zip", files, "", method), AGAIN)
    folder = Folder(unpack(tmp_path, files) / "2750")
    for name, data in files.items():
        for size in (1, 4096, 8990, 20_000):
            assert archive.head(name, size) == folder.head(name.removeprefix("2750/"), size) == data[:size]


def test_keys_need_no_tile_and_follow_the_content(tmp_path):
    files = jpegs(2)
    stored = Archive(packed(tmp_path / "a.zip", files), AGAIN)
    deflated = Archive(packed(tmp_path / "b.zip", files, "EuroSAT_RGB/", zipfile.ZIP_DEFLATED), AGAIN)
    keys = [stored.key(n) for n in stored.names]
    assert keys == [deflated.key(n) for n in deflated.names]
    assert len(set(keys)) == len(keys)
    folder = Folder(unpack(tmp_path / "f", files))
    assert len({folder.key(n) for n in folder.names}) == len(files)


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_member_is_named(tmp_path, method):
    path = packed(tmp_path / "a.zip", jpegs(1), method=method)
    with zipfile.ZipFile(path) as z:
        info = z.getinfo("2750/River/River_1.jpg")
    data = bytearray(path.read_bytes())
    data[info.header_offset + 30 + len(info.filename) + info.compress_size // 2] ^= 0xFF
    path.write_bytes(data)
    archive = Archive(path, AGAIN)
    with pytest.raises(TileError, match=r"River_1.jpg in a.zip: damaged"):
        archive.read("2750/River/River_1.jpg")
    assert archive.read("2750/Forest/Forest_1.jpg")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_truncated_zip(tmp_path, keep):
    path = packed(tmp_path / "EuroSAT.zip", jpegs(1))
    size = path.stat().st_size
    os.truncate(path, int(keep * size) if keep < 1 else keep)
    with pytest.raises(UnavailableError, match="no complete zip") as error:
        Archive(path, AGAIN)
    assert "\n" not in str(error.value)
    assert AGAIN in str(error.value)
    assert error.value.exit_code == 3


@pytest.mark.parametrize("name", ["../x.jpg", "/etc/x.jpg", "a/../../x.jpg", "..\\x.jpg", "C:/x.jpg"])
def test_names_that_leave_the_archive_are_refused(tmp_path, name):
    assert unsafe(name)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as z:
        z.writestr(name, b"x")
    with pytest.raises(UnavailableError, match="refused"):
        Archive(path, AGAIN)


def test_unsupported_packing_is_refused(tmp_path):
    path = packed(tmp_path / "a.zip", jpegs(1), method=zipfile.ZIP_BZIP2)
    with pytest.raises(UnavailableError, match="packed by method 12"):
        Archive(path, AGAIN)


@given(st.lists(st.sampled_from(["a", "2750", "x.jpg", "..", "", ".", "__MACOSX", ".DS_Store"]), min_size=1))
def test_safe_names_stay_inside(parts):
    name = "/".join(parts)
    assert unsafe(name) == (".." in parts or name.startswith("/") or name == "")


@given(st.lists(st.sampled_from([*"ab.:/\\\n", "..", "__MACOSX", "Thumbs.db", "desktop.ini", ".x"])).map("".join))
def test_names_are_judged_by_their_parts(name):
    parts = name.replace("\\", "/").split("/")
    assert unsafe(name) == (".." in parts or parts[0] == "" or ":" in parts[0])
    litter = ("__MACOSX", "Thumbs.db", "desktop.ini")
    assert is_junk(name) == any((p.startswith(".") and p != ".") or p in litter for p in name.split("/"))


@pytest.mark.parametrize(
    "name",
    ["", "/a", "\\a", "a\\..\\b", "C:a", "..", "a/..", ".a", "a/.b", "__MACOSX/a", "b/Thumbs.db", "desktop.ini"],
)
@pytest.mark.parametrize("beside", [[], ["a/b.jpg"]])
def test_all_names_are_looked_at_where_one_is_junk_or_unsafe(name, beside):
    assert unsafe(name) or is_junk(name)
    lines = "\n".join(["", *beside, name, *beside, ""])
    assert any(piece in lines for piece in _SUSPECT)


def test_junk():
    assert is_junk("__MACOSX/2750/._A_1.jpg")
    assert is_junk("2750/.DS_Store")
    assert not is_junk("./2750/A/A_1.jpg")


def test_descriptor_is_closed(tmp_path):
    path = packed(tmp_path / "a.zip", jpegs(1))
    archive = Archive(path, AGAIN)
    fd = archive._fd
    del archive
    with pytest.raises(OSError):
        os.fstat(fd)


def test_a_member_that_unpacks_to_nothing_like_a_tile_is_not_read(tmp_path):
    path = tmp_path / "tiles.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Lake/1.jpg", bytes((1 << 26) + 1))
    with pytest.raises(TileError, match="would unpack to 67,108,865"):
        Archive(path, "copy it again").read("Lake/1.jpg")


def test_a_zip_with_backslashes_and_names_in_capitals(tmp_path):
    import zipfile

    from senbench.datasets.readers.sources import Archive, file_of

    with zipfile.ZipFile(tmp_path / "EUROSAT.ZIP", "w") as archive:
        member = zipfile.ZipInfo("x")
        member.filename = "2750\\River\\River_1.jpg"
        archive.writestr(member, b"one")
    path = file_of(tmp_path, ("other.zip", "EuroSAT.zip"))
    assert path == tmp_path / "EUROSAT.ZIP"
    source = Archive(path, "get it again")
    assert source.names == ("2750/River/River_1.jpg",)
    assert source.read(source.names[0]) == b"one"
