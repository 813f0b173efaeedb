"""Unpacks one member of an untrusted zip: by its exact name, no larger than stated, with its CRC-32 checked."""

from __future__ import annotations

import shutil
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

from senbench.errors import UnavailableError

if TYPE_CHECKING:
    from pathlib import Path

INFLATION = 4
"""Most bytes that a zip of weights may unpack to, per byte of the file; floats hardly compress."""
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Accepted compression methods; the others unpack blocks of any size, whatever size is requested."""
INFLATED = 200
"""Most unpacked bytes of a member per compressed byte; weights, embeddings and images stay below 10."""
SMALL = 1 << 26
"""Unpacked size in bytes that is always accepted."""


def is_bomb(packed: int, size: int) -> bool:
    """Return True for a member that unpacks to far more than weights, embeddings or images of its packed size do.

    Args:
        packed: Bytes in the archive.
        size: Bytes unpacked.
    """
    return size > max(SMALL, INFLATED * packed)


def member(archive: Path, name: str, title: str) -> Path:
    """Unpack one member beside its archive.

    No name inside the archive is used as a path, and no more bytes are written than the zip directory states, so
    that neither a name with `..` nor a zip bomb does harm.

    Args:
        archive: The zip.
        name: The member.
        title: The file and its source, for messages.

    Returns:
        A temporary file with the member's bytes, to be renamed by the caller.

    Raises:
        UnavailableError: The member is missing, encrypted, compressed by another method than deflate, larger than
            weights in such a zip can be or than the free space; or the archive is damaged, in which case it is deleted.
        OSError: The disk cannot be written.
    """
    part = archive.with_name(f"{archive.name}.unpacking")
    try:
        with zipfile.ZipFile(archive) as zipped:
            info = _checked_member(zipped, name, title, archive)
            with zipped.open(info) as source, part.open("wb") as sink:
                shutil.copyfileobj(source, sink, 1 << 20)
        if (size := part.stat().st_size) != info.file_size:
            raise zipfile.BadZipFile(f"{name} has {size:,} bytes, its directory says {info.file_size:,}")
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError) as error:
        part.unlink(missing_ok=True)
        archive.unlink()
        raise UnavailableError(f"{title}: the zip is damaged ({error}); it was deleted, run again") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return part


def _checked_member(zipped: zipfile.ZipFile, name: str, title: str, archive: Path) -> zipfile.ZipInfo:
    names = [info.filename for info in zipped.infolist() if not info.is_dir()]
    if name not in names:
        held = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
        raise UnavailableError(
            f"{title}: no member {name!r} in the zip, which holds {held or 'nothing'}; correct the card, "
            f"or delete {archive} to fetch it again"
        )
    info = zipped.getinfo(name)
    if info.flag_bits & 1 or info.compress_type not in READABLE:
        obstacle = "encrypted" if info.flag_bits & 1 else f"packed by method {info.compress_type}"
        raise UnavailableError(f"{title}: member {name!r} of {archive} is {obstacle}; unpack it by hand")
    if info.file_size > max(SMALL, INFLATION * (packed := archive.stat().st_size)):
        raise UnavailableError(
            f"{title}: member {name!r} unpacks to {info.file_size:,} bytes from a zip of {packed:,}, and weights "
            f"hardly compress: it was not unpacked; delete {archive} and look for the file elsewhere"
        )
    if (free := shutil.disk_usage(archive.parent).free) < info.file_size:
        raise UnavailableError(
            f"{title}: member {name!r} has {info.file_size / 1e9:.2f} GB unpacked, {archive.parent} has "
            f"{free / 1e9:.2f} GB free; make room or set SENBENCH_HOME to another disk"
        )
    return info
