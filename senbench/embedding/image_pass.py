"""One pass over tiles: decodes ahead, encodes in batches of one size, and caches the rows shard by shard.

Tiles are decoded in threads, or in worker processes if the device would otherwise wait for them (`decode_pool.py`).
If the device computes independently of the CPU, a batch is started before the rows of the previous one are awaited.
Only a fixed number of batches is in memory at a time, however many tiles there are.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from senbench.datasets.tiles import OR_SKIP, TileError
from senbench.embedding import decode_pool
from senbench.errors import UnavailableError, UsageError
from senbench.runtime.distributed import ALONE, Team

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.models.encoder import Encoder

    Batch = tuple[list[int], list[NDArray[Any]]]
    """Positions and the prepared tile of each."""

SHARD_SECONDS = 20.0
"""Seconds between two shards: the most work that a killed run loses."""
SHARD_ROWS = 8192
"""Most rows of a shard."""
AHEAD = 3
"""Number of batches read ahead."""
READ = 8
"""Tiles that a thread reads at a time; scheduling each by itself would cost more than reading a packed tile."""


@dataclass(frozen=True)
class EmbedOptions:
    """How images are embedded.

    Attributes:
        batch_size: Images per batch; None: chosen by device and model; halved on CUDA out of memory.
        on_error: `stop` raises at a tile that cannot be decoded, `skip` leaves it out and lists it.
        workers: Decoding processes, for readers that can be sent to them (`Reader.portable`); 0 decodes in threads of
            this process; None chooses by the number of tiles, the device and the cores.
        team: The processes that share the work.
        advance: Called with the number of tiles done.
        say: Called with a message when the cache is read-only.
    """

    batch_size: int | None = None
    on_error: str = "stop"
    workers: int | None = None
    team: Team = ALONE
    advance: Callable[[int], None] = lambda _: None
    say: Callable[[str], None] = lambda _: None


@dataclass
class ImageEmbeddings:
    """Embeddings of the tiles that could be read.

    Attributes:
        rows: float32 (M, D), unit length.
        positions: Position in the tiles of each row, int64 (M,), ascending.
        skipped: Message of each tile that could not be decoded, by position.
        encoded: Number of tiles encoded in this run, in all processes; the others were in the cache.
        seconds: Wall time of the image stage.
        batch_size: Images per batch that was used.
        content_hash: sha256 over the content keys of the evaluated tiles, in order; it identifies the pixels.
        damaged: Shards of the cache that were ignored because their checksum does not match.
        processes: Processes that shared the work.
    """

    rows: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    positions: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    skipped: dict[int, str] = field(default_factory=dict)
    encoded: int = 0
    seconds: float = 0.0
    batch_size: int = 0
    content_hash: str = ""
    damaged: list[str] = field(default_factory=list)
    processes: int = 1


class Keeper(Protocol):
    """What a pass hands its rows to: a store of the cache, or whatever makes something else of them."""

    def add(self, keys: Sequence[bytes], rows: NDArray[np.float32]) -> None:
        """Take new rows (N, D) with their keys."""


@dataclass(frozen=True)
class ImagePass:
    """Decodes and encodes tiles, and caches their rows.

    Attributes:
        encoder: The model.
        tiles: The tiles.
        store: The cache of the rows.
        result: Filled during the pass: tiles skipped and encoded, and the batch size that fits.
        options: Settings of the pass.
    """

    encoder: Encoder
    tiles: Tiles
    store: Keeper
    result: ImageEmbeddings
    options: EmbedOptions

    def embed(self, todo: list[int], key: Callable[[int], bytes], advance: Callable[[int], None]) -> None:
        """Embed the tiles at some positions; an interrupted pass keeps the rows computed so far.

        Args:
            todo: Positions.
            key: Row key of a position.
            advance: Called with the number of tiles done.
        """
        if not todo:  # nothing to encode: the model need not be loaded
            return
        keys: list[bytes] = []
        pending: list[NDArray[np.float32]] = []
        saved = time.perf_counter()
        try:
            for positions, rows in self._encoded(self._batches(todo)):
                self.result.encoded += len(rows)
                keys += [key(p) for p in positions]
                pending.append(rows)
                advance(len(rows))
                if time.perf_counter() - saved > SHARD_SECONDS or len(keys) >= SHARD_ROWS:
                    self.store.add(keys, np.concatenate(pending))
                    keys, pending, saved = [], [], time.perf_counter()
        finally:
            if pending:
                self.store.add(keys, np.concatenate(pending))

    def refuse(self, error: TileError, position: int) -> None:
        """Raise the error of a tile that cannot be decoded, or list the tile as skipped."""
        if self.options.on_error == "stop":
            raise TileError(str(error) if OR_SKIP in str(error) else f"{error}; {OR_SKIP}") from error
        if self.options.on_error != "skip":
            raise UsageError(f"on_error {self.options.on_error!r}: use stop or skip")
        self.result.skipped[position] = str(error)

    def _workers(self, n: int) -> int:
        if self.options.workers is not None:
            return self.options.workers
        portable = self.tiles.reader.portable and self.tiles.packed is None
        return decode_pool.count(n, portable=portable, overlaps=self.encoder.overlaps)

    def _batches(self, todo: list[int]) -> Iterator[Batch]:
        """Yield prepared batches of one size and dtype, read ahead; in order if all tiles are of one size."""
        workers = self._workers(len(todo))
        size = decode_pool.PART if workers else READ
        threads = 2 * workers or min(8, os.cpu_count() or 2)  # one thread waits for a worker while one prepares tiles
        most = max(AHEAD * self.result.batch_size, threads * size if workers else 0)
        waiting: deque[tuple[list[int], Future[list[NDArray[Any] | TileError]]]] = deque()
        upcoming = (todo[i : i + size] for i in range(0, len(todo), size))
        alike: dict[Any, Batch] = {}
        held = 0
        with self._decoding(workers) as read, ThreadPoolExecutor(max_workers=threads) as pool:

            def prepared(part: list[int]) -> list[NDArray[Any] | TileError]:
                return [tile if isinstance(tile, TileError) else self.encoder.prepare(tile) for tile in read(part)]

            try:
                while True:
                    while len(waiting) * size < most and (part := next(upcoming, None)) is not None:
                        waiting.append((part, pool.submit(prepared, part)))
                    if not waiting:
                        break
                    part, future = waiting.popleft()
                    for position, tile in zip(part, future.result(), strict=True):
                        if isinstance(tile, TileError):
                            self.refuse(tile, position)
                            continue
                        kind = (tile.shape, tile.dtype)
                        positions, batch = alike.setdefault(kind, ([], []))
                        positions.append(position)
                        batch.append(tile)
                        held += 1
                        if len(batch) < self.result.batch_size:
                            if held < most:
                                continue
                            kind = max(alike, key=lambda k: len(alike[k][0]))  # many sizes: yield an incomplete batch
                        held -= len(alike[kind][0])
                        yield alike.pop(kind)
                yield from alike.values()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    @contextlib.contextmanager
    def _decoding(self, workers: int) -> Iterator[Callable[[list[int]], Iterable[NDArray[Any] | TileError]]]:
        """Return the function that decodes tiles: in worker processes, or in the calling thread."""

        def here(part: list[int]) -> Iterator[NDArray[Any] | TileError]:
            for position in part:
                try:
                    yield self.tiles.read(position)
                except TileError as error:
                    yield error

        if not workers:
            yield here
            return
        with decode_pool.Workers(self.tiles.decode, workers) as pool:
            yield lambda part: pool.read(self.tiles.index[part].tolist()) if pool.useful else here(part)

    def _encoded(self, batches: Iterator[Batch]) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Yield positions and rows of each batch, in order; rows before a tile that stops the run are kept."""
        begun: deque[Callable[[], tuple[list[int], NDArray[np.float32]]]] = deque()
        stopped: TileError | None = None
        try:
            for positions, batch in batches:
                begun.append(self._begin(positions, batch))
                if len(begun) > self.encoder.overlaps:  # an independent device already computes the next batch
                    yield begun.popleft()()
        except TileError as error:
            stopped = error
        for wait in begun:
            yield wait()
        if stopped is not None:
            raise stopped

    def _begin(
        self, positions: list[int], batch: list[NDArray[Any]]
    ) -> Callable[[], tuple[list[int], NDArray[np.float32]]]:
        """Start a batch if the device computes independently and has the memory; otherwise it is encoded later."""
        if self.encoder.overlaps and len(batch) <= self.result.batch_size:
            import torch

            with contextlib.suppress(torch.cuda.OutOfMemoryError):
                rows = self.encoder.begin(batch)
                return lambda: (positions, rows())
        return lambda: (positions, self._encode(batch))

    def _encode(self, batch: list[NDArray[Any]]) -> NDArray[np.float32]:
        """Encode one batch, in halves if the device runs out of memory."""
        size = min(len(batch), self.result.batch_size)
        while True:
            try:
                parts = [self.encoder.encode_prepared(batch[i : i + size]) for i in range(0, len(batch), size)]
                return np.concatenate(parts)
            except RuntimeError as error:
                if type(error).__name__ != "OutOfMemoryError":  # matched by name, since an encoder need not use torch
                    raise
                if size == 1:
                    raise UnavailableError(
                        "one image does not fit the device's memory; use --device cpu or --dtype bf16"
                    ) from error
                size = max(1, size // 2)
                self.result.batch_size = size
                import torch

                torch.cuda.empty_cache()
