"""Writes the shards of a packed store in worker processes, each atomically."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.bands import RGB, positions
from senbench.datasets.packed import format as packed
from senbench.datasets.radiometry import DIGITAL, POLICIES
from senbench.datasets.tiles import TileError
from senbench.errors import ContractError, UnavailableError
from senbench.runtime import parsing
from senbench.runtime.processes import ProcessKilledError, in_processes

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.runtime.progress import Progress

BUFFER = 1 << 20  # bytes per write, which halves the cost compared with a call for each tile


@dataclass(frozen=True)
class Job:
    """A packing task: everything that determines the bytes of the store.

    Attributes:
        tiles: The opened source.
        digital: Bands to pack as digital numbers; None packs the rendered tiles in 8-bit RGB.
        on_error: `stop` at a tile that cannot be decoded, or `skip` it and store its message.
    """

    tiles: Tiles
    digital: tuple[str, ...] | None = None
    on_error: str = "stop"

    @property
    def bands(self) -> tuple[str, ...]:
        """Return the bands of a stored tile."""
        return self.digital or RGB

    @property
    def dtype(self) -> str:
        """Return the dtype of stored values."""
        return "uint8" if self.digital is None else "<u2"

    @property
    def band_keys(self) -> bool:
        """Return whether content keys are stored band by band."""
        return self.digital is not None and self.tiles.reader.key_per_band

    @cached_property
    def shards(self) -> list[range]:
        """Return the indices of the tiles of each shard."""
        return packed.blocks(len(self.tiles.ids))

    @cached_property
    def facts(self) -> dict[str, Any]:
        """Return the header without the fields that are known only after packing."""
        tiles = self.tiles
        return {
            "format": packed.FORMAT,
            "version": packed.VERSION,
            "dataset": tiles.info.model_dump(mode="json"),
            "split": tiles.split,
            "source": tiles.source,
            "n_expected": tiles.n_expected,
            "n": len(tiles.ids),
            "radiometry": tiles.radiometry if self.digital is None else DIGITAL,
            "bands": list(self.bands),
            "dtype": self.dtype,
            "band_keys": self.band_keys,
            "index_hash": tiles.index_hash(),
            "facts_of_source": dict(tiles.facts_of_source),
        }

    def stamp(self, k: int) -> str | None:
        """Return the state of the files of a shard's tiles; None if the source does not provide it."""
        return self.tiles.reader.stamp(self.shards[k], self.bands)

    def keyed(self, i: int) -> tuple[bytes, NDArray[Any]]:
        """Return the key of the tile at index i, and the tile as stored, (H, W, B); raises TileError.

        Both come from one read if the source supports it, and are rendered by a lookup table if possible.
        """
        table = self._table
        key, tile = self.tiles.reader.keyed(i, self.digital if table is None else RGB)
        if table is None:
            return key, np.ascontiguousarray(tile, self.dtype)
        rendered = np.empty(tile.shape, np.uint8)
        for k in range(tile.shape[2]):
            rendered[..., k] = table.take(tile[..., k], mode="wrap")
        return key, rendered

    @cached_property
    def _table(self) -> NDArray[np.uint8] | None:
        tiles = self.tiles
        rendered = self.digital is None and tiles.info.unit == "dn" and tiles.reader.key_per_band
        return radiometries.table(tiles.radiometry) if rendered else None


def finished(job: Job, folder: Path, k: int) -> dict[str, Any] | None:
    """Return the facts of a finished, intact shard of the present source; None if it must be written."""
    try:
        side: dict[str, Any] = parsing.from_json(side_file(folder, k).read_bytes())
        pixels = np.fromfile(folder / packed.shard_name(k), np.uint8)
    except (OSError, ValueError):
        return None
    if side["stamp"] != job.stamp(k):
        return None
    at, columns = 0, side["columns"]
    for size, check in zip(columns["bytes"], columns["check"], strict=True):
        if size and packed.checksum(pixels[at : at + size]).hex() != check:
            return None
        at += size
    return side if at == len(pixels) else None


def make(
    job: Job, folder: Path, todo: list[int], processes: int, done: dict[int, dict[str, Any]], progress: Progress
) -> None:
    """Write the missing shards.

    Args:
        job: What to pack.
        folder: Folder of the store.
        todo: Numbers of the shards.
        processes: Number of workers; one works in this process.
        done: Called with the facts of each finished shard.
        progress: Displays progress.

    Raises:
        TileError: A tile cannot be decoded, with `on_error` `stop`.
        UnavailableError: A worker was killed.
        OSError: The folder cannot be written.
    """
    title = f"packing {job.tiles.info.id}"
    rows = sum(len(job.shards[k]) for k in todo)
    processes = min(processes, len(todo))
    if processes <= 1:
        with progress.stage(title, rows) as advance:
            for k in todo:
                done[k] = _shard(job, folder, k)
                advance(done[k]["rows"])
        return
    # forked workers share any opened source; threads would block each other in the decoders
    with progress.stage(title, rows) as advance:
        try:
            for k, side in in_processes(lambda k: _shard(job, folder, k), todo, processes):
                done[k] = side
                advance(side["rows"])
        except ProcessKilledError as error:
            raise UnavailableError(
                f"packed store {folder}: a worker process was killed (memory?); the same command continues, with fewer "
                "--jobs if need be"
            ) from error


def _shard(job: Job, folder: Path, k: int) -> dict[str, Any]:
    """Write one shard and its rows of the table, both under temporary names until complete."""
    path = folder / packed.shard_name(k)
    part = path.with_name(f".{path.name}.part")
    stamp = job.stamp(k)  # taken before the files are read, so that later changes are noticed
    table_rows: list[PackedRow] = []
    with part.open("wb", buffering=BUFFER) as stream:
        for i in job.shards[k]:
            tile, about = _tile(job, i)
            if tile is not None:
                if all(other.error is not None for other in table_rows):
                    _agree(job, i, tile)
                stream.write(tile.data)
            table_rows.append(about)
    part.replace(path)
    side = {
        "rows": len(table_rows),
        "bytes": sum(about.bytes for about in table_rows),
        "stamp": stamp,
        "sha256": hashlib.sha256(repr([about[1:] for about in table_rows]).encode()).hexdigest(),
        "columns": dict(zip(PackedRow._fields, zip(*table_rows, strict=True), strict=True)),
    }
    write_whole(side_file(folder, k), json.dumps(side).encode(), sync=False)  # checked by `finished`
    return side


def _agree(job: Job, i: int, tile: NDArray[Any]) -> None:
    """Check that rendering a tile's digital numbers equals what its reader returns, on which stores rely.

    Raises:
        ContractError: They differ.
    """
    tiles = job.tiles
    if tiles.info.unit == "dn" and tiles.radiometry in POLICIES and set(RGB) <= set(job.bands):
        dn = None if job.digital is None else tile[..., positions(job.bands, RGB)]
        if not np.array_equal(tile if dn is None else radiometries.render(dn, tiles.radiometry), tiles.reader.rgb(i)):
            raise ContractError(f"{tiles.info.id}: tile {tiles.ids[i]} is not the {tiles.radiometry} of its values")


class PackedRow(NamedTuple):
    """A tile's row of the table; all fields except the cluster are part of the content."""

    cluster: str | None
    key: str | None
    height: int = 0
    width: int = 0
    bytes: int = 0
    check: str = ""
    error: str | None = None


def _tile(job: Job, i: int) -> tuple[NDArray[Any] | None, PackedRow]:
    """Return a tile and its row of the table; None in place of a tile to be skipped."""
    reader = job.tiles.reader
    cluster = reader.locate([i])[0] if reader.located else None
    try:
        key, tile = job.keyed(i)
    except TileError as error:
        if job.on_error == "stop":
            raise
        row = PackedRow(cluster, None, error=str(error))
        with contextlib.suppress(TileError):  # the bytes of an undecodable tile may still be readable
            row = row._replace(key=reader.key(i, job.digital).hex())
        return None, row
    if job.band_keys and len(key) != packed.KEY * len(job.bands):
        raise ContractError(f"{job.tiles.info.id}: content keys have {len(key)} bytes, not {packed.KEY} for each band")
    height, width, _ = tile.shape
    return tile, PackedRow(cluster, key.hex(), height, width, tile.nbytes, packed.checksum(tile).hex())


def side_file(folder: Path, k: int) -> Path:
    """Return the file with the table rows of a finished shard, which the table replaces at the end."""
    return folder / f"{packed.shard_name(k)}.json"


def write_whole(path: Path, data: bytes, *, sync: bool = True) -> None:
    """Write a file under a temporary name and rename it; `sync` first flushes it to the disk."""
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as stream:
        stream.write(data)
        if sync:
            stream.flush()
            os.fsync(stream.fileno())
    part.replace(path)
