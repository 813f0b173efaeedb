"""Decoding in threads against worker processes: rates, and the CPU time that a tile costs the parent.

Usage: python benchmarks/bench_workers.py [EUROSAT_ZIP] [--patches 12000]

Generated BigEarthNet v2 patches of three bands, and the JPEGs of the zip if one is named, go through the engine's
reading ahead, in rounds, with the same batches each way. The parent's CPU time per tile is what bounds a fast
device: its threads share one interpreter.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))
import stubs

from senbench.datasets.bands import RGB
from senbench.datasets.open import open_source
from senbench.datasets.synthetic.multilabel import write_bigearthnet
from senbench.embedding.engine import embed_images
from senbench.embedding.image_pass import EmbedOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.datasets.tiles import Tiles

ROUNDS = 2


class Some(stubs.StubEncoder):
    """A few values of each tile: next to nothing, and different for different tiles."""

    batch_size = 256

    def encode_prepared(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """float32 (B, 8)."""
        return np.stack(batch)[:, ::17, ::13, 0].reshape(len(batch), -1)[:, :8].astype(np.float32)


def measure(title: str, tiles: Tiles) -> None:
    """Rounds over all tiles, with threads, one worker, two workers."""
    tiles = stubs.changed(tiles, keys=lambda i: b"%d" % i)  # content keys are read beforehand, in either case
    want = None
    for _ in range(ROUNDS):
        for workers in (0, 1, 2):
            began, before = time.perf_counter(), os.times()
            rows = embed_images(Some(), tiles, None, EmbedOptions(workers=workers)).rows
            wall, after = time.perf_counter() - began, os.times()
            own, every = sum(after[:2]) - sum(before[:2]), sum(after[:4]) - sum(before[:4])
            want = rows if want is None else want
            assert np.array_equal(rows, want)
            print(
                f"{title}, {f'{workers} worker(s)' if workers else 'threads'}: {len(tiles) / wall:,.0f} tiles/s; CPU a "
                f"tile {1e6 * own / len(tiles):.0f} us in the parent, {1e6 * every / len(tiles):.0f} us in all",
                flush=True,
            )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("zip", nargs="?", type=Path)
    parser.add_argument("--patches", type=int, default=12_000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-workers-") as scratch:
        write_bigearthnet(Path(scratch), args.patches, 3, bands=RGB)
        measure("BigEarthNet v2", open_source("bigearthnet-v2", split="test", data_dir=scratch))
    if args.zip is not None:
        measure("EuroSAT JPEG", open_source("eurosat-rgb", split="all", data_dir=str(args.zip)))


if __name__ == "__main__":
    main()
