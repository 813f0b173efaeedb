"""The throughput engine: tiles decoded ahead, encoded in batches of one size, kept shard by shard.

Tiles are decoded in threads, or in worker processes where the device is fast enough to wait for them
(`workers.py`). Where it works by itself, a batch is begun before the rows of the one before it are waited for. What
is held at a time is a number of batches, however many tiles there are.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from senbench.datasets.tiles import OR_SKIP, TileError
from senbench.embedding import decode_pool as processes
from senbench.embedding.row_cache import Store, row_key
from senbench.embedding.work_split import Done, Work
from senbench.errors import UnavailableError, UsageError
from senbench.runtime.distributed import ALONE, Team

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.models.encoder import Encoder

SHARD_SECONDS = 20.0  # what a killed run can lose
SHARD_ROWS = 8192
AHEAD = 3  # batches that are read ahead
OWN_FOLDER = "make it writable, or set SENBENCH_HOME to a folder of your own"
READ = 8  # tiles a thread reads at a time: handing over each by itself would cost more than a packed tile does


Batch = tuple[list[int], "list[NDArray[Any]]"]
"""Positions, and the prepared tile of each."""


@dataclass
class Embedded:
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

    rows: NDArray[np.float32]
    positions: NDArray[np.int64]
    skipped: dict[int, str] = field(default_factory=dict)
    encoded: int = 0
    seconds: float = 0.0
    batch_size: int = 0
    content_hash: str = ""
    damaged: list[str] = field(default_factory=list)
    processes: int = 1


def _store(
    encoder: Encoder, cache: Path | None, kind: str, identity: dict[str, Any] | None, extra: Any, *, read: bool = True
) -> Store:
    folder = cache if identity is not None else None
    return Store(folder, encoder.embed_dim, {"kind": kind, **(identity or {}), **extra}, read=read)


def _image_store(encoder: Encoder, tiles: Tiles, cache: Path | None, team: Team) -> Store:
    extra = {"radiometry": tiles.radiometry, "band_order": tiles.band_order}
    store = _store(encoder, cache, "image", encoder.image_identity(), extra, read=team.rank == 0)
    if store.folder is None and team.size > 1:
        raise UsageError("several processes hand their rows over through the cache, and this run keeps none")
    if not store.keeps and team.size > 1:
        raise UnavailableError(f"{_unkept(store)}: several processes hand their rows over through it; {OWN_FOLDER}")
    return store


def _unkept(store: Store) -> str:
    return f"cache folder {store.folder} cannot be written"


def _tell(store: Store, n: int, what: str, say: Callable[[str], None]) -> None:
    """Say before the work that it will have to be done again."""
    if n and store.folder is not None and not store.keeps:
        say(f"{_unkept(store)}: {what} embedded now are not kept, {n:,}; {OWN_FOLDER}")


def embed_texts(
    encoder: Encoder,
    texts: Sequence[str],
    cache: Path | None,
    advance: Callable[[int], None] | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> tuple[dict[str, NDArray[np.float32]], int]:
    """Embeddings of distinct texts, each encoded once, as the model gives them: `mean-norm` needs their lengths.

    Args:
        encoder: The model.
        texts: Texts, duplicates allowed.
        cache: Cache folder, or None.
        advance: Called with the number of texts done.
        say: Told that new rows cannot be kept.

    Returns:
        Text -> raw float32 (D,), and how many went through the model.
    """
    distinct = list(dict.fromkeys(texts))
    store = _store(encoder, cache, "text", encoder.text_identity(), {})
    keys = {text: row_key(text.encode()) for text in distinct}
    missing = [text for text in distinct if keys[text] not in store]
    if advance is not None:
        advance(len(distinct) - len(missing))
    _tell(store, len(missing), "texts", say)
    if missing:
        rows = encoder.encode_texts(missing, normalize=False, advance=advance)
        store.add([keys[t] for t in missing], rows)
    rows = store.rows([keys[text] for text in distinct])
    return dict(zip(distinct, rows, strict=True)), len(missing)


def embed_images(
    encoder: Encoder,
    tiles: Tiles,
    cache: Path | None,
    *,
    batch_size: int | None = None,
    on_error: str = "stop",
    advance: Callable[[int], None] | None = None,
    say: Callable[[str], None] = lambda _: None,
    workers: int | None = None,
    team: Team = ALONE,
) -> Embedded:
    """Embeddings of all tiles, those of the cache reused, the others decoded, encoded and kept.

    Args:
        encoder: The model.
        tiles: The tiles.
        cache: Cache folder, or None.
        batch_size: Images per batch; None: chosen by device and model; halved on CUDA out of memory.
        on_error: `stop` raises at a tile that cannot be decoded, `skip` leaves it out and lists it.
        advance: Called with the number of tiles done.
        say: Told that new rows cannot be kept.
        workers: Processes that decode, for readers that can be sent there (`Reader.portable`); 0: threads of this
            one do; None: by the number of tiles, the device and the cores.
        team: The processes that share the work, this one the first; the others call `embed_part`.

    Returns:
        The embeddings, in the order of the tiles.

    Raises:
        TileError: A tile cannot be decoded, with `on_error="stop"`.
        UnavailableError: A process that decodes was killed, one of the team ended or saw other tiles, or the cache of
            a team cannot be written.
        UsageError: Several processes, and no cache.
    """
    began = time.perf_counter()
    store = _image_store(encoder, tiles, cache, team)
    result = Embedded(
        rows=np.zeros((0, encoder.embed_dim), np.float32),
        positions=np.zeros(0, np.int64),
        batch_size=batch_size or encoder.batch_size,
        damaged=store.damaged,
        processes=team.size,
    )
    keys: list[bytes | None] = []
    for i, place in enumerate(tiles.index.tolist()):
        try:
            keys.append(row_key(tiles.keys(place)))
        except TileError as error:
            _bad(error, i, on_error, result)
            keys.append(None)
    fresh = store.missing(key for key in keys if key is not None)
    first: dict[bytes, int] = {}
    if fresh:
        for i, key in enumerate(keys):
            if key in fresh:
                first.setdefault(key, i)
    todo = list(first.values())
    _tell(store, len(todo), "tiles", say)
    if advance is not None:
        advance(len(tiles) - len(todo))
    work = Work(todo, result.batch_size, tiles.index_hash() if team.size > 1 else "")
    part = team.from_first(work).part(team)
    _embed(encoder, tiles, part, lambda p: cast("bytes", keys[p]), store, result, on_error, advance, workers)
    done = team.to_first(Done(store.written, result.skipped, result.encoded))
    for other in done[1:]:
        store.read(other.shards)
        result.skipped |= other.skipped
        result.encoded += other.encoded
        if advance is not None:
            advance(other.encoded)
    if lost := [p for key, p in first.items() if key not in store and p not in result.skipped]:
        raise UnavailableError(
            f"{len(lost):,} of {len(todo):,} tiles that other processes embedded are not in {store.folder}: they read "
            "other pixels there, or the folder is not shared; give all machines the same data and SENBENCH_HOME"
        )
    if result.skipped:
        for i, key in enumerate(keys):  # a duplicate of a tile that was skipped
            if key in first and key not in store and i not in result.skipped:
                result.skipped[i] = f"has the bytes of another one: {result.skipped[first[key]]}"
    kept = [i for i in range(len(keys)) if i not in result.skipped]
    found = [cast("bytes", keys[i]) for i in kept]
    result.positions = np.array(kept, np.int64)
    result.rows = store.rows(found, last=True)
    result.content_hash = hashlib.sha256(b"".join(found)).hexdigest()
    result.seconds = time.perf_counter() - began
    return result


def embed_part(
    encoder: Encoder,
    tiles: Tiles,
    cache: Path | None,
    team: Team,
    *,
    batch_size: int | None = None,
    on_error: str = "stop",
) -> None:
    """Embed this process's part of what the first one found missing, and keep it: the other side of `embed_images`.

    Args:
        encoder: The model.
        tiles: The same tiles.
        cache: The same cache folder.
        team: The processes; this one is not the first.
        batch_size: As for `embed_images`.
        on_error: As for `embed_images`.

    Raises:
        TileError: As `embed_images`.
        UnavailableError: As `embed_images`.
        UsageError: As `embed_images`.
    """
    store = _image_store(encoder, tiles, cache, team)
    result = Embedded(store.rows([]), np.zeros(0, np.int64), batch_size=batch_size or encoder.batch_size)
    work = team.from_first(Work([], 1, ""))
    if work.index_hash != tiles.index_hash():
        raise UnavailableError(
            f"{tiles.source} lists other tiles of {tiles.info.id} {tiles.split} on {socket.gethostname()} than on the "
            "first machine: give all machines the same data"
        )
    _embed(encoder, tiles, work.part(team), lambda p: row_key(tiles.key(p)), store, result, on_error)
    team.to_first(Done(store.written, result.skipped, result.encoded))


def _embed(
    encoder: Encoder,
    tiles: Tiles,
    todo: list[int],
    key: Callable[[int], bytes],
    store: Store,
    result: Embedded,
    on_error: str,
    advance: Callable[[int], None] | None = None,
    workers: int | None = None,
) -> None:
    """Decode and encode the tiles at some positions, and keep their rows shard by shard."""
    keys: list[bytes] = []
    pending: list[NDArray[np.float32]] = []
    saved = time.perf_counter()
    try:
        if workers is None and todo:  # nothing to encode: the model is not even asked how it would be
            portable = tiles.reader.portable and tiles.packed is None
            overlaps = getattr(encoder, "overlaps", False)
            workers = processes.count(len(todo), portable=portable, overlaps=overlaps)
        batches = _batches(encoder, tiles, todo, result, on_error, workers or 0)
        for positions, rows in _encoded(encoder, batches, result) if todo else ():
            result.encoded += len(rows)
            keys += [key(p) for p in positions]
            pending.append(rows)
            if advance is not None:
                advance(len(rows))
            if time.perf_counter() - saved > SHARD_SECONDS or len(keys) >= SHARD_ROWS:
                store.add(keys, np.concatenate(pending))
                keys, pending, saved = [], [], time.perf_counter()
    finally:  # an interrupted run keeps what it has
        if pending:
            store.add(keys, np.concatenate(pending))


def _batches(
    encoder: Encoder, tiles: Tiles, todo: list[int], result: Embedded, on_error: str, workers: int
) -> Iterator[Batch]:
    """Prepared batches of one size and type, read ahead; in order where all tiles are alike."""
    size = processes.PART if workers else READ
    threads = 2 * workers or min(8, os.cpu_count() or 2)  # one waits for a worker, one prepares what it has
    most = max(AHEAD * result.batch_size, threads * size if workers else 0)
    waiting: deque[tuple[list[int], Future[list[NDArray[Any] | TileError]]]] = deque()
    upcoming = (todo[i : i + size] for i in range(0, len(todo), size))
    alike: dict[Any, Batch] = {}
    held = 0
    with _decoding(tiles, workers) as read, ThreadPoolExecutor(max_workers=threads) as pool:

        def prepared(part: list[int]) -> list[NDArray[Any] | TileError]:
            return [tile if isinstance(tile, TileError) else encoder.prepare(tile) for tile in read(part)]

        try:
            while True:
                while len(waiting) * size < most and (part := next(upcoming, None)) is not None:
                    waiting.append((part, pool.submit(prepared, part)))
                if not waiting:
                    break
                part, future = waiting.popleft()
                for position, tile in zip(part, future.result(), strict=True):
                    if isinstance(tile, TileError):
                        _bad(tile, position, on_error, result)
                        continue
                    kind = (tile.shape, tile.dtype)
                    positions, batch = alike.setdefault(kind, ([], []))
                    positions.append(position)
                    batch.append(tile)
                    held += 1
                    if len(batch) < result.batch_size:
                        if held < most:
                            continue
                        kind = max(alike, key=lambda k: len(alike[k][0]))  # many sizes: an incomplete batch
                    held -= len(alike[kind][0])
                    yield alike.pop(kind)
            yield from alike.values()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


@contextlib.contextmanager
def _decoding(tiles: Tiles, workers: int) -> Iterator[Callable[[list[int]], Iterable[NDArray[Any] | TileError]]]:
    """What decodes the tiles at some positions: worker processes, or the thread that asks, one after the other."""

    def here(part: list[int]) -> Iterator[NDArray[Any] | TileError]:
        for position in part:
            try:
                yield tiles.read(position)
            except TileError as error:
                yield error

    if not workers:
        yield here
        return
    with processes.Workers(tiles.decode, workers) as pool:
        yield lambda part: pool.read(tiles.index[part].tolist()) if pool.useful else here(part)


def _encoded(
    encoder: Encoder, batches: Iterator[Batch], result: Embedded
) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
    """Positions and rows of each batch, in order; a tile that stops the run still leaves the rows before it."""
    if not getattr(encoder, "overlaps", False):
        for positions, batch in batches:
            yield positions, _encode(encoder, batch, result)
        return
    begun: Callable[[], tuple[list[int], NDArray[np.float32]]] | None = None
    stopped: TileError | None = None
    while True:
        following = None
        try:
            if stopped is None and (upcoming := next(batches, None)) is not None:
                following = _begin(encoder, *upcoming, result)
        except TileError as error:
            stopped = error
        if begun is not None:
            yield begun()
        if following is None:
            break
        begun = following
    if stopped is not None:
        raise stopped


def nothing_decoded(dataset: str, images: Embedded) -> str:
    """What to say where every tile was skipped."""
    first = next(iter(images.skipped.values()), "it has none")
    return f"dataset {dataset}: not one tile could be decoded; the first: {first}"


def _bad(error: TileError, position: int, on_error: str, result: Embedded) -> None:
    if on_error == "stop":
        raise TileError(str(error) if OR_SKIP in str(error) else f"{error}; {OR_SKIP}") from error
    if on_error != "skip":
        raise UsageError(f"on_error {on_error!r}: use stop or skip")
    result.skipped[position] = str(error)


def _begin(
    encoder: Any, positions: list[int], batch: list[NDArray[Any]], result: Embedded
) -> Callable[[], tuple[list[int], NDArray[np.float32]]]:
    """Start a batch; one that does not fit the device's memory is encoded in halves when its turn comes."""
    import torch

    if len(batch) <= result.batch_size:
        with contextlib.suppress(torch.cuda.OutOfMemoryError):
            rows = encoder.begin(batch)
            return lambda: (positions, rows())
    return lambda: (positions, _encode(encoder, batch, result))


def _encode(encoder: Encoder, batch: list[NDArray[Any]], result: Embedded) -> NDArray[np.float32]:
    """One batch, in halves if the device's memory does not hold it."""
    size = min(len(batch), result.batch_size)
    while True:
        try:
            parts = [encoder.encode_prepared(batch[i : i + size]) for i in range(0, len(batch), size)]
            return np.concatenate(parts)
        except RuntimeError as error:
            if type(error).__name__ != "OutOfMemoryError":  # torch's, which an encoder without torch does not import
                raise
            if size == 1:
                raise UnavailableError(
                    "one image does not fit the device's memory; use --device cpu or --dtype bf16"
                ) from error
            size = max(1, size // 2)
            result.batch_size = size
            import torch

            torch.cuda.empty_cache()
