"""Rate of decoding EuroSAT's JPEGs from the zip in place: one thread, two threads, and their ratio.

Usage: python benchmarks/bench_decode.py FOLDER_OR_ZIP [--limit N]. The goal is 27,000 tiles in 10 s on 2 cores.
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

from senbench.datasets.open import open_dataset


def main() -> None:
    """Measure three interleaved pairs and print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data_dir")
    parser.add_argument("--limit", type=int, default=27000)
    args = parser.parse_args()

    start = time.perf_counter()
    tiles = open_dataset("eurosat-rgb", split="all", data_dir=args.data_dir, offline=True)
    print(f"open: {time.perf_counter() - start:.2f} s for {len(tiles):,} tiles of {tiles.source}")
    positions = range(min(args.limit, len(tiles)))
    seconds: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(3):
        for threads, taken in seconds.items():
            start = time.perf_counter()
            with ThreadPoolExecutor(threads) as pool:
                total = sum(int(t[0, 0, 0]) for t in pool.map(tiles.read, positions, chunksize=64))
            taken.append(time.perf_counter() - start)
    one, two = (sorted(seconds[n])[1] for n in (1, 2))
    for threads, median in ((1, one), (2, two)):
        print(f"{threads} thread(s): {median:.2f} s, {len(positions) / median:,.0f} tiles/s")
    print(f"2 threads / 1 thread: {one / two:.2f} times the rate (checksum {total})")


if __name__ == "__main__":
    main()
