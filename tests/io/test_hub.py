"""Fetching from a hub that works, breaks off, corrupts, refuses, or is not there."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import pytest

from senbench.errors import UnavailableError
from senbench.io import download
from senbench.io.download import Fetch
from senbench.io.hub import RepoFile, list_repo

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["hub_server"]

DATA = bytes(range(256)) * 4096  # 1 MiB
MD5 = hashlib.md5(DATA).hexdigest()
SHA256 = hashlib.sha256(DATA).hexdigest()


def get(dest: Path, *, offline: bool = False, **kw) -> Path:
    origin = RepoFile("owner/name", "sub/model.bin", revision="a" * 40)
    return download.fetch(Fetch(origin, dest / "sub" / "model.bin", what="weights of x", **kw), offline=offline)


@pytest.fixture
def host(hub):
    return lambda **how: hub.add("owner/name", "sub/model.bin", DATA, revision="a" * 40, **how)


@pytest.fixture
def small_chunks(monkeypatch):
    """The client writes what arrived every 100 kB, not every 10 MB."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 100_000)


def one_line(error: pytest.ExceptionInfo[UnavailableError]) -> str:
    text = str(error.value)
    assert "\n" not in text
    assert error.value.exit_code == 3
    return text


def test_fetches_whole_and_only_once(hub, host, tmp_path, capsys):
    host()
    path = get(tmp_path, md5=MD5, sha256=SHA256)
    assert path == tmp_path / "sub" / "model.bin"
    assert path.read_bytes() == DATA
    err = capsys.readouterr().err
    assert "weights of x" in err and "1.0 MB" in err and "owner/name" in err
    asked = len(hub.requests)
    assert get(tmp_path, md5=MD5) == path
    assert len(hub.requests) == asked
    assert sorted(p.name for p in path.parent.iterdir()) == ["model.bin"]


def test_dataset_repositories_have_their_own_address(hub, tmp_path):
    hub.add("o/d", "list.txt", b"x", revision="main", repo_type="dataset")
    of_dataset = Fetch(RepoFile("o/d", "list.txt", "dataset"), tmp_path / "list.txt", what="w")
    assert download.fetch(of_dataset).read_bytes() == b"x"
    with pytest.raises(UnavailableError, match="404"):
        download.fetch(Fetch(RepoFile("o/d", "list.txt"), tmp_path / "n" / "list.txt", what="w"))


@pytest.mark.usefixtures("small_chunks")
def test_break_off_is_resumed_within_the_call(hub, host, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda s: None)
    host(break_after=300_000)
    assert get(tmp_path, md5=MD5).read_bytes() == DATA
    assert hub.ranges()[0] is None
    assert hub.ranges()[1] == "bytes=300000-"


@pytest.mark.usefixtures("small_chunks")
def test_second_call_continues_where_the_first_was_cut(hub, host, tmp_path, monkeypatch, capsys):
    hosted = host(break_after=300_000)

    def cut(seconds: float) -> None:
        hosted.status = 503  # the hub goes away while the client waits to try again

    monkeypatch.setattr(time, "sleep", cut)
    with pytest.raises(UnavailableError) as error:
        get(tmp_path, md5=MD5)
    assert "run again to continue" in one_line(error)
    assert not (tmp_path / "sub" / "model.bin").exists()
    hosted.status = 200
    hub.requests.clear()
    capsys.readouterr()
    assert get(tmp_path, md5=MD5).read_bytes() == DATA
    assert hub.ranges() == ["bytes=300000-"]
    assert "0.3 MB of it already downloaded" in capsys.readouterr().err


@pytest.mark.usefixtures("small_chunks")
def test_an_address_that_expires_is_asked_for_again(hub, host, tmp_path, monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda s: None)
    elsewhere = hub.url.replace("127.0.0.1", "localhost")
    hosted = host(redirect=elsewhere, break_after=300_000, expired=1)
    assert get(tmp_path, sha256=SHA256).read_bytes() == DATA
    asked = [(m, p.startswith("/cdn"), r) for m, p, r, _ in hub.requests]
    late = ("GET", True, "bytes=300000-")
    assert asked == [("HEAD", False, None), ("GET", True, None), late, ("HEAD", False, None), late]
    hosted.break_after, hosted.breaks, hosted.expired = 300_000, 1, 9
    with pytest.raises(UnavailableError, match="refuses access") as error:
        get(tmp_path / "other")  # not for ever
    one_line(error)


def test_killed_client_leaves_a_partial_that_is_continued(hub, host, tmp_path, monkeypatch):
    host()
    from huggingface_hub import file_download

    real = file_download.http_get

    def interrupted(url, stream, **kw):
        stream.write(DATA[:500_000])
        raise KeyboardInterrupt

    monkeypatch.setattr(file_download, "http_get", interrupted)
    with pytest.raises(KeyboardInterrupt):
        get(tmp_path)
    monkeypatch.setattr(file_download, "http_get", real)
    assert get(tmp_path, sha256=SHA256).read_bytes() == DATA
    assert hub.ranges() == ["bytes=500000-"]


def test_complete_partial_needs_no_second_download(hub, host, tmp_path):
    host()
    partial = tmp_path / "sub" / f"model.bin.{SHA256[:16]}.partial"
    partial.parent.mkdir()
    partial.write_bytes(DATA)
    assert get(tmp_path, md5=MD5).read_bytes() == DATA
    assert hub.ranges() == []


def test_partial_of_another_version_is_not_continued(hub, host, tmp_path):
    host()
    stale = tmp_path / "sub" / "model.bin.0123456789abcdef.partial"
    stale.parent.mkdir()
    stale.write_bytes(b"other bytes")
    assert get(tmp_path).read_bytes() == DATA
    assert hub.ranges() == [None]


@pytest.mark.parametrize("algorithm", ["md5", "sha256"])
def test_corrupted_file_is_refused_and_removed(hub, host, tmp_path, algorithm):
    hosted = host(corrupt=True)
    with pytest.raises(UnavailableError, match=f"{algorithm} is .* expected .* deleted") as error:
        get(tmp_path, **{algorithm: {"md5": MD5, "sha256": SHA256}[algorithm]})
    one_line(error)
    assert not [p for p in tmp_path.rglob("*") if p.is_file() and p.suffix != ".lock"]
    hosted.corrupt = False
    assert get(tmp_path, md5=MD5).read_bytes() == DATA


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (404, "EntryNotFound", "no such file"),
        (404, "RepoNotFound", "no such repository"),
        (404, "RevisionNotFound", "no revision"),
        (401, "RepoNotFound", "refuses access"),
        (401, "", "refuses access"),
        (403, "GatedRepo", "gated"),
        (500, "", "cannot be fetched"),
    ],
)
def test_refusals_are_one_line(host, tmp_path, status, code, says):
    host(status=status, code=code)
    with pytest.raises(UnavailableError, match=says) as error:
        get(tmp_path)
    assert "weights of x" in one_line(error)


def test_no_server(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with pytest.raises(UnavailableError, match=r"127\.0\.0\.1:9") as error:
        get(tmp_path)
    one_line(error)


def test_something_that_is_no_hub(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.url + "/elsewhere")
    with pytest.raises(UnavailableError, match="HF_ENDPOINT") as error:
        get(tmp_path)
    one_line(error)


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_opens_no_socket_and_names_the_command(tmp_path, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UnavailableError) as error:
        get(tmp_path, offline=how == "argument", size_hint=2_070_000_000, command="senbench models fetch x")
    text = one_line(error)
    for part in ("sub/model.bin", str(tmp_path), "senbench models fetch x", "2.07 GB"):
        assert part in text
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "model.bin").write_bytes(b"here")
    assert get(tmp_path, offline=True).read_bytes() == b"here"


def test_token_goes_to_the_hub_but_not_to_its_file_server(hub, host, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    host(redirect=hub.url.replace("127.0.0.1", "localhost"))
    assert get(tmp_path).read_bytes() == DATA
    sent = {path.startswith("/cdn"): token for _, path, _, token in hub.requests}
    assert sent == {False: "Bearer hf_secret", True: None}


def test_token_does_not_follow_a_redirect_that_only_the_download_meets(hub, host, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    host(redirect=hub.url.replace("127.0.0.1", "localhost"), redirect_late=True)
    assert get(tmp_path).read_bytes() == DATA
    assert [(path.startswith("/cdn"), token) for _, path, _, token in hub.requests] == [
        (False, "Bearer hf_secret"),
        (False, "Bearer hf_secret"),
        (True, None),
    ]


def test_repository_is_listed(hub):
    hub.add("o/m", "b/model.bin", b"x")
    hub.add("o/m", "a.json", b"x")
    assert list_repo("o/m", repo_type="model") == ("f" * 40, ["a.json", "b/model.bin"])
    with pytest.raises(UnavailableError, match="model o/none: no such repository"):
        list_repo("o/none", repo_type="model")
    with pytest.raises(UnavailableError, match="dataset o/m: no such repository"):
        list_repo("o/m", repo_type="dataset")


def test_no_space_is_seen_before_the_download(hub, host, tmp_path, monkeypatch):
    host()
    usage = download.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UnavailableError, match=r"needs 1\.0 MB, .* has 1 kB free") as error:
        get(tmp_path)
    one_line(error)
    assert hub.ranges() == []


def test_disk_full_and_read_only(host, tmp_path, monkeypatch):
    import errno

    from huggingface_hub import file_download

    host()

    def full(*args, **kw):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(file_download, "http_get", full)
    with pytest.raises(UnavailableError, match="full") as error:
        get(tmp_path)
    one_line(error)
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(UnavailableError) as error:
        get(blocked / "below")
    one_line(error)


def test_two_processes_fetch_once(hub, host, tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    host()
    with ThreadPoolExecutor(4) as pool:
        paths = list(pool.map(lambda _: get(tmp_path, md5=MD5), range(4)))
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == DATA
    assert hub.ranges() == [None]
