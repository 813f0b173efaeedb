"""Downloads files over http(s): states their size, resumes, verifies, and puts them in place atomically.

huggingface_hub does the transfer (retries, progress, proxies), but the partial file is managed here:
`hf_hub_download` of huggingface_hub 2.4.0 deletes its partial file after any failure. With it, ten tests of broken
transfers fail: after a second call, a killed process or an expired address it starts again from zero, and a second
process does not wait.
"""

from __future__ import annotations

import errno
import glob
import hashlib
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from senbench.errors import SenbenchError, UnavailableError, brief
from senbench.io import magic, receipt, zip_member
from senbench.runtime.printing import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PATIENCE = 30
"""Seconds without an answer before a request is retried; HF_HUB_DOWNLOAD_TIMEOUT overrides it."""
UNANNOUNCED = 100_000_000_000
"""Most bytes downloaded of a file whose size neither the server nor the card states."""
GIT = "git sha1"
"""Name of git's hash of a file's content: the sha1 of its length and bytes as a blob."""
UNPACKED = 1.2
"""Ratio of an unpacked checkpoint to its zip, for the first check of disk space; floats hardly compress."""


@dataclass(frozen=True)
class Server:
    """A server, with explanations of its errors for the user."""

    name: str
    """`the hub`, or a host name."""
    place: str
    """The repository or host that holds the file, for messages."""
    refused: str
    """What to do when access is refused (HTTP 401, 403)."""
    missing: dict[str, str]
    """What an HTTP 404 means, by X-Error-Code; the key `""` holds for any other code."""
    stale: str
    """What to do about an HTTP 404."""
    advice: str
    """What to check when the server cannot be reached."""


@dataclass(frozen=True)
class Remote:
    """What a server states about a file before its transfer."""

    url: str
    """Where the bytes are, after redirects."""
    size: int | None
    """Bytes; None if the server does not say."""
    tag: str
    """Letters and digits that identify the content; part of the partial file's name."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers of the request, e.g. with a token."""
    sha256: str | None = None
    """sha256 of the bytes, hex, if the server states it."""
    git_sha1: str | None = None
    """git's hash of the bytes as a blob, hex, if the server states that instead."""
    revision: str | None = None
    """Commit of the repository, or ETag of the address; None if the server does not say."""

    @property
    def hashed(self) -> bool:
        """Return whether the server states a hash of the bytes."""
        return self.sha256 is not None or self.git_sha1 is not None


class _TooMuchError(Exception):
    """More bytes arrived than the server announced."""


class _Bounded:
    """A partial file limited to the announced size, so that an endless response cannot fill the disk."""

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream, self._size = stream, size

    def write(self, data: bytes) -> int:
        """Write up to the announced size; the transfer starts over if the server ignores ranges."""
        if self._stream.tell() + len(data) > self._size:
            raise _TooMuchError
        return self._stream.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class Origin(Protocol):
    """The source of a file: `hub.RepoFile` or `http.Address`."""

    @property
    def name(self) -> str:
        """Return the name of the file at its source, for messages."""

    @property
    def server(self) -> Server:
        """Who is asked."""

    def check(self, what: str) -> None:
        """Raise UsageError if `what` must not be requested from this source."""

    def look(self, what: str) -> Remote:
        """Ask the server for address, size and hash of `what`."""


@dataclass(frozen=True)
class Fetch:
    """A file to download: its source, its target, its checksums, and how to name it in messages."""

    origin: Origin
    """The source; contacted only if the target does not exist."""
    target: Path
    """Where to put the file."""
    what: str
    """What the file is, for messages."""
    md5: str | None = None
    """Expected md5, hex."""
    sha256: str | None = None
    """Expected sha256, hex; that of the member if `member` is given."""
    member: str | None = None
    """Name of the file inside a zip; only this member is kept."""
    size_hint: int | None = None
    """Approximate size in bytes, used if the server does not state the size or was not asked."""
    command: str | None = None
    """The command that downloads the file, for messages."""
    notice: str | None = None
    """A line shown when a transfer starts, e.g. about the licence."""
    fault: Callable[[Path], str | None] = magic.foreign
    """Returns what is wrong with a downloaded file, or None."""
    receipt: bool = False
    """Whether to record the revision next to the file (`receipt`)."""

    @property
    def title(self) -> str:
        """Return the file and its source, for messages."""
        return f"{self.what}: {self.origin.name} from {self.origin.server.place}"


def fetch(order: Fetch, *, offline: bool = False) -> Path:
    """Return the path of a file, downloading it unless it exists.

    The file appears under its name only when it is complete and its checksum matches. After an interruption the
    bytes received so far remain next to it as `<file>.<tag>.partial`, and the next call resumes from there. A second
    process that needs the same file waits for the first, then uses its file.

    Args:
        order: The file to download.
        offline: Open no socket; HF_HUB_OFFLINE=1 has the same effect.

    Returns:
        `order.target`.

    Raises:
        UsageError: The address is not https.
        UnavailableError: The file is missing and `offline` is set, does not exist on the server, or is not in the zip;
            access was refused, the connection was lost, or the disk is full; or the downloaded file is not the expected
            one by checksum, by the hub's hash or by its first bytes, in which case it is deleted.
    """
    order.origin.check(order.what)
    target = order.target
    if target.is_file():
        return target
    if offline or offline_by_environment():
        size = f" ({megabytes(order.size_hint)})" if order.size_hint else ""
        again_by = f"`{order.command}`" if order.command else "the same command without --offline"
        raise UnavailableError(
            f"{order.what}: {target}{size} does not exist, and nothing is fetched offline; "
            f"run {again_by} on a machine with a network, then copy the file from there to that folder"
        )
    try:
        with one_at_a_time(Path(f"{target}.lock"), order.what):
            if not target.is_file():  # another process may have downloaded it meanwhile
                _whole(order).replace(target)
    except SenbenchError:
        raise
    except Exception as error:
        raise explained(error, order.title, order.origin.server, target) from error
    return target


def _whole(order: Fetch) -> Path:
    """Download and verify the whole file under a temporary name."""
    if order.member is None:
        whole, remote = _transfer(order, order.target)
        _accept(order, whole, remote, order.fault)
    else:
        archive, remote = order.target.with_name(f"{order.target.name}.zip"), None
        if not archive.is_file():
            arrived, remote = _transfer(order, archive)
            _accept(order, arrived, remote, magic.foreign)
            arrived.replace(archive)
        whole = zip_member.member(archive, order.member, order.title)
        archive.unlink()
        _accept(order, whole, None, order.fault)
    verify(whole, order.title, md5=order.md5, sha256=order.sha256)
    if order.receipt and remote is not None and remote.revision is not None:
        receipt.write(order.target, remote.revision, order.sha256 or digest(whole, "sha256"))
    return whole


def confirm(order: Fetch) -> bool | None:
    """Ask the server whether a local file without a receipt is identical to the released one; write a receipt if so.

    Args:
        order: The file, as it would be downloaded.

    Returns:
        Whether the files are identical; None if the server states no hash.

    Raises:
        UnavailableError: The server cannot be reached.
    """
    try:
        remote = order.origin.look(order.what)
    except SenbenchError:
        raise
    except Exception as error:
        raise explained(error, order.title, order.origin.server) from error
    if order.member is not None or remote.revision is None or not remote.hashed:
        return None
    sha256 = digest(order.target, "sha256")
    same = sha256 == remote.sha256 if remote.sha256 else digest(order.target, GIT) == remote.git_sha1
    if same:
        receipt.write(order.target, remote.revision, sha256)
    return same


def _accept(order: Fetch, arrived: Path, remote: Remote | None, fault: Callable[[Path], str | None]) -> None:
    """Delete a downloaded file that is not the requested one, and raise UnavailableError."""
    if problem := fault(arrived):
        arrived.unlink()
        do = "run again" if problem.startswith("truncated") else order.origin.server.refused
        raise UnavailableError(f"{order.title}: what arrived is {problem}; it was deleted: {do}")
    if remote is not None and order.md5 is None and order.sha256 is None:  # a pinned checksum is verified later
        verify(arrived, order.title, sha256=remote.sha256, git_sha1=remote.git_sha1)


@contextmanager
def one_at_a_time(lock_file: Path, what: str) -> Iterator[None]:
    """Let one process at a time enter; the others wait, and say so.

    Args:
        lock_file: The lock; its folder is created.
        what: What is downloaded, for the message.
    """
    from filelock import FileLock, Timeout

    lock_file.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(lock_file)
    try:
        lock.acquire(timeout=1)
    except Timeout:
        say(f"waiting for another process that fetches {what}", err=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
    with suppress(OSError):  # the file is complete: no process needs the lock any more
        lock_file.unlink()


def verify(
    path: Path, title: str, *, md5: str | None = None, sha256: str | None = None, git_sha1: str | None = None
) -> None:
    """Delete a file whose checksum is not the expected one.

    Raises:
        UnavailableError: The checksum differs; names both checksums.
    """
    for algorithm, expected in (("md5", md5), ("sha256", sha256), (GIT, git_sha1)):
        if expected is not None and (actual := digest(path, algorithm)) != expected:
            path.unlink()
            raise UnavailableError(
                f"{title}: {algorithm} is {actual}, expected {expected}; the damaged file was deleted, run again"
            )


def digest(path: Path, algorithm: str) -> str:
    """Return the hex digest of a file by an algorithm of hashlib, e.g. `md5`, or by `GIT`."""

    def new() -> hashlib._Hash:
        if algorithm != GIT:
            return hashlib.new(algorithm, usedforsecurity=False)
        return hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, new).hexdigest()


def offline_by_environment() -> bool:
    """Return True if HF_HUB_OFFLINE is set."""
    return os.environ.get("HF_HUB_OFFLINE", "").upper() in {"1", "ON", "YES", "TRUE"}


def megabytes(n: int) -> str:
    """Format a size in bytes: `7.7 MB`, `2.07 GB`."""
    return f"{n / 1e9:.2f} GB" if n >= 1e9 else f"{n / 1e6:.1f} MB" if n >= 1e5 else f"{n / 1e3:.0f} kB"


def patience() -> int:
    """Return the seconds before a request is retried; huggingface_hub's default of 10 is too short for slow storage."""
    from huggingface_hub import constants

    if not os.environ.get("HF_HUB_DOWNLOAD_TIMEOUT"):
        constants.HF_HUB_DOWNLOAD_TIMEOUT = PATIENCE  # http_get has no parameter for it
    return constants.HF_HUB_DOWNLOAD_TIMEOUT


def explained(error: Exception, title: str, server: Server, target: Path | None = None) -> UnavailableError:
    """Turn an exception of the HTTP library or of the disk into one line that says what to do.

    Args:
        error: The exception.
        title: The file and its source.
        server: The server of the request.
        target: Path to which the file was downloaded.
    """
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    if status in (401, 403):
        return UnavailableError(f"{title}: {server.name} refuses access (HTTP {status}): {server.refused}")
    if status == 404:
        code = (getattr(response, "headers", None) or {}).get("X-Error-Code", "")
        missing = server.missing.get(code, server.missing[""])
        return UnavailableError(f"{title}: {missing} on {server.name} (HTTP 404); {server.stale}")
    if isinstance(error, OSError):
        place = error.filename or (target.parent if target else "")
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return UnavailableError(f"{title}: the disk of {place} is full; make room or set SENBENCH_HOME elsewhere")
        if error.filename or isinstance(error, PermissionError):
            return UnavailableError(f"{title}: {place} is not writable ({error.strerror}); set SENBENCH_HOME elsewhere")
    reason = brief(error)
    if "Timeout" in type(error).__name__:
        reason = f"no answer for {patience()} s"
    kept = target is not None and any(target.parent.glob(f"{glob.escape(target.name)}.*partial"))
    again = " (the bytes received so far are kept: run again to continue)" if kept else ""
    return UnavailableError(
        f"{title}: cannot be fetched from {server.name}: {type(error).__name__}: {reason}{again}; {server.advice}"
    )


def _transfer(order: Fetch, target: Path, *, again: bool = True) -> tuple[Path, Remote]:
    """Download the whole partial file of `target`; return it with what the server stated."""
    from huggingface_hub.file_download import http_get

    patience()
    remote = order.origin.look(order.what)
    partial = target.with_name(f"{target.name}.{remote.tag}.partial")
    have = partial.stat().st_size if partial.exists() else 0
    if have and (remote.size is None or have > remote.size):
        partial.unlink()  # without an announced size, a truncated file cannot be recognised
        have = 0
    if again:
        _announce(order, target, remote.size, have)
    if remote.size is None or have < remote.size:
        try:
            with partial.open("ab") as stream:
                http_get(
                    remote.url,
                    cast("BinaryIO", _Bounded(stream, remote.size or _unannounced(order))),
                    resume_size=have,
                    # sizes and ranges must be those of the file, not of a compressed stream
                    headers={"accept-encoding": "identity", **remote.headers},
                    displayed_filename=target.name,
                )
        except _TooMuchError as error:
            partial.unlink()
            raise UnavailableError(
                f"{order.title}: more than the {remote.size or _unannounced(order):,} bytes that "
                f"{'were announced' if remote.size else 'such a file may have'} come from {order.origin.server.name}; "
                f"what arrived was deleted; {order.origin.server.advice}"
            ) from error
        except Exception as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status == 403 and again and partial.stat().st_size > have:
                return _transfer(order, target, again=False)  # the hub's signed addresses expire within the hour
            if status == 416 or "Consistency check" in str(error):
                raise _contradiction(order, partial, remote.size) from error
            raise
    if remote.size is not None and partial.stat().st_size != remote.size:
        raise _contradiction(order, partial, remote.size)
    return partial, remote


def _unannounced(order: Fetch) -> int:
    """Return the most bytes accepted of a file whose size the server does not state."""
    return 4 * order.size_hint if order.size_hint else UNANNOUNCED


def _contradiction(order: Fetch, partial: Path, size: int | None) -> UnavailableError:
    arrived = partial.stat().st_size
    partial.unlink()
    return UnavailableError(
        f"{order.title}: {arrived:,} bytes arrived where {order.origin.server.name} had announced {size or 0:,}; "
        "they were deleted, run again"
    )


def _announce(order: Fetch, target: Path, size: int | None, have: int) -> None:
    length = megabytes(size) if size else f"about {megabytes(order.size_hint)}" if order.size_hint else "size unknown"
    begun = f", {megabytes(have)} of it already downloaded" if have else ""
    say(
        f"fetching {order.what}: {order.origin.name} ({length}{begun}) from {order.origin.server.place} into "
        f"{target.parent}",
        err=True,
    )
    if order.notice:
        say(order.notice, err=True)
    expected = size or order.size_hint or 0
    need = expected - have + (int(UNPACKED * expected) if order.member is not None else 0)
    if (free := shutil.disk_usage(target.parent).free) < need:
        raise UnavailableError(
            f"{order.what}: {order.origin.name} needs {megabytes(need)}, {target.parent} has {megabytes(free)} free; "
            "make room or set SENBENCH_HOME to another disk"
        )
