"""How fast a model and a dataset go on this machine, stage by stage, against what bounds them and against others.

All in one process and interleaved, so that ratios hold on a machine that does other work too. Nothing is cached.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from senbench.datasets import bands
from senbench.datasets.open import open_dataset
from senbench.datasets.tiles import stratified
from senbench.embedding.engine import embed_images
from senbench.errors import UsageError
from senbench.results.store import write_text
from senbench.runtime import environment, parsing
from senbench.schema.record import Record
from senbench.studies import peers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from senbench.datasets.tiles import Tiles
    from senbench.models.adapter import Adapter
    from senbench.runtime.progress import Progress
    from senbench.schema.terms import KernelChoice

TEXTS = [f"a satellite image of place number {i} with fields, houses and a river" for i in range(64)]
IMAGE_STAGES = ("decode", "transfer", "preprocess", "encode")
"""What a tile goes through, nothing of it twice; `bare forward` is what a device could do if that were all."""


class Rate(Record):
    """Things done a second."""

    median: float
    """Of the repeats."""
    low: float
    """Slowest repeat."""
    high: float
    """Fastest repeat."""

    @classmethod
    def of(cls, passes: Sequence[float]) -> Rate:
        """Of the rates of the repeats."""
        return cls(median=statistics.median(passes), low=min(passes), high=max(passes))


class Bench(Record):
    """One measurement."""

    model: str
    """Model id."""
    dataset: str
    """Dataset and split."""
    tiles: int
    """Tiles of each pass."""
    repeats: int
    """Measured passes, after one that warms up."""
    batch_size: int
    """Images per batch."""
    resized_on: Literal["host", "device"]
    """Where the stage `preprocess` is done."""
    rates: dict[str, Rate | None]
    """Stage -> tiles (`text`: texts) a second; None: there is no such stage here."""
    limit: str
    """The slowest image stage."""
    share: float
    """End to end against the bare forward pass, median over the repeats of what was measured side by side."""
    ratios: dict[str, float]
    """End to end of senbench against another tool on the same files, likewise."""
    left_out: dict[str, str]
    """Other tool -> why it was not measured."""
    host_mb: float
    """Peak resident memory of loading and one pass above that after the imports, MB."""
    device_mb: float | None
    """Peak memory allocated on the device by the same, MB; None on a CPU."""
    environment: dict[str, Any]
    """As in a result."""

    @property
    def machine(self) -> str:
        """Key of the machine: hash of the device's name, the cores and torch's version."""
        facts = [self.environment["device_name"], self.environment["cpus"], self.environment["versions"]["torch"]]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:12]


def measure(
    load: Callable[[KernelChoice], Adapter],
    dataset: str,
    *,
    n: int,
    repeats: int,
    data_dir: str | None,
    split: str | None,
    draw: Progress,
) -> Bench:
    """Measure every stage.

    Args:
        load: Loads the model with these kernels; other tools get it with torch's.
        dataset: Dataset id.
        n: Tiles, a class-stratified subset.
        repeats: Passes.
        data_dir: Folder that holds the data.
        split: Split; None: the dataset's usual one.
        draw: Progress.

    Raises:
        UsageError: Unknown names, or a dataset whose bands the model does not take.
        UnavailableError: Data or weights missing.
    """
    import open_clip  # noqa: F401 - so that its memory is not the model's
    import torch

    opened = open_dataset(dataset, split=split or None, data_dir=data_dir, say=draw.say)
    imports = _resident("VmRSS")
    _forget_peak()
    encoder = load("auto")
    if note := environment.emulated(encoder.device.type, encoder.dtype):
        draw.say(note)
    tiles = opened.paired(bands.pair(encoder.card, opened.info, None))
    tiles = tiles.take(stratified(tiles.tile_labels, n, 0))
    embed_images(encoder, tiles, None)  # what a run takes; the stages below hold every tile several times
    host = _resident("VmHWM") - imports
    cuda = encoder.device.type == "cuda"
    device = torch.cuda.max_memory_allocated(encoder.device) / 2**20 if cuda else None
    resized_on, ways = _stages(encoder, tiles)
    with tempfile.TemporaryDirectory(prefix="senbench-bench-") as folder:
        own = _timed(ways, len(tiles), repeats, draw, "stages")
        others, left_out = peers.ways(encoder, tiles, Path(folder), lambda: load("torch"))
        beside = _timed(others, len(tiles), repeats, draw, "other tools") if len(others) > 1 else {}
    measured = {**own, **beside}
    same = beside.get("same files", [])
    stages = {name: statistics.median(own[name]) for name in IMAGE_STAGES if name in own}
    return Bench(
        model=encoder.card.id,
        dataset=f"{tiles.info.id} {tiles.split}",
        tiles=len(tiles),
        repeats=repeats,
        batch_size=min(encoder.batch_size, len(tiles)),
        resized_on=resized_on,
        rates={
            name: Rate.of(measured[name]) if name in measured else None
            for name in dict.fromkeys((*IMAGE_STAGES, *measured))
        },
        limit=min(stages, key=stages.__getitem__),
        share=_ratio(own["end to end"], own["bare forward"]),
        ratios={name: _ratio(same, beside[name]) for name in peers.PEERS if name in beside},
        left_out=left_out,
        host_mb=host,
        device_mb=device,
        environment=environment.describe(encoder.device, encoder.dtype),
    )


def _stages(encoder: Adapter, tiles: Tiles) -> tuple[Literal["host", "device"], dict[str, Callable[[], object]]]:
    """Where tiles are resized, and what one pass over all tiles is, by stage; `text` is as many texts as tiles.

    On CUDA a batch is copied, resized and encoded in one call (`Adapter.begin`): here each begins with what the one
    before it left on the device.
    """
    import torch

    from senbench.models.adapter import torch_dtype
    from senbench.models.transfer import upload

    n, size = len(tiles), min(encoder.batch_size, len(tiles))
    threads = min(8, os.cpu_count() or 2)
    raw = [tiles.read(i) for i in range(n)]
    prepared = [encoder.prepare(tile) for tile in raw]
    side = encoder.preprocess.resolution
    ready = torch.randn(size, len(encoder.card.bands), side, side).to(encoder.device, torch_dtype(encoder.dtype))
    batches = [prepared[i : i + size] for i in range(0, n, size)]
    with torch.inference_mode():
        there = [upload(batch, encoder.device) for batch in batches]
        fitted = [encoder._fitted(batch) for batch in there]

    def settled(work: Callable[[], object]) -> Callable[[], None]:
        def run() -> None:
            with torch.inference_mode():
                work()
            if encoder.overlaps:
                torch.cuda.synchronize(encoder.device)

        return run

    def pooled(work: Callable[[Any], object], what: Any) -> None:
        with ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(work, what, chunksize=8):
                pass

    def encode() -> None:
        for rows in [encoder._embedded(batch) for batch in fitted]:
            rows()

    on_device = encoder.path == "device" and prepared[0] is raw[0]  # PIL makes larger tiles smaller, on the host
    ways: dict[str, Callable[[], object]] = {
        "decode": lambda: pooled(tiles.read, range(n)),
        "preprocess": (lambda: [encoder._fitted(batch) for batch in there])
        if on_device
        else (lambda: pooled(encoder.prepare, raw)),
        "encode": encode,
        "bare forward": lambda: [encoder._encode_image_batch(ready[: len(batch)]) for batch in batches],
        "end to end": lambda: embed_images(encoder, tiles, None),
        "text": lambda: encoder.encode_texts([f"{TEXTS[i % 64]} {i}" for i in range(n)]),
    }
    if encoder.overlaps:
        ways["transfer"] = lambda: [upload(batch, encoder.device) for batch in batches]
    return "device" if on_device else "host", {name: settled(way) for name, way in ways.items()}


def _ratio(passes: Sequence[float], others: Sequence[float]) -> float:
    """Median over the repeats: what else the machine does changes less within a repeat than between them."""
    return statistics.median(a / b for a, b in zip(passes, others, strict=True))


def _timed(
    ways: dict[str, Callable[[], object]], n: int, repeats: int, draw: Progress, title: str
) -> dict[str, list[float]]:
    """Rate of each repeat of interleaved passes, the first of which is not counted."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    with draw.stage(f"bench: {title}", (repeats + 1) * len(ways)) as advance:
        for k in range(repeats + 1):
            for name, way in ways.items():
                began = time.perf_counter()
                way()
                if k:
                    taken[name].append(n / (time.perf_counter() - began))
                advance(1)
    return taken


def _resident(what: str) -> float:
    """Resident memory of this process, MB: `VmRSS` now, `VmHWM` at its peak; where /proc is not, the peak."""
    status = Path("/proc/self/status")
    if status.is_file() and (found := re.search(rf"{what}:\s+(\d+)", status.read_text())):
        return int(found[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def _forget_peak() -> None:
    """Begin a new peak of resident memory, where Linux lets a process do so."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def append(found: Bench, file: Path) -> None:
    """Add a measurement to a JSON file: machine -> measurements, oldest first.

    Raises:
        UsageError: The file is there and is no such file.
        UnavailableError: It cannot be written.
    """
    try:
        known: Any = parsing.from_json(file.read_text(encoding="utf-8")) if file.exists() else {}
    except (OSError, ValueError) as error:
        raise UsageError(f"--json {file}: cannot be read as measurements ({error}); give another file") from error
    if not isinstance(known, dict) or not all(isinstance(v, list) for v in known.values()):
        raise UsageError(f"--json {file}: holds something else than measurements; give another file")
    known.setdefault(found.machine, []).append(found.model_dump(mode="json"))
    write_text(file, json.dumps(known, indent=1) + "\n", "--json")
