"""What is known of files: the sha256 of each when it was first used, kept under SENBENCH_HOME.

A file is read again only when its size, inode, or one of its times is another: of its content, which `cp -p` sets,
and of its last change, which nothing sets. What a run loads is hashed while it is loaded (`Loading`), whatever is
remembered. A folder that cannot be written (a shared cache) is no error: then nothing is recorded.
"""

from __future__ import annotations

import hashlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from senbench.errors import ContractError, UnavailableError
from senbench.runtime.paths import home
from senbench.runtime.printing import say
from senbench.schema.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class HashedFile(Record):
    """The sha256 of a file, and what told that it was this file: size, times and inode."""

    size: int
    """Bytes."""
    mtime_ns: int
    """Time of modification, ns."""
    ctime_ns: int = 0
    """Time of the last change of anything, ns; 0: an earlier version did not look at it, so that the file is read."""
    inode: int
    """Inode."""
    sha256: str
    """sha256 of its bytes, hex."""


TICK = 0.02
"""Seconds within which two changes of a file can have the same time."""
_MEMO = TypeAdapter(dict[str, HashedFile])


def memo() -> Path:
    """The file that remembers."""
    return home() / "weights" / "hashes.json"


def compare(path: Path, *, afresh: bool = False) -> tuple[HashedFile | None, HashedFile]:
    """A file as it was recorded, and as it is now.

    Its bytes are read only if its size, times or inode are not as recorded.

    Args:
        path: The file.
        afresh: Read the bytes in any case.

    Returns:
        What was recorded when it was accepted, None if nothing was; and what it is now.

    Raises:
        UnavailableError: The file cannot be read, or is being written.
    """
    was = recorded(path)
    return was, measure(path, None if afresh else was)


def recorded(path: Path) -> HashedFile | None:
    """What was recorded of a file when it was accepted; None: nothing.

    Args:
        path: The file.
    """
    try:
        return _read().get(_key(path))
    except ValidationError:
        _alone(_mended)
    except OSError:
        pass
    return None


def measure(path: Path, known: HashedFile | None = None) -> HashedFile:
    """A file as it is now; `known` if that has the same size, times and inode, else its bytes are read.

    Args:
        path: The file.
        known: What was recorded of it.

    Raises:
        UnavailableError: The file cannot be read, or is being written.
    """
    try:
        with path.open("rb") as stream:
            before = os.fstat(stream.fileno())
            if known is not None and _entry(before, known.sha256) == known:
                return known
            if 0 <= time.time() - before.st_ctime < TICK:
                time.sleep(TICK)  # a change after this must have another time
            found = _entry(before, hashlib.file_digest(stream, "sha256").hexdigest())
            after = os.fstat(stream.fileno())
    except OSError as error:
        raise UnavailableError(f"weights {path.name} cannot be read: {error.strerror}") from error
    if _entry(after, found.sha256) != found:
        raise UnavailableError(f"weights {path.name} are being written just now; run again when that is done")
    return found


def unchanged(path: Path, known: HashedFile) -> bool:
    """True if a file has the size, times and inode that were recorded.

    Args:
        path: The file.
        known: What was recorded of it.
    """
    try:
        return _entry(path.stat(), known.sha256) == known
    except OSError:
        return False


def verified(path: Path, sha256: str) -> None:
    """Remember a file whose bytes were read and found to be right.

    Args:
        path: The file.
        sha256: Its hash, hex.
    """
    record(path, _entry(path.stat(), sha256))


@contextmanager
def loading(path: Path, sha256: str) -> Iterator[None]:
    """Hash a file while it is loaded in this block, and refuse at its end what has another hash.

    Args:
        path: The file.
        sha256: The hash that a run is about to record, hex.

    Raises:
        ContractError: The bytes have another hash: the file was replaced, or its bytes have changed on the disk.
        UnavailableError: It cannot be read, or was changed meanwhile.
    """
    with ThreadPoolExecutor(1) as pool:
        hashed = pool.submit(measure, path)
        yield
        found = hashed.result()
    if found.sha256 != sha256:
        record(path, HashedFile(size=-1, mtime_ns=0, inode=0, sha256=sha256))  # the next run reads it again
        raise ContractError(
            f"weights {path.name} are not the bytes that were recorded: their sha256 was {sha256[:12]}, what was "
            f"loaded has {found.sha256[:12]} ({path}); fetch the file again, or run with --accept-new-weights if the "
            "change is meant"
        )
    if not unchanged(path, found):
        raise UnavailableError(f"weights {path.name} were changed while they were loaded; run again")


def _entry(stat: os.stat_result, sha256: str) -> HashedFile:
    return HashedFile(
        size=stat.st_size, mtime_ns=stat.st_mtime_ns, ctime_ns=stat.st_ctime_ns, inode=stat.st_ino, sha256=sha256
    )


def record(path: Path, entry: HashedFile) -> None:
    """Remember a file; where nothing can be written, nothing is remembered.

    Args:
        path: The file.
        entry: What was measured.
    """

    def add() -> None:
        known = _mended()
        known[_key(path)] = entry
        part = memo().with_suffix(".part")
        part.write_bytes(_MEMO.dump_json(dict(sorted(known.items())), indent=1) + b"\n")
        part.replace(memo())

    _alone(add)


def _read() -> dict[str, HashedFile]:
    try:
        return _MEMO.validate_json(memo().read_bytes())
    except FileNotFoundError:
        return {}


def _mended() -> dict[str, HashedFile]:
    """What is remembered, under the lock; a damaged file is set aside."""
    try:
        return _read()
    except ValidationError:
        aside = memo().with_suffix(".damaged")
        memo().replace(aside)
        say(f"{memo()} was damaged and is now {aside.name}: files count as not used before", err=True)
        return {}


def _alone(change: Callable[[], object]) -> None:
    from filelock import FileLock

    # OSError: a shared cache, or a full disk; NotImplementedError: a file system without locks
    with suppress(OSError, NotImplementedError):
        memo().parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{memo()}.lock"):
            change()


def _key(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - a link is known by its own name, whatever it points to now
