"""One member of a zip from elsewhere: safe and unsafe cases, alone and as part of a fetch."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest

from senbench.errors import UnavailableError
from senbench.io import download, http, zip_member

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "SkyCLIP_x/epoch_20.pt"
DATA = hashlib.sha256(b"x").digest() * 3000  # 96 kB
SHA256 = hashlib.sha256(DATA).hexdigest()
CENTRAL = b"PK\x01\x02"


def packed(members: Mapping[str, bytes] | None = None, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in (members or {"SkyCLIP_x/params.txt": b"lr: 3e-09", NAME: DATA}).items():
            archive.writestr(name, data)
    return buffer.getvalue()


def patched(raw: bytes, at: int, form: str, value: int) -> bytes:
    """Overwrite a field of the last entry of the central directory."""
    made = bytearray(raw)
    struct.pack_into(form, made, raw.rindex(CENTRAL) + at, value)
    return bytes(made)


def member(folder: Path, raw: bytes, name: str = NAME) -> Path:
    (folder / "x.zip").write_bytes(raw)
    return zip_member.member(folder / "x.zip", name, "weights of x")


def refused(folder: Path, raw: bytes, name: str = NAME) -> str:
    with pytest.raises(UnavailableError) as error:
        member(folder, raw, name)
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith("weights of x: ")
    assert {p.name for p in folder.rglob("*")} <= {"x.zip"}  # nothing unpacked is left
    return text


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_only_the_member_is_unpacked(tmp_path, method):
    path = member(tmp_path, packed(method=method))
    assert path.read_bytes() == DATA
    assert set(tmp_path.rglob("*")) == {path, tmp_path / "x.zip"}


def test_names_of_the_archive_are_never_paths(tmp_path):
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    climbing = "../../stolen"
    path = member(folder, packed({climbing: b"evil", "/etc/stolen": b"evil", NAME: DATA}))
    assert path.read_bytes() == DATA
    path.unlink()
    assert member(folder, packed({climbing: DATA}), climbing).parent == folder
    assert not list(tmp_path.rglob("stolen*"))


def test_missing_member(tmp_path):
    text = refused(tmp_path, packed(), "SkyCLIP_x/epoch_99.pt")
    assert (
        "no member 'SkyCLIP_x/epoch_99.pt' in the zip, which holds SkyCLIP_x/params.txt, SkyCLIP_x/epoch_20.pt" in text
    )
    assert (tmp_path / "x.zip").exists()  # perhaps the card is wrong, and the zip was long to fetch
    assert "no member" in refused(tmp_path, packed({"folder/": b""}), "folder/")


def test_encrypted_member(tmp_path):
    assert "is encrypted" in refused(tmp_path, patched(packed(), 8, "<H", 1))


def test_method_that_unpacks_without_bounds(tmp_path):
    assert "packed by method 14" in refused(tmp_path, packed(method=zipfile.ZIP_LZMA))


def test_damaged_byte(tmp_path):
    raw = bytearray(packed(method=zipfile.ZIP_STORED))
    raw[raw.index(DATA) + 50_000] ^= 0xFF
    assert "the zip is damaged (Bad CRC-32" in refused(tmp_path, bytes(raw))
    assert not (tmp_path / "x.zip").exists()  # run again: fetched again


@pytest.mark.parametrize("keep", [0, 100, 0.5, -10], ids=["empty", "start", "half", "no end"])
def test_truncated_or_foreign(tmp_path, keep):
    raw = packed()
    raw = raw[: int(len(raw) * keep) if isinstance(keep, float) else keep]
    assert "the zip is damaged" in refused(tmp_path, raw)
    assert not (tmp_path / "x.zip").exists()


def test_garbage_in_the_stream(tmp_path):
    raw = bytearray(packed({NAME: DATA}))
    start = raw.index(NAME.encode()) + len(NAME)
    raw[start : start + 200] = b"\xff" * 200
    assert "the zip is damaged" in refused(tmp_path, bytes(raw))


def test_bomb_writes_no_more_than_announced(tmp_path, monkeypatch):
    """A member that unpacks to 64 MB where the directory says 1 kB."""
    written = 0
    copy = zip_member.shutil.copyfileobj

    def counting(source, sink, length):
        nonlocal written
        try:
            copy(source, sink, length)
        finally:
            written = sink.tell()

    monkeypatch.setattr(zip_member.shutil, "copyfileobj", counting)
    bomb = packed({NAME: bytes(64_000_000)})
    assert len(bomb) < 100_000
    assert "the zip is damaged" in refused(tmp_path, patched(bomb, 24, "<I", 1000))
    assert written <= 1000


def test_less_than_announced(tmp_path):
    assert "the zip is damaged" in refused(tmp_path, patched(packed(), 24, "<I", len(DATA) + 1000))


def test_announced_size_must_fit_on_the_disk(tmp_path, monkeypatch):
    usage = zip_member.shutil.disk_usage(tmp_path)._replace(free=len(DATA) - 1)
    monkeypatch.setattr(zip_member.shutil, "disk_usage", lambda path: usage)
    assert "make room" in refused(tmp_path, packed())


def get(url: str, folder: Path, *, offline: bool = False, **kw) -> Path:
    order = download.Fetch(http.Address(url), folder / "epoch_20.pt", what="weights of x", member=NAME, **kw)
    return download.fetch(order, offline=offline)


def test_fetched_unpacked_and_the_zip_deleted(hub, tmp_path):
    url = hub.add_url("/ckpt/SkyCLIP_x.zip", packed())
    path = get(url, tmp_path, sha256=SHA256)
    assert path.read_bytes() == DATA
    assert [p.name for p in tmp_path.iterdir()] == ["epoch_20.pt"]
    hub.requests.clear()
    assert get(url, tmp_path) == path
    assert hub.requests == []


def test_member_of_another_hash(hub, tmp_path):
    url = hub.add_url("/SkyCLIP_x.zip", packed({NAME: DATA[::-1]}))
    with pytest.raises(UnavailableError, match=f"expected {SHA256}; the damaged file was deleted, run again"):
        get(url, tmp_path, sha256=SHA256)
    assert {p.suffix for p in tmp_path.iterdir()} <= {".lock"}
    hub.files["/SkyCLIP_x.zip"].data = packed()
    assert get(url, tmp_path, sha256=SHA256).read_bytes() == DATA


def test_killed_while_unpacking(hub, tmp_path, monkeypatch):
    """The zip is there already: it is not fetched again, and what was half unpacked is not used."""
    url = hub.add_url("/SkyCLIP_x.zip", packed())

    def killed(*args: object) -> None:
        (tmp_path / "epoch_20.pt.zip.unpacking").write_bytes(DATA[:100])
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(zip_member, "member", killed)
        with pytest.raises(KeyboardInterrupt):
            get(url, tmp_path)
    assert not (tmp_path / "epoch_20.pt").exists()
    assert get(url, tmp_path, sha256=SHA256).read_bytes() == DATA
    assert len(hub.ranges()) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["epoch_20.pt"]


def test_space_for_zip_and_member_is_checked_before_the_download(hub, tmp_path, monkeypatch):
    raw = packed(method=zipfile.ZIP_STORED)
    usage = download.shutil.disk_usage(tmp_path)._replace(free=int(1.5 * len(raw)))
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UnavailableError, match=r"needs 0\.2 MB, .* has 0\.1 MB free; make room"):
        get(hub.add_url("/SkyCLIP_x.zip", raw), tmp_path)
    assert hub.ranges() == []


@pytest.mark.usefixtures("no_sockets")
def test_offline_names_the_file_that_is_needed(tmp_path):
    with pytest.raises(UnavailableError, match="nothing is fetched offline") as error:
        get("https://files.example/SkyCLIP_x.zip", tmp_path, offline=True)
    assert str(tmp_path / "epoch_20.pt") in str(error.value)


def test_a_member_that_unpacks_to_nothing_like_weights_is_refused(tmp_path):
    path = tmp_path / "weights.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("w.pt", bytes(zip_member.SMALL + 1))
    with pytest.raises(UnavailableError, match=r"unpacks to 67,108,865 bytes from a zip of .* it was not unpacked"):
        zip_member.member(path, "w.pt", "weights")
    assert [found.name for found in tmp_path.iterdir()] == ["weights.zip"]
