"""Rate and memory of the image pipeline before resizing: packed patches through an encoder that costs nothing.

Usage: python benchmarks/bench_pipeline.py [--patches 10000 100000] [--batch 1024] [--folder FOLDER]

Patches are generated (uint8, 120x120x3) and packed, 43 kB each; FOLDER, if named, keeps the stores for the next
time. Each number of patches is embedded in a process of its own. The encoder collates its batch, as a model's
does, and returns rows of 512 zeros. Goals: at least 5,000 patches/s on 2 cores; private memory at its peak at most
1 GB above that after imports, and no more for 100,000 than for 10,000 but for the table of the store and the rows
themselves, which are what is asked for. On cores that other work has too, look at patches per CPU second.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))
import stubs

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE = 120
DIM = 512


def private_mb() -> float:
    """Private memory of this process, MB; mapped pages of a store belong to the system."""
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024


class Peak(threading.Thread):
    """Looks at private memory every 10 ms."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = private_mb()
        self.done = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        while not self.done.wait(0.01):
            self.most = max(self.most, private_mb())


class Free(stubs.StubEncoder):
    """Costs nothing but the collation of its batch."""

    embed_dim = DIM

    def __init__(self, batch: int) -> None:
        super().__init__()
        self.batch_size = batch

    def encode_prepared(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Zeros."""
        import torch

        from senbench.models.transfer import upload

        return np.zeros((len(upload(batch, torch.device("cpu"))), DIM), np.float32)


def write(folder: Path, n: int) -> None:
    """Pack n generated patches."""
    from senbench.datasets.packed import write as pack

    def reader(i: int) -> np.ndarray:
        return np.random.default_rng(i).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)

    about = stubs.info(splits={"all": n}, tile_size=SIDE)
    tiles = stubs.tiles(n, info=about, reader=reader, keys=lambda i: f"{i}".encode())
    pack.pack(pack.job(tiles), folder)


def measure(folder: Path, n: int, batch: int) -> dict[str, Any]:
    """Embed the patches of a store."""
    import torch  # noqa: F401

    from senbench.datasets.packed import attach
    from senbench.datasets.packed.format import Store
    from senbench.embedding.engine import embed_images

    about = stubs.info(splits={"all": n}, tile_size=SIDE)
    before = private_mb()
    tiles = attach.alone(Store(folder), about, None)
    opened = private_mb()
    peak, cpu = Peak(), sum(os.times()[:2])
    peak.start()
    got = embed_images(Free(batch), tiles, None)
    cpu = sum(os.times()[:2]) - cpu
    peak.done.set()
    peak.join()
    return {
        "patches": n,
        "patches/s": round(got.encoded / got.seconds),
        "patches per CPU second": round(got.encoded / cpu),
        "peak private MB above imports": round(peak.most - before),
        "of which the opened store": round(opened - before),
        "of which the rows": round(got.rows.nbytes / 2**20),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--folder", type=Path, help="keeps the stores for the next time")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one is not None:
        print(json.dumps(measure(args.one, args.patches[0], args.batch)))
        return
    with tempfile.TemporaryDirectory(prefix="bench-pipeline-") as scratch:
        for n in args.patches:
            folder = (args.folder or Path(scratch)) / f"store-{n}"
            write(folder, n)
            command = [sys.executable, __file__, "--patches", str(n), "--batch", str(args.batch), "--one", str(folder)]
            print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
