"""Where encoded tiles lie: a folder, or a zip read in place. Both hand out bytes by member name."""

from __future__ import annotations

import hashlib
import os
import re
import struct
import weakref
import zipfile
import zlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from senbench.datasets.tiles import OR_SKIP, Reader, TileError
from senbench.errors import UnavailableError
from senbench.io.zip_member import is_bomb
from senbench.runtime.paths import base_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    Places = Callable[[Sequence[int]], list[str]]
    """Positions of tiles -> the spatial cluster of each."""

SIDECARS = (".msk", ".aux.xml")
"""What GDAL keeps beside a tile under its whole name: its mask; names of bands, scale, offset and no data."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_DEFLATED_MORE = 512
"""Bytes by which deflated data can be longer than what comes out of them, at the most, for heads of some kilobytes."""
_JUNK = re.compile(r"(?:\A|/)(?:\.[^/]|(?:__MACOSX|Thumbs\.db|desktop\.ini)(?:/|\Z))")
_UNSAFE = re.compile(r"\A(?:\Z|[/\\]|[^/\\]*:)|(?:\A|[/\\])\.\.(?:[/\\]|\Z)")
_SUSPECT = ("\n\n", "\n/", "\n.", "/.", "\\", ":", "__MACOSX", "Thumbs.db", "desktop.ini")
"""One of them is in the lines of all names if one of these is junk or unsafe: most archives have none, and looking at
tens of thousands of names one by one takes a twentieth of a cached run."""


class Source(Protocol):
    """Named byte strings, read by any number of threads at once."""

    title: str
    """What it is, for results and messages; no absolute path."""
    names: tuple[str, ...]
    """Relative names with forward slashes."""
    sidecars: Mapping[str, str] = MappingProxyType({})
    """Those that end in one of `SIDECARS`, by themselves in lower case; nearly no source has one."""

    def read(self, name: str) -> bytes:
        """Bytes of a member; raises TileError."""

    def head(self, name: str, size: int) -> bytes:
        """The first bytes of a member, unverified, for what a file tells of itself; raises TileError."""
        return self.read(name)[:size]

    def key(self, name: str) -> bytes:
        """Content key: equal keys, equal bytes; blake2b-128 of the bytes if nothing is cheaper; raises TileError."""
        return hashlib.blake2b(self.read(name), digest_size=16).digest()

    def stamp(self, names: Iterable[str]) -> str | None:
        """Text that changes when one of the members changes, without reading them; None if there is none."""
        return None

    def beside(self, name: str) -> tuple[str, ...]:
        """Members that belong to a member and say something about its pixels: those with `SIDECARS`."""
        if not self.sidecars:
            return ()
        wanted = (f"{name}{suffix}".lower() for suffix in SIDECARS)
        return tuple(self.sidecars[other] for other in wanted if other in self.sidecars)


class TileFile(NamedTuple):
    """The bytes of a tile."""

    data: bytes
    """The file itself."""
    beside: Mapping[str, bytes] = MappingProxyType({})
    """Suffix of `SIDECARS` -> the file that lies beside it."""


def tile_file(source: Source, name: str) -> TileFile:
    """A member with what lies beside it; raises TileError."""
    data = source.read(name)
    if not (beside := source.beside(name)):
        return TileFile(data)
    return TileFile(data, {other[len(name) :].lower(): source.read(other) for other in beside})


class MemberReader(Reader):
    """Content keys and stamps of tiles that are members of a source; a dataset adds what it makes of their bytes.

    Args:
        source: The folder or archive.
        names: Member of each tile.
        places: Tile by tile, their spatial clusters, where something else than the files tells them.
    """

    def __init__(self, source: Source, names: tuple[str, ...], places: Places | None = None) -> None:
        self.source = source
        self.names = names
        self.places = places
        if places is not None:
            self.located = True

    def locate(self, indices: Sequence[int]) -> list[str]:
        """Spatial cluster of each tile, where `places` has them."""
        if self.places is None:
            raise NotImplementedError
        return self.places(indices)

    def title(self, i: int) -> str:
        """Name of a tile and its source, for messages."""
        return f"{self.names[i]} in {self.source.title}"

    def beginning(self, i: int, size: int) -> bytes | None:
        """First bytes of the tile's file."""
        name = self.names[i]
        return self.source.read(name) if size < 0 else self.source.head(name, size)

    def file(self, i: int) -> TileFile:
        """Bytes of a tile and of what lies beside it; raises TileError."""
        return tile_file(self.source, self.names[i])

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Content key of the member and of what lies beside it, whatever is read of them."""
        name = self.names[i]
        if not (beside := self.source.beside(name)):
            return self.source.key(name)
        return hashlib.blake2b(b"\0".join(map(self.source.key, (name, *beside))), digest_size=16).digest()

    def stamp(self, indices: Sequence[int], names: tuple[str, ...]) -> str | None:
        """State of the members of these tiles and of what lies beside them."""
        members = [self.names[i] for i in indices]
        return self.source.stamp([*members, *(other for name in members for other in self.source.beside(name))])


class Folder(Source):
    """The files of a folder and of its direct subfolders.

    Args:
        root: The folder.
        title: Name for people; by default the folder's name with a slash.

    Raises:
        UnavailableError: The folder cannot be listed.
    """

    def __init__(self, root: Path, title: str | None = None) -> None:
        self.title = title or f"{base_name(str(root.resolve()))}/"
        self.root = root
        names: list[str] = []
        try:
            for entry in os.scandir(root):
                if entry.is_dir():
                    names += [f"{entry.name}/{name}" for name in os.listdir(entry.path)]  # noqa: PTH208
                else:
                    names.append(entry.name)
        except OSError as error:
            raise UnavailableError(f"{error.filename}: cannot be listed: {error.strerror}") from error
        self.names = tuple(sorted(n for n in names if not is_junk(n)))
        self.sidecars = _sidecars(self.names)

    def read(self, name: str) -> bytes:
        """Bytes of a file; raises TileError."""
        return self.head(name, -1)

    def head(self, name: str, size: int) -> bytes:
        """First bytes of a file; raises TileError."""
        try:
            with (self.root / name).open("rb") as stream:
                return stream.read(size)
        except OSError as error:
            raise TileError(f"tile {name} in {self.title}: {error.strerror}; {OR_SKIP}") from error

    def stamp(self, names: Iterable[str]) -> str:
        """sha256 over size and time of the files."""
        return stamp(f"{self.root}/{name}" for name in names)


class NamedFiles(Folder):
    """Files that a list names, wherever they lie below or beside a folder.

    Args:
        root: The folder that their names are relative to.
        names: The files, with forward slashes; they need not be there.
        title: Name for people.
    """

    def __init__(self, root: Path, names: tuple[str, ...], title: str) -> None:
        self.root, self.names, self.title = root, names, title
        parents = dict.fromkeys(name.rpartition("/")[0] for name in names)
        every = [f"{parent}/{name}" if parent else name for parent in parents for name in _beside(root / parent)]
        self.sidecars = _sidecars(every)


def _beside(folder: Path) -> list[str]:
    """Names in a folder that end in one of `SIDECARS`; none where it cannot be listed, which its files will tell."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - hundreds of thousands of names
    except OSError:
        return []
    return list(_sidecars(names).values())


class Member(NamedTuple):
    """One file of an archive: small, so that an archive can be sent to other processes."""

    method: int
    """`zipfile.ZIP_STORED` or `zipfile.ZIP_DEFLATED`."""
    crc: int
    """CRC-32 of its bytes."""
    packed: int
    """Bytes in the archive."""
    size: int
    """Bytes unpacked."""
    offset: int
    """Where its local header begins."""


class Archive(Source):
    """A zip file read in place: nothing is unpacked, and the directory is read once.

    Members are read with positioned reads on one descriptor, so threads share it without a lock; sizes
    and CRC-32 of every member are verified.

    Args:
        path: The zip file.
        fetch_again: The command that replaces a damaged file, for messages.

    Raises:
        UnavailableError: Not a zip file, truncated, encrypted, or with names that leave the folder.
    """

    def __init__(self, path: Path, fetch_again: str) -> None:
        self.title = path.name
        self._path = path.resolve()
        try:
            with zipfile.ZipFile(path) as archive:
                found = [info for info in archive.infolist() if not info.is_dir()]
            self._open()
        except (zipfile.BadZipFile, struct.error, NotImplementedError, ValueError) as error:
            size = path.stat().st_size
            raise UnavailableError(
                f"{path}: no complete zip file ({size:,} bytes: {error}); delete it and {fetch_again}"
            ) from error
        except OSError as error:
            raise UnavailableError(f"{path}: cannot be read: {error.strerror or error}") from error
        for info in found:
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UnavailableError(
                    f"{path}: member {info.filename} is encrypted or packed by method {info.compress_type}; "
                    f"repack it, or {fetch_again}"
                )
        names = "\n".join(["", *(info.filename for info in found), ""])
        if any(piece in names for piece in _SUSPECT):
            if leaving := [info.filename for info in found if unsafe(info.filename)]:
                raise UnavailableError(f"{path}: refused, member {leaving[0]!r} points outside the archive")
            for info in found:  # as some archivers of Windows write them
                info.filename = info.filename.replace("\\", "/")
            found = [info for info in found if not info.filename.endswith("/") and not is_junk(info.filename)]
        self._members = {
            i.filename: Member(i.compress_type, i.CRC, i.compress_size, i.file_size, i.header_offset) for i in found
        }
        self.names = tuple(self._members)
        self.sidecars = _sidecars(self.names)

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._fd)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_fd"}

    def __setstate__(self, state: dict[str, Any]) -> None:  # another process opens the file anew
        vars(self).update(state)
        self._open()

    def read(self, name: str) -> bytes:
        """Bytes of a member, verified; raises TileError."""
        member = self._members[name]
        if is_bomb(member.packed, member.size):
            raise TileError(
                f"tile {name} in {self.title}: takes {member.packed:,} bytes and would unpack to {member.size:,}; "
                f"{OR_SKIP}"
            )
        data = self._begin(name, member.packed, member.size + 1)
        if len(data) != member.size or zlib.crc32(data) != member.crc:
            raise TileError(f"tile {name} in {self.title}: damaged (its CRC-32 does not fit); {OR_SKIP}")
        return data

    def head(self, name: str, size: int) -> bytes:
        """First bytes of a member, unverified; raises TileError."""
        return self._begin(name, size + _DEFLATED_MORE, size)

    def _begin(self, name: str, packed: int, size: int) -> bytes:
        """At most `size` bytes of a member, unpacked from at most `packed`."""
        member = self._members[name]
        # the local header repeats the name, and its extra field may be longer than the directory's
        header = os.pread(self._fd, _LOCAL_HEADER.size, member.offset)
        if len(header) < _LOCAL_HEADER.size or header[:4] != b"PK\x03\x04":
            raise TileError(f"tile {name} in {self.title}: the archive is damaged here; {OR_SKIP}")
        _, name_length, extra_length = _LOCAL_HEADER.unpack(header)
        offset = member.offset + _LOCAL_HEADER.size + name_length + extra_length
        data = os.pread(self._fd, min(packed, member.packed), offset)
        if member.method == zipfile.ZIP_STORED:
            return data[:size]
        try:
            return zlib.decompressobj(-15).decompress(data, size)
        except zlib.error as error:
            raise TileError(f"tile {name} in {self.title}: damaged ({error}); {OR_SKIP}") from error

    def key(self, name: str) -> bytes:
        """CRC-32, size and base name from the archive's directory: no tile is read."""
        member = self._members[name]
        return f"{member.crc:08x}-{member.size}-{name.rpartition('/')[2]}".encode()

    def stamp(self, names: Iterable[str]) -> str:
        """sha256 over the members' names, CRC-32 and sizes: the directory tells more than file times do."""
        return hashlib.sha256(b"\n".join(name.encode() + b" " + self.key(name) for name in names)).hexdigest()


def stamp(paths: Iterable[str]) -> str:
    """sha256 over size and time of files, none of which is opened.

    Args:
        paths: The files; one that is not there counts as such.
    """
    found: list[int] = []
    for path in paths:
        try:
            state = os.stat(path)  # noqa: PTH116 - half the time, for hundreds of thousands of files
            found += (state.st_size, state.st_mtime_ns)
        except OSError:
            found.append(-1)
    return hashlib.sha256(repr(found).encode()).hexdigest()


def _sidecars(names: Sequence[str]) -> dict[str, str]:
    """Names that end in one of `SIDECARS`, by themselves in lower case."""
    every = "\n".join(names).lower()  # nearly no source has one: not name by name
    if not any(suffix in every for suffix in SIDECARS):
        return {}
    return {name.lower(): name for name in names if name.lower().endswith(SIDECARS)}


def file_of(folder: Path, names: Sequence[str]) -> Path | None:
    """The first of some files that is in a folder, by its name in capitals or not; None if none is."""
    here = {path.name.lower(): path for path in sorted(folder.glob("*")) if path.is_file()}
    return next((here[name.lower()] for name in names if name.lower() in here), None)


def is_junk(name: str) -> bool:
    """True for what operating systems leave behind: hidden files, `__MACOSX`, `Thumbs.db`."""
    return _JUNK.search(name) is not None


def unsafe(name: str) -> bool:
    """True if a member name is absolute or climbs out of its folder, on any operating system."""
    return _UNSAFE.search(name) is not None
