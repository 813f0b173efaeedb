"""Records the sha256 of each file at its first use, under SENBENCH_HOME.

A file is read again only if its size, inode, modification time (which `cp -p` can set) or change time (which nothing
can set) differs. Files that a run loads are hashed during loading (`loading`), regardless of the records. If the
folder cannot be written, as in a shared cache, nothing is recorded.
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
    """The sha256 of a file with the size, times and inode that identify it."""

    size: int
    """Bytes."""
    mtime_ns: int
    """Time of modification, ns."""
    ctime_ns: int = 0
    """Change time (ctime), ns; 0 in records of earlier versions, so that the file is read again."""
    inode: int
    """Inode."""
    sha256: str
    """sha256 of its bytes, hex."""


TICK = 0.02
"""Seconds within which two changes of a file can have the same time."""
_MEMO = TypeAdapter(dict[str, HashedFile])


def memo() -> Path:
    """Return the path of the file with the records."""
    return home() / "weights" / "hashes.json"


def compare(path: Path, *, afresh: bool = False) -> tuple[HashedFile | None, HashedFile]:
    """Return the record of a file and its present state.

    Its bytes are read only if its size, times or inode differ from the record.

    Args:
        path: The file.
        afresh: Read the bytes in any case.

    Returns:
        The record from when the file was accepted, or None; and its present state.

    Raises:
        UnavailableError: The file cannot be read, or is being written.
    """
    was = recorded(path)
    return was, measure(path, None if afresh else was)


def recorded(path: Path) -> HashedFile | None:
    """Return the record of a file from when it was accepted, or None.

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
    """Return the present state of a file; `known` if size, times and inode are equal, otherwise its bytes are read.

    Args:
        path: The file.
        known: Its record.

    Raises:
        UnavailableError: The file cannot be read, or is being written.
    """
    try:
        with path.open("rb") as stream:
            before = os.fstat(stream.fileno())
            if known is not None and _entry(before, known.sha256) == known:
                return known
            if 0 <= time.time() - before.st_ctime < TICK:
                time.sleep(TICK)  # later changes must have another time
            measured = _entry(before, hashlib.file_digest(stream, "sha256").hexdigest())
            after = os.fstat(stream.fileno())
    except OSError as error:
        raise UnavailableError(f"weights {path.name} cannot be read: {error.strerror}") from error
    if _entry(after, measured.sha256) != measured:
        raise UnavailableError(f"weights {path.name} are being written just now; run again when that is done")
    return measured


def unchanged(path: Path, known: HashedFile) -> bool:
    """Return whether a file has the recorded size, times and inode.

    Args:
        path: The file.
        known: Its record.
    """
    try:
        return _entry(path.stat(), known.sha256) == known
    except OSError:
        return False


def verified(path: Path, sha256: str) -> None:
    """Record a file whose bytes were verified.

    Args:
        path: The file.
        sha256: Its hash, hex.
    """
    record(path, _entry(path.stat(), sha256))


@contextmanager
def loading(path: Path, sha256: str) -> Iterator[None]:
    """Hash a file while it is loaded in this context, and raise an error at its end if the hash differs.

    Args:
        path: The file.
        sha256: The expected hash, hex, which the run will record.

    Raises:
        ContractError: The hash differs: the file was replaced, or its bytes changed on the disk.
        UnavailableError: The file cannot be read, or was changed meanwhile.
    """
    with ThreadPoolExecutor(1) as pool:
        hashed = pool.submit(measure, path)
        yield
        loaded_file = hashed.result()
    if loaded_file.sha256 != sha256:
        record(path, HashedFile(size=-1, mtime_ns=0, inode=0, sha256=sha256))  # the next run reads it again
        raise ContractError(
            f"weights {path.name} are not the bytes that were recorded: their sha256 was {sha256[:12]}, what was "
            f"loaded has {loaded_file.sha256[:12]} ({path}); fetch the file again, or run with --accept-new-weights "
            "if the change is meant"
        )
    if not unchanged(path, loaded_file):
        raise UnavailableError(f"weights {path.name} were changed while they were loaded; run again")


def _entry(stat: os.stat_result, sha256: str) -> HashedFile:
    return HashedFile(
        size=stat.st_size, mtime_ns=stat.st_mtime_ns, ctime_ns=stat.st_ctime_ns, inode=stat.st_ino, sha256=sha256
    )


def record(path: Path, entry: HashedFile) -> None:
    """Record a file, unless the folder cannot be written.

    Args:
        path: The file.
        entry: Its present state.
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
    """Read the records, under the lock; a damaged file is renamed."""
    try:
        return _read()
    except ValidationError:
        aside = memo().with_suffix(".damaged")
        memo().replace(aside)
        say(f"{memo()} was damaged and is now {aside.name}: files count as not used before", err=True)
        return {}


def _alone(change: Callable[[], object]) -> None:
    from filelock import FileLock

    # OSError: a read-only cache or a full disk; NotImplementedError: a file system without locks
    with suppress(OSError, NotImplementedError):
        memo().parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{memo()}.lock"):
            change()


def _key(path: Path) -> str:
    return os.path.abspath(path)  # noqa: PTH100 - a link is recorded by its own name, not that of its target
