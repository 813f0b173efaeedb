"""Unpacks a tar.gz, whole or in parts, as a stream: safely, resumably, and without joining the parts first."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from typing import IO, TYPE_CHECKING

from senbench.datasets.readers.sources import unsafe
from senbench.errors import UnavailableError

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Sequence
    from pathlib import Path

LARGEST = 1 << 20
"""Size in bytes of the largest accepted member; a band has 30 kB."""


class Joined(io.RawIOBase):
    """The parts of a split file as one stream.

    Args:
        parts: The parts in order.
        keep: False deletes each part once the next one is started, to make space for its content.
    """

    def __init__(self, parts: Sequence[Path], *, keep: bool) -> None:
        self._parts = list(parts)
        self._keep = keep
        self._open: IO[bytes] | None = None
        self.consumed = 0
        """Bytes read so far."""

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Read the next bytes; 0 at the end of the last part."""
        while self._parts:
            self._open = self._open or self._parts[0].open("rb", buffering=0)
            if n := self._open.readinto(buffer):  # type: ignore[attr-defined]
                self.consumed += n
                return int(n)
            self._open.close()
            self._open = None
            done = self._parts.pop(0)
            if not self._keep and self._parts:
                done.unlink()
        return 0

    def close(self) -> None:
        """Close the open part without deleting it."""
        if self._open is not None:
            self._open.close()
        super().close()


def unpack(
    parts: Sequence[Path],
    dest: Path,
    *,
    wanted: re.Pattern[str],
    title: str,
    keep: bool,
    advance: Callable[[int, int], None] | None = None,
) -> int:
    """Unpack the members with the wanted names.

    Existing files of the full size are not written again, so that an interrupted call can be repeated.

    Args:
        parts: The archive, or its parts in order, with checked md5.
        dest: Folder to unpack into.
        wanted: Full names of the members to unpack, without a leading `./`; others are skipped.
        title: Description, for messages.
        keep: See `Joined`; the last part is always kept.
        advance: Called after each member with the number of members unpacked and of bytes read so far.

    Returns:
        Number of members with a wanted name.

    Raises:
        UnavailableError: The archive is damaged, or contains a link, a device, a name that leaves the folder, or a
            member that is too large; nothing of that member is written.
        OSError: The disk cannot be written.
    """
    n_unpacked = 0
    folder: Path | None = None
    source = Joined(parts, keep=keep)
    try:
        with (
            gzip.GzipFile(fileobj=io.BufferedReader(source, LARGEST)) as plain,
            tarfile.open(fileobj=plain, mode="r|", bufsize=LARGEST) as tar,
        ):
            while (member := tar.next()) is not None:
                tar.members = []  # type: ignore[attr-defined]  # six million entries would fill the memory
                name = member.name.removeprefix("./")
                _refuse(member, name, title)
                if not member.isreg() or wanted.fullmatch(name) is None:
                    continue
                if member.size > LARGEST:
                    raise UnavailableError(f"{title}: refused, member {name} announces {member.size:,} bytes")
                path = dest / name
                if path.parent != folder:
                    folder = path.parent
                    folder.mkdir(parents=True, exist_ok=True)
                if not (path.is_file() and path.stat().st_size == member.size):
                    stream = tar.extractfile(member)
                    path.write_bytes(b"" if stream is None else stream.read())
                n_unpacked += 1
                if advance is not None:
                    advance(n_unpacked, source.consumed)
            while plain.read(LARGEST):  # the checksum is at the end
                pass
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise UnavailableError(
            f"{title}: the archive is damaged after {source.consumed:,} bytes ({error}); delete "
            f"{', '.join(p.name for p in parts)} in {parts[0].parent} and run again"
        ) from error
    finally:
        source.close()
    return n_unpacked


def _refuse(member: tarfile.TarInfo, name: str, title: str) -> None:
    if unsafe(name) and name != "":
        raise UnavailableError(f"{title}: refused, member {member.name!r} points outside the archive")
    if not (member.isreg() or member.isdir()):
        raise UnavailableError(f"{title}: refused, member {member.name!r} is a link or a device")
