"""The packed store: tiles decoded once and read back as slices of memory-mapped files, every read checked.

A store is a folder: `header.json` says what it holds, `tiles.parquet` has one row per tile (id, label, content
key, cluster, size, XXH3 checksum), and `000000.tiles`, ... hold the pixels, tile after tile, each row-major
(H, W, B). The header is written last: a folder without one is no store.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import ValidationError

from senbench.datasets.radiometry import DIGITAL, POLICIES
from senbench.datasets.tiles import TileError
from senbench.errors import UnavailableError
from senbench.io.parquet import read_parquet
from senbench.runtime import parsing
from senbench.schema.dataset import DatasetInfo
from senbench.schema.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

HEADER = "header.json"
TABLE = "tiles.parquet"
STAMPS = "stamps"
"""States of the source that were found to have the packed content, a line each; no part of the content."""
META = "meta."
"""Begins the names of the table's columns of further facts."""
FORMAT = "senbench packed tiles"
VERSION = 1
KEY = 16  # bytes of a band's content key
ROWS = 256
"""Tiles of a shard: what a killed packing loses of each worker, and small against the share of a worker."""


class Shard(Record):
    """One file of pixels."""

    rows: int
    """Tiles in it."""
    bytes: int
    """Its size."""


class StoreHeader(Record):
    """What a store holds."""

    format: Literal["senbench packed tiles"]
    """What the folder is, for people and for senbench."""
    version: int
    """Of this layout."""
    dataset: DatasetInfo
    """The dataset, as it was when it was packed."""
    split: str
    """Split, as results name it."""
    source: str
    """What was packed, for people."""
    n_expected: int
    """Tiles that the split must have to be complete."""
    n: int
    """Tiles in the store."""
    radiometry: str
    """Rendering of 8-bit tiles, or `native` for digital numbers."""
    bands: tuple[str, ...]
    """Bands of a tile, in order."""
    dtype: Literal["uint8", "<u2"]
    """Type of a value, as NumPy names it."""
    shape: tuple[int, int, int] | None
    """(H, W, B) of every tile; None where sizes vary, then the table has them."""
    band_keys: bool
    """Whether content keys are kept band by band, so that any of them can be asked for."""
    index_hash: str
    """Of ids and labels, as in results."""
    facts_of_source: dict[str, Any]
    """What results tell of the values besides."""
    shards: tuple[Shard, ...]
    """Files of pixels, in order."""
    content_hash: str
    """sha256 over the tiles in order: id, content key, size, checksum of the pixels, error; then all labels."""
    table_sha256: str
    """Of the file of the table, whose bytes also depend on the library that wrote it."""
    header_sha256: str
    """Of the canonical JSON of all of the above."""


def header_sha256(header: dict[str, Any]) -> str:
    """sha256 of a header's canonical JSON, itself left out."""
    told = {name: value for name, value in header.items() if name != "header_sha256"}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def checksum(tile: NDArray[Any]) -> bytes:
    """XXH3-128 of a tile's bytes: 2 microseconds for 120x120x3, where a CRC-32 takes 14."""
    import xxhash

    return xxhash.xxh3_128_digest(tile.data)


def blocks(n: int) -> list[range]:
    """Indices of the tiles of each shard."""
    return [range(at, min(at + ROWS, n)) for at in range(0, n, ROWS)]


def state(stamps: Iterable[str | None]) -> str | None:
    """State of a source from the stamps of its blocks of tiles; None if one has none."""
    told = list(stamps)
    return None if None in told else hashlib.sha256("\n".join(map(str, told)).encode()).hexdigest()


def shard_name(k: int) -> str:
    """File name of the k-th shard."""
    return f"{k:06d}.tiles"


def is_store(folder: Path) -> bool:
    """True if the folder says that it is a packed store."""
    try:
        return bool(parsing.from_json((folder / HEADER).read_bytes())["format"] == FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_header(folder: Path) -> StoreHeader:
    """Header of a store, held against its own hash.

    Raises:
        UnavailableError: Unreadable, altered, or of another version.
    """
    try:
        told = parsing.from_json((folder / HEADER).read_bytes())
        if told["version"] != VERSION:
            raise UnavailableError(
                f"packed store {folder}: has format version {told['version']}, this senbench reads {VERSION}; "
                "delete it and pack again"
            )
        if told["header_sha256"] != header_sha256(told):
            raise _damaged(folder, f"{HEADER} was altered")
        return StoreHeader.model_validate(told)
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no header of a packed store"
        raise _damaged(folder, f"{HEADER} cannot be read ({reason})") from error


class PackedStore:
    """A packed store, opened.

    Opening checks the header, the table and the sizes of all files; every tile is held against its own
    checksum when it is read, so that an altered byte never becomes an embedding. Thread-safe.

    Args:
        folder: Its folder, which is never written to.

    Raises:
        UnavailableError: Damaged, incomplete or altered; the message names the file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.header = read_header(folder)
        try:
            self._read(self._table())
        except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
            raise _damaged(folder, f"{TABLE} is not that of a packed store ({type(error).__name__})") from error

    def _read(self, table: dict[str, list[Any]]) -> None:
        """Take over the table, what it and the header announce held against the files before anything is made of it."""
        folder = self.folder
        self.ids: tuple[str, ...] = tuple(table["id"])
        self.labels: NDArray[Any] = self._labels(table)
        self.clusters: list[str | None] = table["cluster"]
        self.row = {tile: i for i, tile in enumerate(self.ids)}
        self._keys: list[bytes | None] = table["key"]
        self._errors: list[str | None] = table["error"]
        self._check: list[bytes] = table["check"]
        self.meta = {name.removeprefix(META): tuple(table[name]) for name in table if name.startswith(META)}
        self._shape = [(h, w, len(self.header.bands)) for h, w in zip(table["height"], table["width"], strict=True)]
        values = np.array([h * w * b for h, w, b in self._shape], np.int64)
        rows = [shard.rows for shard in self.header.shards]
        if sum(rows) != self.header.n or len(self.ids) != self.header.n or min(rows, default=0) < 0:
            raise _damaged(folder, f"{len(self.ids):,} tiles are listed, {self.header.n:,} were packed")
        width, ends = np.dtype(self.header.dtype).itemsize, np.cumsum([0, *rows])
        for k, shard in enumerate(self.header.shards):
            if int(values[ends[k] : ends[k + 1]].sum()) * width != shard.bytes or values.min(initial=0) < 0:
                raise _damaged(
                    folder, f"the sizes of the tiles in {shard_name(k)} do not make its {shard.bytes:,} bytes"
                )
        self._shard = np.repeat(np.arange(len(rows)), rows)
        start = np.cumsum(values) - values
        self._start = start - np.repeat(start[np.cumsum([0, *rows[:-1]])], rows)
        self._pixels = [self._map(k) for k in range(len(rows))]

    def __len__(self) -> int:
        return len(self.ids)

    def tile(self, row: int) -> NDArray[Any]:
        """Tile of a row, in memory of its own: uint8 or uint16 (H, W, B).

        Raises:
            TileError: It could not be decoded when it was packed.
            UnavailableError: Its bytes were altered since.
        """
        if (error := self._errors[row]) is not None:
            raise TileError(error)
        shape, start, k = self._shape[row], self._start[row], self._shard[row]
        tile: NDArray[Any] = self._pixels[k][start : start + shape[0] * shape[1] * shape[2]].copy()
        if checksum(tile) != self._check[row]:
            raise _damaged(self.folder, f"tile {self.ids[row]} in {shard_name(k)} was altered")
        return tile.reshape(shape)

    def key(self, row: int, bands: Sequence[str]) -> bytes:
        """Content key of these bands of a row, as the source has it; TileError where that had none."""
        key = self._keys[row]
        if key is None:
            raise TileError(self._errors[row] or f"tile {self.ids[row]}: without a content key")
        if not self.header.band_keys:
            return key
        return b"".join(key[KEY * k : KEY * (k + 1)] for k in map(self.header.bands.index, bands))

    def verify(self, advance: Callable[[int], None] | None = None) -> None:
        """Read every tile.

        Args:
            advance: Called with the number of tiles looked at.

        Raises:
            UnavailableError: One was altered.
        """
        for row, error in enumerate(self._errors):
            if error is None:
                self.tile(row)
            if advance is not None:
                advance(1)

    def _table(self) -> dict[str, list[Any]]:
        import pyarrow as pa

        path = self.folder / TABLE
        try:
            data = path.read_bytes()
        except OSError as error:
            raise _damaged(self.folder, f"{TABLE} cannot be read ({error.strerror})") from error
        if hashlib.sha256(data).hexdigest() != self.header.table_sha256:
            raise _damaged(self.folder, f"{TABLE} was altered")
        columns: dict[str, list[Any]] = read_parquet(pa.BufferReader(data)).to_pydict()
        return columns

    def _labels(self, table: dict[str, list[Any]]) -> NDArray[Any]:
        if self.header.dataset.task == "single-label":
            return np.array(table["label"], np.int64)
        labels = np.zeros((len(table["label"]), len(self.header.dataset.classes)), bool)
        for row, present in zip(labels, table["label"], strict=True):
            row[present] = True
        return labels

    def _map(self, k: int) -> NDArray[Any]:
        """All values of a shard, flat, mapped into memory."""
        path, shard, dtype = self.folder / shard_name(k), self.header.shards[k], np.dtype(self.header.dtype)
        try:
            size = path.stat().st_size
            if size != shard.bytes:
                raise _damaged(self.folder, f"{path.name} has {size:,} bytes, {shard.bytes:,} were packed")
            # a plain view: slicing a memmap itself takes ten times as long; an empty file cannot be mapped
            return np.asarray(np.memmap(path, dtype, "r")) if size else np.zeros(0, dtype)
        except OSError as error:
            raise _damaged(self.folder, f"{path.name} cannot be read ({error.strerror})") from error

    def find(self, ids: Sequence[str]) -> NDArray[np.int64] | None:
        """Row of each id, int64 (N,); None if one of them is not here."""
        if any(tile not in self.row for tile in ids):
            return None
        return np.array([self.row[tile] for tile in ids], np.int64)

    def serves(self, radiometry: str, bands: Sequence[str]) -> bool:
        """True if these bands can be had under this radiometry; digital numbers are rendered as they are read."""
        known = radiometry == self.header.radiometry or (self.digital and radiometry in POLICIES)
        return known and set(bands) <= set(self.header.bands)

    @property
    def digital(self) -> bool:
        """True for digital numbers, False for 8-bit tiles."""
        return self.header.radiometry == DIGITAL


def _damaged(folder: Path, why: str) -> UnavailableError:
    return UnavailableError(
        f"packed store {folder}: {why}; delete the folder, and pack again with `senbench datasets pack` if you wish"
    )
