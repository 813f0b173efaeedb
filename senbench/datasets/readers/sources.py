"""Sources of encoded tiles: a folder, or a zip read in place; both return bytes by member name."""

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
"""Suffixes of GDAL's sidecar files, appended to a tile's name: mask; band names, scale, offset and no data."""
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_DEFLATED_MORE = 512
"""Most bytes by which deflated data can exceed its content, for some kilobytes."""
_JUNK = re.compile(r"(?:\A|/)(?:\.[^/]|(?:__MACOSX|Thumbs\.db|desktop\.ini)(?:/|\Z))")
_UNSAFE = re.compile(r"\A(?:\Z|[/\\]|[^/\\]*:)|(?:\A|[/\\])\.\.(?:[/\\]|\Z)")
_SUSPECT = ("\n\n", "\n/", "\n.", "/.", "\\", ":", "__MACOSX", "Thumbs.db", "desktop.ini")
"""Substrings that occur in every junk or unsafe name. Most archives contain none of them, and checking tens of
thousands of names one by one would take 5 % of a cached run."""


class Source(Protocol):
    """Named byte strings; thread-safe."""

    title: str
    """Description for results and messages, without an absolute path."""
    names: tuple[str, ...]
    """Relative names with forward slashes."""
    sidecars: Mapping[str, str] = MappingProxyType({})
    """Names that end in one of `SIDECARS`, by their lower-case form; almost no source has any."""

    def read(self, name: str) -> bytes:
        """Return the bytes of a member; raises TileError."""

    def head(self, name: str, size: int) -> bytes:
        """Return the first bytes of a member, unverified, to read its header; raises TileError."""
        return self.read(name)[:size]

    def key(self, name: str) -> bytes:
        """Return the content key: equal keys mean equal bytes; blake2b-128 if nothing is cheaper; raises TileError."""
        return hashlib.blake2b(self.read(name), digest_size=16).digest()

    def stamp(self, names: Iterable[str]) -> str | None:
        """Return a text that changes when a member changes, without reading the members, or None."""
        return None

    def beside(self, name: str) -> tuple[str, ...]:
        """Return the sidecar files of a member, which affect its pixels."""
        if not self.sidecars:
            return ()
        wanted = (f"{name}{suffix}".lower() for suffix in SIDECARS)
        return tuple(self.sidecars[other] for other in wanted if other in self.sidecars)


class TileFile(NamedTuple):
    """The bytes of a tile."""

    data: bytes
    """The file itself."""
    beside: Mapping[str, bytes] = MappingProxyType({})
    """Suffix of `SIDECARS` -> the sidecar file."""


def tile_file(source: Source, name: str) -> TileFile:
    """Read a member with its sidecar files; raises TileError."""
    data = source.read(name)
    if not (beside := source.beside(name)):
        return TileFile(data)
    return TileFile(data, {other[len(name) :].lower(): source.read(other) for other in beside})


class MemberReader(Reader):
    """Base of readers whose tiles are members of a source: content keys and stamps; datasets add the decoding.

    Args:
        source: The folder or archive.
        names: Member of each tile.
        places: Returns the spatial clusters of tiles, if they are not stored in the files.
    """

    def __init__(self, source: Source, names: tuple[str, ...], places: Places | None = None) -> None:
        self.source = source
        self.names = names
        self.places = places
        if places is not None:
            self.located = True

    def locate(self, indices: Sequence[int]) -> list[str]:
        """Return the spatial cluster of each tile from `places`."""
        if self.places is None:
            raise NotImplementedError
        return self.places(indices)

    def title(self, i: int) -> str:
        """Return the name of a tile and its source, for messages."""
        return f"{self.names[i]} in {self.source.title}"

    def beginning(self, i: int, size: int) -> bytes | None:
        """First bytes of the tile's file."""
        name = self.names[i]
        return self.source.read(name) if size < 0 else self.source.head(name, size)

    def file(self, i: int) -> TileFile:
        """Read a tile with its sidecar files; raises TileError."""
        return tile_file(self.source, self.names[i])

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Return the content key of the member and its sidecar files, for any bands."""
        name = self.names[i]
        if not (beside := self.source.beside(name)):
            return self.source.key(name)
        return hashlib.blake2b(b"\0".join(map(self.source.key, (name, *beside))), digest_size=16).digest()

    def stamp(self, indices: Sequence[int], names: tuple[str, ...]) -> str | None:
        """Return the state of the members of these tiles and of their sidecar files."""
        members = [self.names[i] for i in indices]
        return self.source.stamp([*members, *(other for name in members for other in self.source.beside(name))])


class Folder(Source):
    """The files of a folder and of its direct subfolders.

    Args:
        root: The folder.
        title: Display name; by default the folder's name with a slash.

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
        """Return the sha256 over sizes and times of the files."""
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
    """One file of an archive; small, so that an archive can be sent to other processes."""

    method: int
    """`zipfile.ZIP_STORED` or `zipfile.ZIP_DEFLATED`."""
    crc: int
    """CRC-32 of its bytes."""
    packed: int
    """Bytes in the archive."""
    size: int
    """Bytes unpacked."""
    offset: int
    """Offset of its local header."""


class Archive(Source):
    """A zip file read in place: nothing is unpacked, and the directory is read once.

    Members are read with positioned reads on one descriptor, so that threads share it without a lock; size and
    CRC-32 of every member are verified.

    Args:
        path: The zip file.
        fetch_again: The command that replaces a damaged file, for messages.

    Raises:
        UnavailableError: The file is not a zip, is truncated or encrypted, or has names that leave the folder.
    """

    def __init__(self, path: Path, fetch_again: str) -> None:
        self.title = path.name
        self._path = path.resolve()
        try:
            with zipfile.ZipFile(path) as archive:
                members = [info for info in archive.infolist() if not info.is_dir()]
            self._open()
        except (zipfile.BadZipFile, struct.error, NotImplementedError, ValueError) as error:
            size = path.stat().st_size
            raise UnavailableError(
                f"{path}: no complete zip file ({size:,} bytes: {error}); delete it and {fetch_again}"
            ) from error
        except OSError as error:
            raise UnavailableError(f"{path}: cannot be read: {error.strerror or error}") from error
        for info in members:
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise UnavailableError(
                    f"{path}: member {info.filename} is encrypted or packed by method {info.compress_type}; "
                    f"repack it, or {fetch_again}"
                )
        names = "\n".join(["", *(info.filename for info in members), ""])
        if any(piece in names for piece in _SUSPECT):
            if leaving := [info.filename for info in members if unsafe(info.filename)]:
                raise UnavailableError(f"{path}: refused, member {leaving[0]!r} points outside the archive")
            for info in members:  # as written by some archivers on Windows
                info.filename = info.filename.replace("\\", "/")
            members = [info for info in members if not info.filename.endswith("/") and not is_junk(info.filename)]
        self._members = {
            i.filename: Member(i.compress_type, i.CRC, i.compress_size, i.file_size, i.header_offset) for i in members
        }
        self.names = tuple(self._members)
        self.sidecars = _sidecars(self.names)

    def _open(self) -> None:
        self._fd = os.open(self._path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._fd)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_fd"}

    def __setstate__(self, state: dict[str, Any]) -> None:  # another process opens the file again
        vars(self).update(state)
        self._open()

    def read(self, name: str) -> bytes:
        """Return the verified bytes of a member; raises TileError."""
        member = self._members[name]
        if is_bomb(member.packed, member.size):
            raise TileError(
                f"tile {name} in {self.title}: takes {member.packed:,} bytes and would unpack to {member.size:,}; "
                f"{OR_SKIP}"
            )
        data = self._begin(name, member.packed, member.size + 1)
        if len(data) != member.size or zlib.crc32(data) != member.crc:
            raise TileError(f"tile {name} in {self.title}: damaged (its CRC-32 does not match); {OR_SKIP}")
        return data

    def head(self, name: str, size: int) -> bytes:
        """Return the first bytes of a member, unverified; raises TileError."""
        return self._begin(name, size + _DEFLATED_MORE, size)

    def _begin(self, name: str, packed: int, size: int) -> bytes:
        """Unpack at most `size` bytes of a member from at most `packed` bytes."""
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
        """Return CRC-32, size and base name from the archive's directory, without reading the tile."""
        member = self._members[name]
        return f"{member.crc:08x}-{member.size}-{name.rpartition('/')[2]}".encode()

    def stamp(self, names: Iterable[str]) -> str:
        """Return the sha256 over the members' names, CRC-32 and sizes, which are more reliable than file times."""
        return hashlib.sha256(b"\n".join(name.encode() + b" " + self.key(name) for name in names)).hexdigest()


def stamp(paths: Iterable[str]) -> str:
    """Return the sha256 over sizes and times of files without opening them.

    Args:
        paths: The files; a missing one is included as missing.
    """
    state_numbers: list[int] = []
    for path in paths:
        try:
            state = os.stat(path)  # noqa: PTH116 - half the time, for hundreds of thousands of files
            state_numbers += (state.st_size, state.st_mtime_ns)
        except OSError:
            state_numbers.append(-1)
    return hashlib.sha256(repr(state_numbers).encode()).hexdigest()


def _sidecars(names: Sequence[str]) -> dict[str, str]:
    """Names that end in one of `SIDECARS`, by themselves in lower case."""
    every = "\n".join(names).lower()  # nearly no source has one: not name by name
    if not any(suffix in every for suffix in SIDECARS):
        return {}
    return {name.lower(): name for name in names if name.lower().endswith(SIDECARS)}


def file_of(folder: Path, names: Sequence[str]) -> Path | None:
    """Return the first of some files that exists in a folder, ignoring case, or None."""
    here = {path.name.lower(): path for path in sorted(folder.glob("*")) if path.is_file()}
    return next((here[name.lower()] for name in names if name.lower() in here), None)


def is_junk(name: str) -> bool:
    """Return whether a file was created by the operating system: hidden files, `__MACOSX`, `Thumbs.db`."""
    return _JUNK.search(name) is not None


def unsafe(name: str) -> bool:
    """Return whether a member name is absolute or leaves its folder, on any operating system."""
    return _UNSAFE.search(name) is not None
