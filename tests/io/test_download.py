"""What is common to every download: offline, checksums, one process at a time, errors of one line."""

from __future__ import annotations

import errno
import hashlib
import threading

import pytest

from senbench.errors import UnavailableError
from senbench.io import download
from senbench.io.download import Fetch, Remote, Server, megabytes

SERVER = Server(
    "the server", "the shelf", "log in", {"": "no such file", "Gone": "no such thing"}, "look again", "check the cable"
)


class Shelf:
    """An origin that hands out nothing: what is asked of it is counted."""

    name, server = "model.bin", SERVER

    def __init__(self):
        self.asked = []

    def check(self, what):
        pass

    def look(self, what):
        self.asked.append(what)
        return Remote("http://127.0.0.1:9/x", 4, "tag")


def test_what_is_here_is_not_asked_for(tmp_path):
    shelf = Shelf()
    (tmp_path / "model.bin").write_bytes(b"here")
    order = Fetch(shelf, tmp_path / "model.bin", what="weights")
    assert download.fetch(order) == download.fetch(order, offline=True) == order.target
    assert shelf.asked == []


def test_a_whole_partial_file_is_verified_and_put_in_place(tmp_path):
    shelf = Shelf()
    order = Fetch(shelf, tmp_path / "sub" / "model.bin", what="weights", md5=hashlib.md5(b"data").hexdigest())
    order.target.parent.mkdir()
    partial = order.target.with_name("model.bin.tag.partial")
    partial.write_bytes(b"data")
    assert download.fetch(order).read_bytes() == b"data"
    assert shelf.asked == ["weights"]
    order.target.unlink()
    partial.write_bytes(b"date")
    with pytest.raises(UnavailableError, match=r"weights: model\.bin from the shelf: md5 is \w+, expected") as error:
        download.fetch(order)
    assert "\n" not in str(error.value) and not partial.exists() and not order.target.exists()


def test_offline_names_place_size_and_command(tmp_path, monkeypatch):
    order = Fetch(Shelf(), tmp_path / "model.bin", what="weights", size_hint=7_700_000, command="senbench fetch")
    with pytest.raises(UnavailableError, match=r"model\.bin \(7\.7 MB\) does not exist.*run `senbench fetch` on"):
        download.fetch(order, offline=True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "yes")
    with pytest.raises(UnavailableError, match="nothing is fetched offline"):
        download.fetch(order)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    assert not download.offline_by_environment()


def test_a_file_of_another_checksum_is_deleted(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"x")
    download.verify(path, "x", md5=hashlib.md5(b"x").hexdigest(), sha256=download.digest(path, "sha256"))
    with pytest.raises(UnavailableError, match=r"^x: sha256 is [0-9a-f]{64}, expected 00; the damaged"):
        download.verify(path, "x", md5=hashlib.md5(b"x").hexdigest(), sha256="00")
    assert not path.exists()


class Answer(Exception):
    """An HTTP error as the transport raises it."""

    def __init__(self, status, code=""):
        super().__init__(f"status {status}")
        self.response = type("Response", (), {"status_code": status, "headers": {"X-Error-Code": code}})


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Answer(401), "the server refuses access (HTTP 401): log in"),
        (Answer(403), "the server refuses access (HTTP 403): log in"),
        (Answer(404), "no such file on the server (HTTP 404); look again"),
        (Answer(404, "Gone"), "no such thing on the server (HTTP 404); look again"),
        (Answer(500), "cannot be fetched from the server: Answer: status 500; check the cable"),
        (OSError(errno.ENOSPC, "No space"), "is full; make room or set SENBENCH_HOME elsewhere"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "/x is not writable (Permission denied)"),
        (type("ReadTimeout", (Exception,), {})("x"), "ReadTimeout: no answer for"),
    ],
)
def test_whatever_is_raised_becomes_one_line(tmp_path, error, says):
    found = download.explained(error, "weights", SERVER, tmp_path / "model.bin")
    assert isinstance(found, UnavailableError)
    assert says in str(found) and str(found).startswith("weights: ") and "\n" not in str(found)
    assert "kept" not in str(found)
    (tmp_path / "model.bin.tag.partial").write_bytes(b"")
    again = str(download.explained(Answer(500), "weights", SERVER, tmp_path / "model.bin"))
    assert "(the bytes received so far are kept: run again to continue)" in again


def test_one_at_a_time(tmp_path, capsys):
    lock, order, inside = tmp_path / "new" / "x.lock", [], threading.Event()

    def second():
        inside.wait(10)
        with download.one_at_a_time(lock, "weights"):
            order.append("second")

    thread = threading.Thread(target=second)
    thread.start()
    with download.one_at_a_time(lock, "weights"):
        inside.set()
        thread.join(1.5)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    assert capsys.readouterr().err == "waiting for another process that fetches weights\n"
    assert not lock.exists()


@pytest.mark.parametrize(
    ("n", "text"), [(2_070_000_000, "2.07 GB"), (94_300_000, "94.3 MB"), (105_000, "0.1 MB"), (999, "1 kB")]
)
def test_megabytes(n, text):
    assert megabytes(n) == text


@pytest.mark.parametrize(("size", "hint", "most"), [(1000, None, 1000), (None, 250, 1000)])
def test_no_more_is_taken_than_was_announced(tmp_path, monkeypatch, size, hint, most):
    shelf = Shelf()
    shelf.look = lambda what: Remote("http://127.0.0.1:9/x", size, "tag")
    written = []

    def without_end(url, stream, **_):
        for _ in range(100):
            written.append(stream.write(b"x" * 100))
        raise AssertionError

    monkeypatch.setattr("huggingface_hub.file_download.http_get", without_end)
    with pytest.raises(UnavailableError, match=f"more than the {most:,} bytes that .* come from the server") as error:
        download.fetch(Fetch(shelf, tmp_path / "model.bin", what="weights", size_hint=hint))
    assert sum(written) == most and "\n" not in str(error.value)
    assert not [path for path in tmp_path.iterdir() if path.suffix != ".lock"]
