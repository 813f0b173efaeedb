"""A small local server that plays the Hugging Face hub and plain file servers.

It can also break off, corrupt, refuse, redirect, lie about sizes, ignore ranges, and be slow.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMIT = "f" * 40


@dataclass
class Hosted:
    """One file and how it misbehaves."""

    data: bytes
    status: int = 200
    """Answer every request with this code instead."""
    code: str = ""
    """X-Error-Code sent with it: EntryNotFound, RepoNotFound, GatedRepo, ..."""
    break_after: int | None = None
    """Close the connection after this many bytes of the body ..."""
    breaks: int = 1
    """... this many times."""
    corrupt: bool = False
    """Flip a byte in the middle of the body."""
    redirect: str | None = None
    """Send clients to this host for the bytes, as the hub does with large files."""
    expired: int = 0
    """Refuse this many requests for a part at that host, as for a signed address that is too old."""
    redirect_late: bool = False
    """Redirect only the GET, after the HEAD was answered here."""
    plain: bool = False
    """A file server that knows nothing of the hub's headers."""
    ignore_range: bool = False
    """Answer a request for a part with the whole."""
    no_head: bool = False
    """Refuse HEAD with 405."""
    announced: int | None = None
    """Size that HEAD tells, whatever it is."""
    lfs: bool = True
    """Kept in LFS, where the ETag is the sha256; others have git's hash of the blob."""
    unsized: bool = False
    """Never tell the size; the end is where the connection closes."""
    stall_after: int | None = None
    """Send this many bytes of the body, then wait for `go` ..."""
    stalls: int = 1
    """... this many times."""
    go: threading.Event = field(default_factory=threading.Event)
    stalled: threading.Event = field(default_factory=threading.Event)
    """Set when the server begins to wait."""


@dataclass
class Hub:
    """The hub: `add` files, point HF_ENDPOINT to `url`, look at `requests` afterwards."""

    url: str = ""
    files: dict[str, Hosted] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None, str | None]] = field(default_factory=list)
    """(method, path, Range header, Authorization header)"""

    def add(
        self, repo: str, file: str, data: bytes, *, revision: str = "main", repo_type: str = "model", **how
    ) -> Hosted:
        """Host a file; `how` are fields of Hosted."""
        root = "datasets/" if repo_type == "dataset" else ""
        hosted = Hosted(data, **how)
        self.files[f"/{root}{repo}/resolve/{revision}/{file}"] = hosted
        return hosted

    def add_url(self, path: str, data: bytes, **how) -> str:
        """Host a file at a direct address, e.g. `/ckpt/x.zip`; returns the address."""
        self.files[path] = Hosted(data, plain=True, **how)
        return self.url + path

    def ranges(self) -> list[str | None]:
        """Range headers of the GET requests for files, in order."""
        return [r for method, path, r, _ in self.requests if method == "GET" and "/api/" not in path]


def etag(hosted: Hosted) -> str:
    if not hosted.lfs:
        return hashlib.sha1(b"blob %d\0%b" % (len(hosted.data), hosted.data)).hexdigest()
    return hashlib.sha256(hosted.data).hexdigest()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, *, body: bool) -> None:
            path = unquote(urlsplit(self.path).path)
            asked = self.headers.get("Range")
            hub.requests.append((self.command, path, asked, self.headers.get("Authorization")))
            for root, prefix in (("/api/datasets/", "/datasets/"), ("/api/models/", "/")):
                if path.startswith(root):
                    return self._listing("/".join(path.removeprefix(root).split("/")[:2]), prefix)
            hosted = hub.files.get(path.removeprefix("/cdn"))
            if hosted is None:
                return self._refuse(404, "EntryNotFound")
            if hosted.status != 200:
                return self._refuse(hosted.status, hosted.code)
            if hosted.expired and asked and path.startswith("/cdn"):
                hosted.expired -= 1
                return self._refuse(403, "")
            if hosted.no_head and not body:
                return self._refuse(405, "")
            if hosted.redirect and not path.startswith("/cdn") and (body or not hosted.redirect_late):
                return self._redirect(hosted, path)
            start = int(asked.removeprefix("bytes=").split("-")[0]) if asked and not hosted.ignore_range else None
            data = bytearray(hosted.data)
            if hosted.corrupt:
                data[len(data) // 2] ^= 0xFF
            if start is not None and start >= len(data):
                return self._refuse(416, "")
            self.send_response(200 if start is None else 206)
            self.send_header("ETag", f'"{etag(hosted)}"')
            if not hosted.plain:
                self.send_header("X-Repo-Commit", COMMIT)
            if start is not None:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            rest = bytes(data[start or 0 :])
            if hosted.unsized:
                self.close_connection = True
            else:
                told = hosted.announced if hosted.announced is not None and not body else len(rest)
                self.send_header("Content-Length", str(told))
            self.end_headers()
            return self._body(hosted, rest) if body else None

        def _body(self, hosted: Hosted, rest: bytes) -> None:
            if hosted.break_after is not None and hosted.breaks > 0:
                hosted.breaks -= 1
                rest = rest[: hosted.break_after]
                self.close_connection = True
            if hosted.stall_after is not None and hosted.stalls > 0:
                hosted.stalls -= 1
                self.wfile.write(rest[: hosted.stall_after])
                self.wfile.flush()
                rest = rest[hosted.stall_after :]
                hosted.stalled.set()
                hosted.go.wait(30)
            with contextlib.suppress(OSError):  # the client may be dead by now
                self.wfile.write(rest)
                self.wfile.flush()

        def _redirect(self, hosted: Hosted, path: str) -> None:
            self.send_response(302)
            self.send_header("Location", f"{hosted.redirect}/cdn{path}")
            if not hosted.plain:
                self.send_header("X-Linked-Etag", f'"{etag(hosted)}"')
                self.send_header("X-Linked-Size", str(len(hosted.data)))
                self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _listing(self, repo: str, root: str) -> None:
            prefix = f"{root}{repo}/resolve/"
            names = sorted({p.removeprefix(prefix).split("/", 1)[1] for p in hub.files if p.startswith(prefix)})
            if not names:
                return self._refuse(404, "RepoNotFound")
            listing = {"id": repo, "sha": COMMIT, "siblings": [{"rfilename": n} for n in names]}
            text = json.dumps(listing).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)
            return None

        def _refuse(self, status: int, code: str) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

    return Handler


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A running hub with HF_ENDPOINT pointing to it."""
    played = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(played))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    played.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("HF_ENDPOINT", played.url)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    yield played
    for hosted in played.files.values():
        hosted.go.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def no_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to open a socket fails the test."""
    import socket

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
