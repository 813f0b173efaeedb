"""Writes a packed store: checks the disk space, resumes after an interruption, and writes the header last."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.channel_statistics import sample
from senbench.datasets.open import dataset_info
from senbench.datasets.packed import attach, shards
from senbench.datasets.packed import format as packed
from senbench.datasets.packed.shards import Job
from senbench.datasets.tiles import TileError
from senbench.errors import UnavailableError, UsageError
from senbench.runtime import parsing
from senbench.runtime.environment import cores
from senbench.runtime.paths import home
from senbench.runtime.progress import Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from senbench.datasets.tiles import Tiles

SAMPLE = 16  # number of tiles read to estimate varying sizes
PLAN = "packing.json"
LOCK = ".lock"


def job(tiles: Tiles, bands: tuple[str, ...] | None = None, on_error: str = "stop") -> Job:
    """Describe a packing task.

    Args:
        tiles: An opened source, not a view of it.
        bands: Band names, for digital numbers; None for 8-bit RGB with the radiometry of the tiles.
        on_error: `stop` at a tile that cannot be decoded, or `skip` it, as runs of the store then do.

    Raises:
        UsageError: The dataset has no digital numbers, or not these bands.
    """
    if on_error not in ("stop", "skip"):
        raise UsageError(f"on_error {on_error!r}: use stop or skip")
    if bands is not None:
        info, asked = tiles.info, f"--bands {','.join(bands)}"
        if info.unit != "dn" or not tiles.reader.digital:
            raise UsageError(f"{asked}: tiles of {info.id} are 8-bit RGB: leave the option out")
        if strange := [band for band in bands if band not in info.bands]:
            raise UsageError(f"{asked}: {info.id} has no band {strange[0]!r}; choose among {', '.join(info.bands)}")
        if not bands or len(set(bands)) < len(bands):
            raise UsageError(f"{asked}: name every band once, among {', '.join(info.bands)}")
    return Job(tiles, bands, on_error)


def pack(
    task: Job, folder: Path | None = None, *, processes: int | None = None, progress: Progress | None = None
) -> tuple[Path, bool]:
    """Write a packed store, or finish an incomplete one.

    Args:
        task: What to pack.
        folder: Folder of the store; None for a folder below SENBENCH_HOME, where runs find it.
        processes: Worker processes; None for one per CPU.
        progress: Displays progress; None for silent.

    Returns:
        The folder, and whether anything was written; False if the store existed.

    Raises:
        UsageError: The folder contains something else.
        UnavailableError: A tile cannot be decoded, or there is no disk space.
    """
    if processes is not None and processes < 1:
        raise UsageError(f"--jobs {processes}: give at least 1")
    display = progress or Silent()
    plan = {**task.facts, "rows": packed.ROWS}
    folder = folder or _there(task) or _place(task, plan)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        header = folder / packed.HEADER
        with contextlib.nullcontext() if header.exists() else _locked(folder, display):  # may be read-only
            if header.exists():
                _same(task, folder)
                return folder, False
            _write(task, plan, folder, processes or cores(), display)
            return folder, True
    except OSError as error:
        raise UnavailableError(
            f"packed store {folder}: {error.strerror or error}; finished shards stay, and the same command continues: "
            "make room there, or choose another --out"
        ) from error


def verify(dataset: str, folder: Path | None, progress: Progress) -> list[packed.PackedStore]:
    """Read and verify every byte of packed stores.

    Args:
        dataset: Dataset id, or `folder:PATH`.
        folder: A store; None for all stores of the dataset below SENBENCH_HOME.
        progress: Displays progress.

    Returns:
        The stores, all of which are intact.

    Raises:
        UnavailableError: There is none, or one was altered.
    """
    info = dataset_info(dataset)
    stores = [packed.PackedStore(place) for place in ([folder] if folder is not None else attach.find(info))]
    stores = [store for store in stores if store.header.dataset.id == info.id]
    if not stores:
        where = folder or home() / "packed"
        raise UnavailableError(f"no packed store of {dataset} in {where}: `senbench datasets pack {dataset}` makes one")
    for store in stores:
        with progress.stage(f"verifying {store.folder.name}", len(store)) as advance:
            store.verify(advance)
    return stores


def _place(task: Job, plan: dict[str, Any]) -> Path:
    """Return the default folder of the store, named by its content and a hash of everything that determines it."""
    digest = hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()
    what = task.tiles.radiometry if task.digital is None else "-".join(task.digital)
    name = "-".join(map(attach.slug, (task.tiles.info.id, task.tiles.split, what)))
    return home() / "packed" / f"{name}-{digest[:8]}"


def _there(task: Job) -> Path | None:
    """Return a finished store with the same content below SENBENCH_HOME, or None."""
    for folder in attach.find(task.tiles.info):
        with contextlib.suppress(UsageError):
            _same(task, folder)
            return folder
    return None


def _same(task: Job, folder: Path) -> None:
    """Raise UsageError unless the store equals what the task would write."""
    store = packed.PackedStore(folder)
    header = store.header.model_dump(mode="json")
    if other := [name for name in task.facts if header[name] != task.facts[name]]:
        raise UsageError(
            f"{folder} is a packed store with another {other[0]}: choose another --out, or delete it to pack anew"
        )
    if (why := attach.differs(task.tiles, store, np.arange(len(store)))) is not None:
        raise UsageError(f"{folder} is a packed store of other content ({why}): delete it to pack anew")


@contextlib.contextmanager
def _locked(folder: Path, display: Progress) -> Iterator[None]:
    """Allow one packing process at a time; workers of a killed process hold its lock until they end."""
    path = folder / LOCK
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                display.say(f"another process packs {folder}: waiting for it")
                fcntl.flock(handle, fcntl.LOCK_EX)
            if not path.exists() or os.stat(path).st_ino != os.fstat(handle).st_ino:  # noqa: PTH116
                continue  # the previous holder removed it, and another process may have created it again
            try:
                yield
            finally:
                if not (folder / PLAN).exists():  # finished, or not yet started
                    path.unlink()
            return
        finally:
            os.close(handle)


def _write(task: Job, plan: dict[str, Any], folder: Path, processes: int, display: Progress) -> None:
    _begin(plan, folder)
    every = range(len(task.shards))
    done = {k: side for k in every if (side := shards.finished(task, folder, k)) is not None}
    todo = [k for k in every if k not in done]
    _announce(task, folder, done, max(1, min(processes, len(todo))), display)
    shards.make(task, folder, todo, processes, done, display)
    sides = [done[k] for k in every]
    content, table = _table(task, sides)
    columns = [side["columns"] for side in sides]
    shapes = {shape for of in columns for shape in zip(of["height"], of["width"], strict=True)} - {(0, 0)}
    header = {
        **task.facts,
        "shape": [*shapes.pop(), len(task.bands)] if len(shapes) == 1 else None,
        "shards": [{name: side[name] for name in ("rows", "bytes")} for side in sides],
        "content_hash": content,
        "table_sha256": hashlib.sha256(table).hexdigest(),
    }
    header["header_sha256"] = packed.header_sha256(header)
    shards.write_whole(folder / packed.TABLE, table)
    if (state := packed.state(side["stamp"] for side in sides)) is not None:
        shards.write_whole(folder / packed.STAMPS, f"{state}\n".encode())
    shards.write_whole(folder / packed.HEADER, json.dumps(header, indent=1).encode())
    for leftover in (folder / PLAN, *(shards.side_file(folder, k) for k in every)):
        leftover.unlink()


def _begin(plan: dict[str, Any], folder: Path) -> None:
    """Write the plan, or compare it with that of the packing to be resumed."""
    path = folder / PLAN
    if path.exists():
        if parsing.from_json(path.read_bytes()) != plan:
            raise UsageError(
                f"{folder} holds an unfinished packing of something else: delete it, or choose another --out"
            )
        for left in folder.glob(".*.part"):
            left.unlink()
        return
    if others := sorted(p.name for p in folder.iterdir() if p.name != LOCK and p.suffix != ".part"):
        raise UsageError(f"--out {folder}: {others[0]} is in it; a packed store needs an empty folder")
    shards.write_whole(path, json.dumps(plan).encode())


def _announce(task: Job, folder: Path, done: dict[int, dict[str, Any]], processes: int, display: Progress) -> None:
    """Announce how much is written where, and check the disk space.

    Raises:
        UnavailableError: There is less space than needed.
    """
    tiles, n = task.tiles, len(task.tiles.ids)
    side, pixel = tiles.info.tile_size, len(task.bands) * np.dtype(task.dtype).itemsize
    about, each = ("", side * side * pixel) if side is not None else ("about ", _mean_size(task))
    need, free = each * n - sum(d["bytes"] for d in done.values()), shutil.disk_usage(folder).free
    what = f"{tiles.radiometry} RGB" if task.digital is None else f"digital numbers of {', '.join(task.digital)}"
    rest = f", {sum(d['rows'] for d in done.values()):,} of them there already" if done else ""
    display.say(
        f"packing {n:,} tiles of {tiles.info.id} {tiles.split}{rest} as {what}: {about}{_size(each * n)} in "
        f"{folder} ({_size(free)} free), {processes} process{'es' * (processes != 1)}"
    )
    if need > free:
        raise UnavailableError(
            f"packed store {folder}: {about}{_size(need)} are needed, {_size(free)} are free: make room, or choose "
            "another --out"
        )


def _size(n: float) -> str:
    return f"{n / 1e9:,.2f} GB" if n >= 1e9 else f"{n / 1e6:,.1f} MB"


def _mean_size(task: Job) -> int:
    """Estimate the bytes of a tile from a few tiles across the dataset."""
    sizes = []
    for i in sample(len(task.tiles.ids), SAMPLE):
        with contextlib.suppress(TileError):
            sizes.append(task.keyed(i)[1].nbytes)
    return int(np.mean(sizes)) if sizes else 0


def _table(task: Job, sides: list[dict[str, Any]]) -> tuple[str, bytes]:
    """Return the content hash, and the table as a parquet file with one row per tile."""
    import pyarrow as pa
    from pyarrow import parquet

    tiles, labels = task.tiles, task.tiles.labels
    content = hashlib.sha256("\n".join([*tiles.ids, *(side["sha256"] for side in sides)]).encode())
    content.update(np.ascontiguousarray(labels).tobytes())
    if labels.ndim == 1:
        label = pa.array(labels)
    else:
        ends = np.cumsum(np.count_nonzero(labels, axis=1))
        label = pa.ListArray.from_arrays(np.concatenate([[0], ends]).astype(np.int32), np.nonzero(labels)[1])
    told = {name: [value for side in sides for value in side["columns"][name]] for name in shards.PackedRow._fields}
    kinds = {"cluster": pa.string(), "height": pa.int32(), "width": pa.int32(), "error": pa.string()}
    raw = {name: [None if hexed is None else bytes.fromhex(hexed) for hexed in told[name]] for name in ("key", "check")}
    columns = {
        "id": pa.array(tiles.ids, pa.string()),
        "label": label,
        **{name: pa.array(values, pa.binary()) for name, values in raw.items()},
        **{name: pa.array(told[name], kind) for name, kind in kinds.items()},
        **{f"{packed.META}{name}": pa.array(values, pa.string()) for name, values in tiles.meta.items()},
    }
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), sink, compression="zstd")
    return content.hexdigest(), bytes(sink.getvalue())
