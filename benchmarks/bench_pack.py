"""Rates of packing and of reading a packed store, against the light reader and TorchGeo's on the same patches.

Usage: python benchmarks/bench_pack.py FOLDER_OF_BIGEARTHNET_V1 [--patches 20000] [--jobs 2] [--rounds 3]

The patches found there are linked (or copied) under new names until there are enough; TorchGeo reads a part of
them. All rates of a round are taken one after the other, and ratios within a round. Goals: packing at 85 % or more
of jobs x the light reader's rate in one process, packed reads at 100 or more times TorchGeo's rate. On cores that
other work has too, rates measure that work; CPU seconds per patch do not, and their ratios stand below the others.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from senbench.datasets.open import open_dataset, open_source
from senbench.datasets.packed import write

if TYPE_CHECKING:
    from collections.abc import Callable

TORCHGEO = 300  # patches that TorchGeo reads in a round: it is slow


def replicate(source: Path, root: Path, n: int) -> None:
    """Write `n` patches as TorchGeo's BigEarthNet expects them, from the few that are there."""
    there = sorted(path for path in (source / "BigEarthNet-v1.0").iterdir() if path.is_dir())
    lines = []
    for k in range(n):
        path = there[k % len(there)]
        row, column = divmod(k, 100)
        name = "_".join([*path.name.split("_")[:3], str(row), str(column)])
        folder = root / "BigEarthNet-v1.0" / name
        folder.mkdir(parents=True)
        for file in path.iterdir():
            target = folder / file.name.replace(path.name, name)
            try:
                target.hardlink_to(file)
            except OSError:
                shutil.copyfile(file, target)
        lines.append(f"{name},S1A_IW_GRDH_1SDV_20170617T064724_29UPU_{row}_{column}")
    for split, text in (("train", ""), ("val", ""), ("test", "\n".join(lines) + "\n")):
        (root / f"bigearthnet-{split}.csv").write_text(text)


def timed(work: Callable[[], int]) -> tuple[float, float]:
    """Rate of `work`, which tells how many it did, and CPU seconds that each took, in all processes."""
    began, cpu = time.perf_counter(), sum(os.times()[:4])
    n = work()
    return n / (time.perf_counter() - began), (sum(os.times()[:4]) - cpu) / n


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--patches", type=int, default=20000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bands", help="digital numbers of these bands instead of RGB")
    args = parser.parse_args()
    bands = tuple(args.bands.split(",")) if args.bands else None
    with tempfile.TemporaryDirectory(prefix="bench-pack-") as scratch:
        os.environ["SENBENCH_HOME"] = f"{scratch}/home"
        root = Path(scratch) / "ben"
        replicate(args.folder, root, args.patches)
        measure(root, Path(scratch), bands, args.jobs, args.rounds)


def measure(root: Path, scratch: Path, bands: tuple[str, ...] | None, jobs: int, rounds: int) -> None:
    """Rounds of TorchGeo, light reader, packing and packed reads."""
    from torchgeo.datasets import BigEarthNet

    torchgeo = BigEarthNet(str(root), split="test", bands="s2", num_classes=19)
    tiles = open_source("bigearthnet-v1", split="test", data_dir=str(root))
    n = len(tiles)
    task = write.job(tiles, bands)
    _shared.append(task)

    def everything() -> int:
        for i in range(n):
            task.read(i)
        return n

    def both() -> int:
        """The light reader in as many processes: what the machine itself gives for them."""
        parts = [range(k, n, 16 * jobs) for k in range(16 * jobs)]
        with ProcessPoolExecutor(jobs, get_context("fork")) as pool:
            return sum(pool.map(_read, parts))

    def few() -> int:
        for i in range(min(TORCHGEO, n)):
            torchgeo[i]
        return min(TORCHGEO, n)

    rates: dict[str, list[float]] = {}
    few(), everything()  # files into the page cache
    for k in range(rounds):
        out = scratch / f"store-{k}"
        torchgeo_rate, torchgeo_cpu = timed(few)
        light, light_cpu = timed(everything)
        light_many, _ = timed(both)
        packing, packing_cpu = timed(lambda out=out: (write.pack(task, out, processes=jobs), n)[1])
        store = open_dataset("bigearthnet-v1", split="test", data_dir=str(out))
        read = store.reader.rgb if bands is None else lambda i, store=store: store.reader.bands(i, bands)
        packed_rate, packed_cpu = timed(lambda read=read: sum(len(read(i)) > 0 for i in range(n)))
        found = {
            "TorchGeo": torchgeo_rate,
            "light, 1 process": light,
            f"light, {jobs} processes": light_many,
            f"packing, {jobs} processes": packing,
            "packed, 1 thread": packed_rate,
            "light over TorchGeo": light / torchgeo_rate,
            "packed over TorchGeo (goal 100)": packed_rate / torchgeo_rate,
            f"packing over {jobs} x light (goal 0.85)": packing / (jobs * light),
            f"light, {jobs} processes over {jobs} x light": light_many / (jobs * light),
            "CPU: light over packing (goal 0.85)": light_cpu / packing_cpu,
            "CPU: TorchGeo over packed (goal 100)": torchgeo_cpu / packed_cpu,
        }
        for name, rate in found.items():
            rates.setdefault(name, []).append(rate)
        shutil.rmtree(out)
    for name, values in rates.items():
        each = "  ".join(f"{value:,.2f}" if value < 10 else f"{value:,.0f}" for value in values)
        middle = statistics.median(values)
        print(f"{name:<42} {f'{middle:,.2f}' if middle < 10 else f'{middle:,.0f}':>10}   ({each})")


_shared: list[write.Job] = []  # inherited by forked processes


def _read(part: range) -> int:
    for i in part:
        _shared[0].read(i)
    return len(part)


if __name__ == "__main__":
    main()
