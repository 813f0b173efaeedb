"""Content-addressed store of embeddings in shards, each of which is written atomically."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
import zlib
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from senbench.embedding.cache_key import KEY_BYTES, store_key
from senbench.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SETTINGS = "settings.json"
"""Name of the file with the settings of a store; its modification time is that of the last use."""
SHARDS = "*.safetensors"


class Store:
    """Embeddings of one model under one preprocessing: key -> unit-length float32 row.

    Every shard is one safetensors file, written under a temporary name and renamed, so that a killed run leaves
    only complete shards and concurrent writers do not collide. A shard whose checksum does not match its rows, or
    that belongs to another store (other weights, another precision), is ignored and listed in `damaged`; the shards
    written by this object are listed in `written`. A read-only store can still be read: new rows then stay in
    memory, and `keeps` is False.
    """

    def __init__(self, folder: Path | None, dim: int, settings: dict[str, Any] | None, *, read: bool = True) -> None:
        """Open (or prepare) a store.

        Args:
            folder: Parent folder; None keeps rows in memory only.
            dim: Embedding dimension.
            settings: Everything that determines the embeddings; its hash names the store's folder. None if that is
                not known for certain, in which case rows are kept in memory only.
            read: False only writes, without reading existing rows.
        """
        self.dim = dim
        self.settings = settings or {}
        self.folder = None if folder is None or settings is None else folder / store_key(settings)[:32]
        self.keeps = self.folder is not None and _writable(self.folder)
        self.damaged: list[str] = []
        self.written: list[str] = []
        self._index: dict[bytes, int] = {}
        self._blocks: list[NDArray[np.float32]] = []
        self._starts: list[int] = []
        if read and self.folder is not None and self.folder.is_dir():
            with contextlib.suppress(OSError):  # a shared cache may be read-only
                self._tell()
                os.utime(self.folder / SETTINGS)
            for path in sorted(self.folder.glob(SHARDS)):
                self._load(path)

    def read(self, names: Sequence[str]) -> None:
        """Read shards that another process wrote since this store was opened.

        Args:
            names: Their names, as in `written`; missing or damaged shards are listed in `damaged`.
        """
        if self.folder is not None:
            for name in names:
                self._load(self.folder / name)

    def __contains__(self, key: bytes) -> bool:
        return key in self._index

    def __len__(self) -> int:
        return len(self._index)

    def missing(self, keys: Iterable[bytes | None]) -> dict[bytes, int]:
        """Return the first position of each key without a row, in order; a key of None is skipped."""
        first: dict[bytes, int] = {}
        for i, key in enumerate(keys):
            if key is not None and key not in self._index:
                first.setdefault(key, i)
        return first

    def rows(self, keys: Sequence[bytes], *, last: bool = False) -> NDArray[np.float32]:
        """Rows of the given keys, all of which must be present.

        Args:
            keys: N row keys.
            last: Free each block of rows after copying it, so that no rows are in memory twice; the store in memory is
                empty afterwards, its files remain.

        Returns:
            float32 (N, D).
        """
        out = np.empty((len(keys), self.dim), np.float32)
        if not len(keys):
            return out
        positions = np.array([self._index[key] for key in keys])
        block = np.searchsorted(self._starts, positions, side="right") - 1
        for b, rows in enumerate(self._blocks):
            here = np.flatnonzero(block == b)
            out[here] = rows[positions[here] - self._starts[b]]
            if last:
                self._blocks[b] = out[:0]
        if last:
            self._index, self._blocks, self._starts = {}, [], []
        return out

    def add(self, keys: Sequence[bytes], rows: NDArray[np.float32]) -> None:
        """Add new rows as one shard.

        Args:
            keys: N row keys of 16 bytes.
            rows: float32 (N, D).

        Raises:
            UnavailableError: The cache folder cannot be written.
        """
        if not len(keys):
            return
        rows = np.ascontiguousarray(rows, np.float32)
        self._append(list(keys), rows)
        if self.folder is None or not self.keeps:
            return
        from safetensors.numpy import save

        table = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), KEY_BYTES)
        check = zlib.crc32(rows.data, zlib.crc32(table.data))
        data = save({"keys": table, "rows": rows}, metadata={"crc32": str(check), "store": self.folder.name})
        name = f"{secrets.token_hex(8)}.safetensors"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._tell()
            _write(self.folder / name, data)
            self.written.append(name)
        except OSError as error:
            remedy = "free space there, set" if error.errno == errno.ENOSPC else "make it writable, set"
            raise UnavailableError(
                f"cache folder {self.folder} cannot be written ({error.strerror}); {remedy} "
                f"SENBENCH_HOME to a writable folder, or run with --no-cache"
            ) from error

    def _tell(self) -> None:
        """Write the file of settings unless it exists."""
        about, text = cast("Path", self.folder) / SETTINGS, json.dumps(self.settings, indent=1, sort_keys=True).encode()
        if not about.is_file() or about.read_bytes() != text:
            _write(about, text)

    def _load(self, path: Path) -> None:
        """Read a shard; remove a damaged one, so that it is reported once and its rows are computed again."""
        shard = read_shard(path)
        if shard is None or shard[1].shape[1] != self.dim:
            self.damaged.append(path.name)
            with contextlib.suppress(OSError):  # a shared cache may be read-only
                path.read_bytes()  # an unreadable shard may be intact, and is not removed
                path.unlink()
        else:
            self._append(*shard)

    def _append(self, keys: list[bytes], rows: NDArray[np.float32]) -> None:
        start = self._starts[-1] + len(self._blocks[-1]) if self._blocks else 0
        self._starts.append(start)
        self._blocks.append(rows)
        self._index.update(zip(keys, range(start, start + len(keys)), strict=True))


def read_shard(path: Path) -> tuple[list[bytes], NDArray[np.float32]] | None:
    """Return the keys and rows of a shard, float32 (N, D); None if it is damaged, of another store, or unreadable.

    A shard names the store for which it was written, which must be that of its folder; older shards name none.
    """
    from safetensors import SafetensorError, safe_open

    with contextlib.suppress(SafetensorError, OSError, ValueError), safe_open(str(path), framework="numpy") as shard:
        metadata = shard.metadata() or {}
        table, rows = shard.get_tensor("keys"), shard.get_tensor("rows")
        if (
            table.dtype == np.uint8
            and table.shape[1:] == (KEY_BYTES,)
            and rows.dtype == np.float32
            and rows.ndim == 2
            and len(rows) == len(table)
            and metadata.get("store", path.parent.name) == path.parent.name
            and metadata.get("crc32") == str(zlib.crc32(rows.data, zlib.crc32(table.data)))
        ):
            flat = table.tobytes()
            return [flat[i : i + KEY_BYTES] for i in range(0, len(flat), KEY_BYTES)], rows
    return None


def has_its_size(path: Path) -> bool:
    """Return whether a shard belongs to its folder's store and has the size of its header, without reading rows."""
    from safetensors import SafetensorError, safe_open

    with contextlib.suppress(SafetensorError, OSError, ValueError), safe_open(str(path), framework="numpy") as shard:
        at_home = (shard.metadata() or {}).get("store", path.parent.name) == path.parent.name
        return at_home and {"keys", "rows"} == set(shard.keys())
    return False


def _writable(folder: Path) -> bool:
    """Return whether the user may write into a folder, or create it."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    return os.access(there, os.W_OK) or not there.is_dir()  # writing will report a file of that name


def _write(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
