"""Fetching from a direct address: resumed, refused, redirected, slow, lied to."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

import pytest

from senbench.errors import UnavailableError, UsageError
from senbench.io import download, http

if TYPE_CHECKING:
    from pathlib import Path

DATA = bytes(range(251)) * 400  # 100 kB
SHA256 = hashlib.sha256(DATA).hexdigest()
HALF = 50_000


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """What arrived is written every 10 kB, not every 10 MB, and nobody waits between attempts."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 10_000)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.delenv("HF_HUB_DOWNLOAD_TIMEOUT", raising=False)


def get(url: str, folder: Path, *, offline: bool = False, **kw) -> Path:
    order = download.Fetch(http.Address(url), folder / "model.pt", what="weights of x", **kw)
    return download.fetch(order, offline=offline)


def refused(url: str, folder: Path, **kw) -> str:
    """The one line of a fetch that fails; nothing is ever left under the file's name."""
    with pytest.raises(UnavailableError) as error:
        get(url, folder, **kw)
    text = str(error.value)
    assert "\n" not in text
    assert text.startswith("weights of x: ")
    assert not (folder / "model.pt").exists()
    return text


def partial(folder: Path) -> bytes:
    (found,) = folder.glob("*.partial")
    return found.read_bytes()


def test_fetched_announced_and_only_once(hub, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    url = hub.add_url("/ckpt/x.pt", DATA)
    assert get(url, tmp_path, sha256=SHA256, notice="licence of x: none").read_bytes() == DATA
    err = capsys.readouterr().err
    assert f"fetching weights of x: x.pt (0.1 MB) from 127.0.0.1 into {tmp_path}" in err
    assert err.count("licence of x: none") == 1
    assert [(m, token) for m, _, _, token in hub.requests] == [("HEAD", None), ("GET", None)]
    get(url, tmp_path, sha256=SHA256, notice="licence of x: none")
    assert len(hub.requests) == 2
    assert capsys.readouterr().err == ""
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]


def test_continued_where_it_was_cut(hub, tmp_path, monkeypatch):
    url = hub.add_url("/x.pt", DATA, break_after=HALF, breaks=1)
    hosted = hub.files["/x.pt"]
    # the server goes away while the client waits to try again
    monkeypatch.setattr(time, "sleep", lambda seconds: setattr(hosted, "status", 503))
    text = refused(url, tmp_path)
    assert "the bytes received so far are kept: run again to continue" in text
    assert partial(tmp_path) == DATA[:HALF]
    hosted.status = 200
    hub.requests.clear()
    assert get(url, tmp_path, sha256=SHA256).read_bytes() == DATA
    assert hub.ranges() == [f"bytes={HALF}-"]


def test_a_server_that_ignores_ranges_starts_again(hub, tmp_path):
    url = hub.add_url("/x.pt", DATA, ignore_range=True, break_after=HALF, breaks=1)
    assert get(url, tmp_path).read_bytes() == DATA  # never a whole file behind half a one
    assert hub.ranges() == [None, f"bytes={HALF}-"]


def test_a_half_file_from_an_earlier_call_and_a_server_that_ignores_ranges(hub, tmp_path):
    url = hub.add_url("/x.pt", DATA, ignore_range=True)
    (tmp_path / f"model.pt.{SHA256[:16]}.partial").write_bytes(DATA[:HALF])
    assert get(url, tmp_path).read_bytes() == DATA
    assert hub.ranges() == [f"bytes={HALF}-"]


def test_other_content_at_the_address_is_not_continued(hub, tmp_path):
    (tmp_path / "model.pt.0123456789abcdef.partial").write_bytes(b"of an older file")
    assert get(hub.add_url("/x.pt", DATA), tmp_path).read_bytes() == DATA
    assert hub.ranges() == [None]


def test_size_unknown(hub, tmp_path, capsys):
    url = hub.add_url("/x.pt", DATA, unsized=True)
    (tmp_path / f"model.pt.{SHA256[:16]}.partial").write_bytes(DATA[:HALF])
    assert get(url, tmp_path, size_hint=120_000).read_bytes() == DATA
    assert hub.ranges() == [None]  # nothing would tell a half from a whole
    assert "(about 0.1 MB)" in capsys.readouterr().err


def test_a_server_without_head(hub, tmp_path):
    assert get(hub.add_url("/x.pt", DATA, no_head=True), tmp_path, sha256=SHA256).read_bytes() == DATA


@pytest.mark.parametrize("announced", [len(DATA) + 5000, len(DATA) - 5000])
def test_other_length_than_announced(hub, tmp_path, announced):
    url = hub.add_url("/x.pt", DATA, announced=announced)
    text = refused(url, tmp_path)
    if announced < len(DATA):
        assert f"more than the {announced:,} bytes that were announced come from 127.0.0.1" in text
    else:
        assert f"{len(DATA):,} bytes arrived where 127.0.0.1 had announced {announced:,}" in text
    assert not list(tmp_path.glob("*.partial"))  # it would only mislead the next attempt


def test_a_partial_file_longer_than_the_server_has(hub, tmp_path):
    url = hub.add_url("/x.pt", DATA, announced=len(DATA) + 5000)
    (tmp_path / f"model.pt.{SHA256[:16]}.partial").write_bytes(DATA + b"0" * 100)
    assert f"{len(DATA) + 100:,} bytes arrived where" in refused(url, tmp_path)  # HTTP 416
    assert not list(tmp_path.glob("*.partial"))  # or every further attempt would meet the same
    hub.files["/x.pt"].announced = None
    assert get(url, tmp_path, sha256=SHA256).read_bytes() == DATA


def test_corrupted(hub, tmp_path):
    url = hub.add_url("/x.pt", DATA, corrupt=True)
    assert f"expected {SHA256}; the damaged file was deleted, run again" in refused(url, tmp_path, sha256=SHA256)
    assert not list(tmp_path.glob("*partial"))
    hub.files["/x.pt"].corrupt = False
    assert get(url, tmp_path, sha256=SHA256).read_bytes() == DATA


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "127.0.0.1 refuses access (HTTP 401): the address needs a login or has moved"),
        (403, "refuses access (HTTP 403)"),
        (404, "no such file on 127.0.0.1 (HTTP 404); the address may be out of date"),
        (500, "cannot be fetched from 127.0.0.1: "),
        (503, "check the network"),
    ],
)
def test_refusals(hub, tmp_path, status, says):
    assert says in refused(hub.add_url("/x.pt", DATA, status=status), tmp_path)


def test_redirect_to_another_host(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    url = hub.add_url("/x.pt", DATA, redirect=hub.url.replace("127.0.0.1", "localhost"))
    assert get(url, tmp_path, sha256=SHA256).read_bytes() == DATA
    assert [(m, p, token) for m, p, _, token in hub.requests] == [
        ("HEAD", "/x.pt", None),
        ("HEAD", "/cdn/x.pt", None),
        ("GET", "/cdn/x.pt", None),
    ]


def test_redirect_to_an_insecure_host_is_refused(hub, tmp_path):
    url = hub.add_url("/x.pt", DATA, redirect="http://files.example")
    assert "127.0.0.1 redirects to http://files.example, which is not an https address" in refused(url, tmp_path)
    assert [method for method, *_ in hub.requests] == ["HEAD"]


@pytest.mark.parametrize("url", ["http://files.example/x.pt", "ftp://files.example/x.pt", "file:///etc/passwd", "x.pt"])
@pytest.mark.usefixtures("no_sockets")
def test_only_https_elsewhere(tmp_path, url):
    with pytest.raises(UsageError, match="is not an https address"):
        get(url, tmp_path)


def test_slow_but_alive(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.3)
    url = hub.add_url("/x.pt", DATA, stall_after=HALF, stalls=2)
    assert get(url, tmp_path, sha256=SHA256).read_bytes() == DATA  # asked again after each silence
    assert hub.ranges()[:2] == [None, f"bytes={HALF}-"]


def test_silent_for_ever(hub, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "PATIENCE", 0.1)
    url = hub.add_url("/x.pt", DATA, stall_after=HALF, stalls=1)
    hosted = hub.files["/x.pt"]

    def then_nothing(seconds: float) -> None:
        hosted.stall_after, hosted.stalls = 0, 99

    monkeypatch.setattr(time, "sleep", then_nothing)
    text = refused(url, tmp_path)
    assert "no answer for 0.1 s (the bytes received so far are kept: run again to continue)" in text
    assert partial(tmp_path) == DATA[:HALF]


def test_a_slow_server_has_longer_than_ten_seconds(monkeypatch):
    from huggingface_hub import constants

    assert download.patience() >= 30
    assert download.patience() == constants.HF_HUB_DOWNLOAD_TIMEOUT  # what the transport goes by


def test_the_user_can_set_the_time(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "7")
    monkeypatch.setattr(constants, "HF_HUB_DOWNLOAD_TIMEOUT", 7)  # read at its import
    assert download.patience() == 7


@pytest.mark.usefixtures("no_sockets")
@pytest.mark.parametrize("how", ["argument", "environment"])
def test_offline_opens_no_socket(tmp_path, monkeypatch, how):
    if how == "environment":
        monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    text = refused("https://files.example/x.pt", tmp_path, offline=how == "argument", size_hint=605_000_000)
    assert f"{tmp_path / 'model.pt'} (605.0 MB) does not exist, and nothing is fetched offline" in text
    (tmp_path / "model.pt").write_bytes(b"here")
    assert get("https://files.example/x.pt", tmp_path, offline=True).read_bytes() == b"here"


def test_a_folder_that_cannot_be_made(hub, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    text = refused(hub.add_url("/x.pt", DATA), tmp_path / "file" / "folder")
    assert "is not writable" in text and "SENBENCH_HOME" in text


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h.example/a/b%20c.zip?x=1", "b c.zip"),
        ("https://h.example/", "download"),
        ("https://h.example", "download"),
    ],
)
def test_name_of_an_address(url, name):
    assert http.Address(url).name == name
