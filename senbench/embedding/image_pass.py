"""One pass over tiles: decoded ahead, encoded in batches of one size, kept shard by shard.

Tiles are decoded in threads, or in worker processes where the device is fast enough to wait for them
(`decode_pool.py`). Where the device works by itself, a batch is begun before the rows of the one before it are waited
for. What is held at a time is a number of batches, however many tiles there are.
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
    """Positions, and the prepared tile of each."""

SHARD_SECONDS = 20.0
"""Longest time between two shards: what a killed run can lose."""
SHARD_ROWS = 8192
"""Most rows of a shard."""
AHEAD = 3
"""Batches that are read ahead."""
READ = 8
"""Tiles that a thread reads at a time: handing over each by itself would cost more than reading a packed tile."""


@dataclass(frozen=True)
class EmbedOptions:
    """How images are embedded.

    Attributes:
        batch_size: Images per batch; None: chosen by device and model; halved on CUDA out of memory.
        on_error: `stop` raises at a tile that cannot be decoded, `skip` leaves it out and lists it.
        workers: Processes that decode, for readers that can be sent there (`Reader.portable`); 0: threads of this
            one do; None: by the number of tiles, the device and the cores.
        team: The processes that share the work.
        advance: Called with the number of tiles done.
        say: Called with a message when new rows cannot be kept.
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
        encoded: Tiles that went through the model in this run, in whichever process; the others were in the cache.
        seconds: Wall time of the image stage.
        batch_size: Images per batch that was used.
        content_hash: sha256 over the content keys of the evaluated tiles, in order: which pixels.
        damaged: Shards of the cache that were left out because their checksum does not fit.
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
    """Decodes and encodes tiles, and keeps their rows.

    Attributes:
        encoder: The model.
        tiles: The tiles.
        store: Where rows are kept.
        result: What is found out on the way: tiles skipped and encoded, the batch size that fits.
        options: How.
    """

    encoder: Encoder
    tiles: Tiles
    store: Keeper
    result: ImageEmbeddings
    options: EmbedOptions

    def embed(self, todo: list[int], key: Callable[[int], bytes], advance: Callable[[int], None]) -> None:
        """Embed the tiles at some positions; an interrupted pass keeps what it has.

        Args:
            todo: Positions.
            key: Row key of a position.
            advance: Called with the number of tiles done.
        """
        if not todo:  # nothing to encode: the model is not even asked how it would be
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
        """Stop at a tile that cannot be decoded, or list it as skipped."""
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
        """Prepared batches of one size and type, read ahead; in order where all tiles are alike."""
        workers = self._workers(len(todo))
        size = decode_pool.PART if workers else READ
        threads = 2 * workers or min(8, os.cpu_count() or 2)  # one waits for a worker, one prepares what it has
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
                            kind = max(alike, key=lambda k: len(alike[k][0]))  # many sizes: an incomplete batch
                        held -= len(alike[kind][0])
                        yield alike.pop(kind)
                yield from alike.values()
            finally:
                pool.shutdown(wait=True, cancel_futures=True)

    @contextlib.contextmanager
    def _decoding(self, workers: int) -> Iterator[Callable[[list[int]], Iterable[NDArray[Any] | TileError]]]:
        """What decodes the tiles at some positions: worker processes, or the thread that asks, one after the other."""

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
        """Positions and rows of each batch, in order; a tile that stops the run still leaves the rows before it."""
        begun: deque[Callable[[], tuple[list[int], NDArray[np.float32]]]] = deque()
        stopped: TileError | None = None
        try:
            for positions, batch in batches:
                begun.append(self._begin(positions, batch))
                if len(begun) > self.encoder.overlaps:  # a device of its own already has the next one
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
        """Start a batch where the device works by itself and its memory holds it; else it is encoded in its turn."""
        if self.encoder.overlaps and len(batch) <= self.result.batch_size:
            import torch

            with contextlib.suppress(torch.cuda.OutOfMemoryError):
                rows = self.encoder.begin(batch)
                return lambda: (positions, rows())
        return lambda: (positions, self._encode(batch))

    def _encode(self, batch: list[NDArray[Any]]) -> NDArray[np.float32]:
        """One batch, in halves if the device's memory does not hold it."""
        size = min(len(batch), self.result.batch_size)
        while True:
            try:
                parts = [self.encoder.encode_prepared(batch[i : i + size]) for i in range(0, len(batch), size)]
                return np.concatenate(parts)
            except RuntimeError as error:
                if type(error).__name__ != "OutOfMemoryError":  # torch's; an encoder may do without torch
                    raise
                if size == 1:
                    raise UnavailableError(
                        "one image does not fit the device's memory; use --device cpu or --dtype bf16"
                    ) from error
                size = max(1, size // 2)
                self.result.batch_size = size
                import torch

                torch.cuda.empty_cache()
