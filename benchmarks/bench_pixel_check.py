"""What the look at a sample of tiles costs beside a run from a packed store.

Usage: uv run python benchmarks/bench_pixel_check.py EuroSAT.zip [--images 27000] [--rounds 3]

Packs the tiles, runs the model `mini`, the fastest there is, on them without a cache, and takes the time that the look
takes of it. Goal: at most 2 % of the run. CPU seconds stand beside those of the wall clock, for busy machines.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import senbench
from senbench.datasets.open import open_dataset, open_source
from senbench.datasets.packed import write
from senbench.evaluation import pixels

if TYPE_CHECKING:
    from collections.abc import Callable


def timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Seconds of the wall clock and of the processors."""
    began, cpu = time.perf_counter(), sum(os.times()[:4])
    work()
    return time.perf_counter() - began, sum(os.times()[:4]) - cpu


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--images", type=int, default=27000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "packed"
        source = open_source("eurosat-rgb", split="all", data_dir=str(options.archive), offline=True)
        write.pack(write.job(source, None), store)
        tiles = open_dataset("eurosat-rgb", split="all", data_dir=str(store), offline=True)

        def run() -> None:
            some = {} if options.images >= len(tiles) else {"limit": options.images}
            senbench.evaluate("mini", tiles, "generic", cache=False, offline=True, **some)

        shares = []
        for _ in range(options.rounds):
            whole, look = timed(run), timed(lambda: pixels.look(tiles, None))
            shares.append([part / total for part, total in zip(look, whole, strict=True)])
            print(f"run {whole[0]:.2f} s ({whole[1]:.2f} s CPU), look {1000 * look[0]:.0f} ms ({look[1]:.3f} s CPU)")
        wall, cpu = (statistics.median(share) for share in zip(*shares, strict=True))
        print(f"look: {wall:.2%} of the run, {cpu:.2%} of its CPU seconds (goal: at most 2 %)")


if __name__ == "__main__":
    main()
