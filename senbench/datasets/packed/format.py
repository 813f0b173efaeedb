"""The packed store: tiles decoded once and read back as slices of memory-mapped files, every read checked.

A store is a folder: `header.json` describes its content, `tiles.parquet` has one row per tile (id, label, content key,
cluster, size, XXH3 checksum), and `000000.tiles`, ... contain the pixels, tile after tile, each row-major (H, W, B).
The header is written last, so that a folder without one is not a store.
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
"""File with states of the source that match the packed content, one per line; not part of the content."""
META = "meta."
"""Prefix of the table's columns with further facts."""
FORMAT = "senbench packed tiles"
VERSION = 1
KEY = 16  # length in bytes of a band's content key
ROWS = 256
"""Tiles per shard: the work that each worker loses when killed, small compared with a worker's share."""


class Shard(Record):
    """One file of pixels."""

    rows: int
    """Tiles in it."""
    bytes: int
    """Its size."""


class StoreHeader(Record):
    """Description of a store's content."""

    format: Literal["senbench packed tiles"]
    """Kind of the folder."""
    version: int
    """Of this layout."""
    dataset: DatasetInfo
    """The dataset at the time of packing."""
    split: str
    """Split, as named in results."""
    source: str
    """Description of the packed source."""
    n_expected: int
    """Number of tiles of the complete split."""
    n: int
    """Tiles in the store."""
    radiometry: str
    """Rendering of 8-bit tiles, or `native` for digital numbers."""
    bands: tuple[str, ...]
    """Bands of a tile, in order."""
    dtype: Literal["uint8", "<u2"]
    """Type of a value, as NumPy names it."""
    shape: tuple[int, int, int] | None
    """(H, W, B) of every tile; None if sizes vary, in which case the table has them."""
    band_keys: bool
    """Whether content keys are stored band by band, so that any subset of bands can be read."""
    index_hash: str
    """sha256 of ids and labels, as in results."""
    facts_of_source: dict[str, Any]
    """Further facts about the values, for results."""
    shards: tuple[Shard, ...]
    """Files of pixels, in order."""
    content_hash: str
    """sha256 over the tiles in order: id, content key, size, checksum of the pixels, error; then all labels."""
    table_sha256: str
    """sha256 of the table's file, whose bytes also depend on the library that wrote it."""
    header_sha256: str
    """sha256 of the canonical JSON of all fields above."""


def header_sha256(header: dict[str, Any]) -> str:
    """Return the sha256 of a header's canonical JSON without this hash."""
    fields = {name: value for name, value in header.items() if name != "header_sha256"}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def checksum(tile: NDArray[Any]) -> bytes:
    """Return the XXH3-128 of a tile's bytes, which takes 2 microseconds for 120x120x3; a CRC-32 takes 14."""
    import xxhash

    return xxhash.xxh3_128_digest(tile.data)


def blocks(n: int) -> list[range]:
    """Return the indices of the tiles of each shard."""
    return [range(at, min(at + ROWS, n)) for at in range(0, n, ROWS)]


def state(stamps: Iterable[str | None]) -> str | None:
    """Return the state of a source from the stamps of its blocks of tiles; None if a block has no stamp."""
    values = list(stamps)
    return None if None in values else hashlib.sha256("\n".join(map(str, values)).encode()).hexdigest()


def shard_name(k: int) -> str:
    """Return the file name of the k-th shard."""
    return f"{k:06d}.tiles"


def is_store(folder: Path) -> bool:
    """Return whether a folder is a packed store by its header."""
    try:
        return bool(parsing.from_json((folder / HEADER).read_bytes())["format"] == FORMAT)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def read_header(folder: Path) -> StoreHeader:
    """Read the header of a store and check its hash.

    Raises:
        UnavailableError: The header is unreadable, altered, or of another version.
    """
    try:
        fields = parsing.from_json((folder / HEADER).read_bytes())
        if fields["version"] != VERSION:
            raise UnavailableError(
                f"packed store {folder}: has format version {fields['version']}, this senbench reads {VERSION}; "
                "delete it and pack again"
            )
        if fields["header_sha256"] != header_sha256(fields):
            raise _damaged(folder, f"{HEADER} was altered")
        return StoreHeader.model_validate(fields)
    except (OSError, ValueError, KeyError, TypeError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no header of a packed store"
        raise _damaged(folder, f"{HEADER} cannot be read ({reason})") from error


class PackedStore:
    """An opened packed store; thread-safe.

    Opening checks the header, the table and the sizes of all files. The checksum of every tile is verified when it is
    read, so that altered bytes are never embedded.

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
        """Read the table, after checking the sizes stated in it and in the header against the files."""
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
        """Return a copy of a row's tile: uint8 or uint16 (H, W, B).

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
        """Return the content key of these bands of a row, as in the source; TileError if it had none."""
        key = self._keys[row]
        if key is None:
            raise TileError(self._errors[row] or f"tile {self.ids[row]}: without a content key")
        if not self.header.band_keys:
            return key
        return b"".join(key[KEY * k : KEY * (k + 1)] for k in map(self.header.bands.index, bands))

    def verify(self, advance: Callable[[int], None] | None = None) -> None:
        """Read and verify every tile.

        Args:
            advance: Called with the number of tiles read.

        Raises:
            UnavailableError: A tile was altered.
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
        """Return all values of a shard as a flat memory map."""
        path, shard, dtype = self.folder / shard_name(k), self.header.shards[k], np.dtype(self.header.dtype)
        try:
            size = path.stat().st_size
            if size != shard.bytes:
                raise _damaged(self.folder, f"{path.name} has {size:,} bytes, {shard.bytes:,} were packed")
            # a plain view, because slicing a memmap takes ten times as long; an empty file cannot be mapped
            return np.asarray(np.memmap(path, dtype, "r")) if size else np.zeros(0, dtype)
        except OSError as error:
            raise _damaged(self.folder, f"{path.name} cannot be read ({error.strerror})") from error

    def find(self, ids: Sequence[str]) -> NDArray[np.int64] | None:
        """Return the row of each id, int64 (N,); None if one of them is missing."""
        if any(tile not in self.row for tile in ids):
            return None
        return np.array([self.row[tile] for tile in ids], np.int64)

    def serves(self, radiometry: str, bands: Sequence[str]) -> bool:
        """Return whether these bands are available with this radiometry; digital numbers are rendered on reading."""
        known = radiometry == self.header.radiometry or (self.digital and radiometry in POLICIES)
        return known and set(bands) <= set(self.header.bands)

    @property
    def digital(self) -> bool:
        """Return whether the store contains digital numbers; otherwise 8-bit tiles."""
        return self.header.radiometry == DIGITAL


def _damaged(folder: Path, why: str) -> UnavailableError:
    return UnavailableError(
        f"packed store {folder}: {why}; delete the folder, and pack again with `senbench datasets pack` if you wish"
    )
