"""Tiles of `torchgeo:` and `hf:` datasets against the same dataset's own loader: paired rounds, CPU seconds.

    python benchmarks/bench_named_datasets.py [--rounds 7]

The layouts are generated. A ratio of 1 means as many tiles per CPU second as the loader's own; the goal is 0.9.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "helpers"))

from hub_datasets import SHAPES
from torchgeo_files import LAYOUTS

from senbench.datasets.hub import snapshot
from senbench.datasets.open import open_dataset
from senbench.datasets.torchgeo import known
from senbench.io import checked_json

if TYPE_CHECKING:
    from collections.abc import Callable

LEAST = 0.4
"""Least CPU seconds of one side of a round."""


def seconds(read: Callable[[int], object], n: int, repeat: int) -> float:
    """CPU seconds of reading every tile so many times."""
    began = time.process_time()
    for _ in range(repeat):
        for i in range(n):
            read(i)
    return time.process_time() - began


def ratio(ours: Callable[[int], object], theirs: Callable[[int], object], n: int, rounds: int) -> list[float]:
    """Our rate over theirs, round by round, each of which begins with the other side."""
    seconds(ours, n, 1)
    once = max(seconds(theirs, n, 1), 1e-4)
    repeat = max(1, int(LEAST / once))
    found = []
    for k in range(rounds):
        first = k % 2 == 0
        a = seconds(ours if first else theirs, n, repeat)
        b = seconds(theirs if first else ours, n, repeat)
        found.append(b / a if first else a / b)
    return found


def main() -> None:
    """Print the ratio of each dataset."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=("torchgeo", "hf"))
    options = parser.parse_args()
    rounds = options.rounds
    import torchgeo.datasets

    for name, write in LAYOUTS.items() if options.only != "hf" else ():
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder))
            one = known.CLASSES[name]
            split = one.facts["default_split"]
            digital = "unit" in one.facts
            tiles = open_dataset(
                f"torchgeo:{name}", split=split, data_dir=folder, radiometry="dn2000" if digital else None, offline=True
            )
            how = {} if split == "all" else {"split": split}
            if one.arguments:
                how |= one.arguments
            if name == "TreeSatAI":
                how["sensors"] = ("aerial",)
            theirs = getattr(torchgeo.datasets, name)(folder, **how)
            found = ratio(tiles.read, theirs.__getitem__, len(tiles), rounds)
            told(name, found)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SENBENCH_HOME"] = folder
        for name, make in SHAPES.items() if options.only != "torchgeo" else ():
            hub_shape(name, make(), rounds)


def hub_shape(name: str, data: bytes, rounds: int) -> None:
    """Print the ratio of one shape of columns, kept as if it were fetched."""
    import datasets

    commit = "f" * 40
    folder = snapshot._folder(f"me/{name}") / commit
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "test-00000-of-00001.parquet").write_bytes(data)
    checked_json.write(folder.with_name(f"{commit}.json"), [])
    options = "?image=after&label=soil" if name == "odd-names" else ""
    tiles = open_dataset(f"hf:me/{name}@{commit}{options}", split="test", data_dir=None, offline=True)
    rows = datasets.load_dataset(str(folder), split="test")
    kinds = {"raw-bytes": "jpg", "array-3d": "pixels", "nested-lists": "img", "odd-names": "after"}
    column = kinds.get(name, "image")

    def theirs(i: int) -> np.ndarray:
        value = rows[i][column]
        if isinstance(value, dict):
            value = value["bytes"]
        if isinstance(value, bytes):
            value = Image.open(io.BytesIO(value))
        return np.asarray(value)

    told(f"hf: {name}", ratio(tiles.read, theirs, len(tiles), rounds))


def told(name: str, found: list[float]) -> None:
    """Print the median with its range."""
    print(f"{name:<30} {statistics.median(found):.2f}  [{min(found):.2f}, {max(found):.2f}]", flush=True)


if __name__ == "__main__":
    main()
