"""Recognises the format of a checkpoint file by its bytes, not by its name, and explains why others cannot be read."""

from __future__ import annotations

import contextlib
import json
import re
import struct
import zipfile
from typing import TYPE_CHECKING, Literal

from senbench.io import magic
from senbench.io.zip_member import INFLATION, SMALL

if TYPE_CHECKING:
    from pathlib import Path

Container = Literal["safetensors", "torchscript", "torch"]
FOREIGN = {
    b"\x89HDF\r\n\x1a\n": "an HDF5 file (Keras)",
    b"GGUF": "a GGUF file",
    b"\x93NUMPY": "a NumPy array",
    b"\x1f\x8b": "a gzip archive: unpack it",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive: unpack it",
    b"BZh": "a bzip2 archive: unpack it",
    b"\xfd7zXZ\x00": "an xz archive: unpack it",
    b"\xff\xd8\xff": "a JPEG image",
    b"\x89PNG": "a PNG image",
    b"%PDF": "a PDF document",
}
"""First bytes -> name of the foreign format."""


def kind(path: Path) -> Container:
    """Return how a checkpoint must be read.

    Args:
        path: The file.
    """
    if _is_safetensors(magic.head(path)):
        return "safetensors"
    return "torchscript" if any(name.endswith("/constants.pkl") for name in _members(path)) else "torch"


def fault(path: Path) -> str | None:
    """Return why a file is not a complete checkpoint, as far as this is known without reading it entirely.

    Args:
        path: The file.

    Returns:
        What the file is, and what to do; None if there is no objection.

    Raises:
        OSError: It cannot be read.
    """
    first = magic.head(path)
    if foreign_format := magic.foreign(path):
        return foreign_format
    if first.lstrip().startswith(b"{"):
        return _described(path)
    if _is_safetensors(first):
        return _short(path, first)
    if first.startswith(b"PK\x03\x04"):
        return _odd_zip(path)
    return next((what for start, what in FOREIGN.items() if first.startswith(start)), None)


def shard(path: Path) -> tuple[int, int] | None:
    """Return the part and the number of parts in a file's name, e.g. (1, 2); None for a whole checkpoint."""
    match = re.search(r"-(\d{5})-of-(\d{5})\.\w+$", path.name)
    return (int(match[1]), int(match[2])) if match and int(match[2]) > 1 else None


def _is_safetensors(first: bytes) -> bool:
    """Return whether the bytes are a length of 8 bytes and a JSON object of that length."""
    return len(first) > 9 and first[8:].lstrip(b" ")[:2] in (b'{"', b"{}") and 2 <= _header(first) < 1 << 30


def _header(first: bytes) -> int:
    return int(struct.unpack("<Q", first[:8])[0])


def _short(path: Path, first: bytes) -> str | None:
    """Describe how a safetensors file is shorter than its header states; other headers are left to the library."""
    size, length = path.stat().st_size, _header(first)
    end = length
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
        if size >= 8 + length:
            with path.open("rb") as stream:
                table = json.loads(stream.read(8 + length)[8:])
            end += max((value["data_offsets"][1] for key, value in table.items() if key != "__metadata__"), default=0)
    if size < 8 + end:
        return f"truncated: it has {size:,} bytes where its header announces {'at least ' * (end == length)}{8 + end:,}"
    return None


def _described(path: Path) -> str:
    """Describe a JSON file found next to checkpoints."""
    with contextlib.suppress(ValueError, RecursionError, AttributeError, TypeError):
        held = json.loads(path.read_bytes())
        if isinstance(held.get("weight_map"), dict):
            parts = sorted(set(map(str, held["weight_map"].values())))
            named = ", ".join(parts[:2]) + (", ..." if len(parts) > 2 else "")
            return f"the index of a checkpoint in {len(parts)} files ({named}): senbench reads one file; {MERGE}"
    return "a JSON file, which describes a model and contains no weights: give the file of the weights"


MERGE = "load all of them, and save their state dict as one .safetensors file"
"""What to do with a checkpoint in several files."""


def _odd_zip(path: Path) -> str | None:
    size = path.stat().st_size
    try:
        with zipfile.ZipFile(path) as archive:
            held = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error, EOFError) as error:
        return f"truncated or damaged: the directory at the end of the archive of {size:,} bytes is missing ({error})"
    if (whole := sum(info.file_size for info in held)) > max(SMALL, INFLATION * size):
        largest = max(held, key=lambda info: info.file_size)
        return (
            f"not a plausible checkpoint: {size:,} bytes that unpack to {whole:,} ({largest.filename!a} alone to "
            f"{largest.file_size:,}), and weights hardly compress; nothing of it was unpacked"
        )
    names = [info.filename for info in held if not info.is_dir()]
    if not any(name.endswith(("data.pkl", "constants.pkl")) for name in names):
        some = ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")
        return f"a zip that holds {some or 'nothing'}: unpack it, and give the checkpoint in it"
    return None


def _members(path: Path) -> list[str]:
    with contextlib.suppress(Exception), zipfile.ZipFile(path) as archive:
        return archive.namelist()
    return []  # torch's reader will report a damaged directory
