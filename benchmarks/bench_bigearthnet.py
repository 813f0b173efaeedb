"""Rate of reading BigEarthNet patches one by one: TorchGeo's classes against the light reader, on one core.

Usage: python benchmarks/bench_bigearthnet.py [FOLDER_OF_V1] [--patches N] [--scale N]. FOLDER_OF_V1 holds real
patches in TorchGeo's layout (they are replicated); without it, v1 is generated as v2 is. The goals are 4 times
TorchGeo's rate for v1 and 6 times for v2. `--scale N` writes N patches of the three RGB bands, reads them all, and
prints the time and the size: 100,000 are to take at most 5 minutes and 10 GB.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.bands import RGB
from senbench.datasets.open import open_dataset
from senbench.datasets.synthetic.multilabel import write_bigearthnet

if TYPE_CHECKING:
    from collections.abc import Callable

    from senbench.datasets.tiles import Tiles

ROUNDS = 5
TEN = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")


def replicate(source: Path, root: Path, n: int) -> None:
    """Copy real v1 patches under new names until there are n, all in the test split."""
    patches = sorted((source / "BigEarthNet-v1.0").iterdir())
    lines = []
    for k in range(n):
        old = patches[k % len(patches)]
        new = f"S2A_MSIL2A_20170613T101031_{k % 90}_{k // 90}"
        folder = root / "BigEarthNet-v1.0" / new
        folder.mkdir(parents=True)
        for file in old.iterdir():
            shutil.copyfile(file, folder / file.name.replace(old.name, new))
        lines.append(f"{new},S1A_IW_GRDH_1SDV_20170613T165043_33UUP_{k % 90}_{k // 90}\n")
    for part in ("train", "val", "test"):
        (root / f"bigearthnet-{part}.csv").write_text("".join(lines) if part == "test" else "")


def add_maps(root: Path) -> None:
    """What TorchGeo's class of v2 asks for beside the patches: a map each, and a folder of Sentinel-1."""
    (root / "BigEarthNet-S1").mkdir()
    for band in (root / "BigEarthNet-S2").glob("*/*/*_B02.tif"):
        maps = root / "Reference_Maps" / band.parent.relative_to(root / "BigEarthNet-S2")
        maps.mkdir(parents=True)
        shutil.copyfile(band, maps / f"{band.parent.name}_reference_map.tif")


def compare(title: str, reference: Any, root: Path, name: str, goal: float) -> None:
    """Interleaved rounds over all patches; medians and ratios."""
    start = time.perf_counter()
    tiles: Tiles = open_dataset(name, split="test", data_dir=str(root), offline=True)
    opening = (time.perf_counter() - start) / len(tiles)
    assert len(tiles) == len(reference)
    assert all(
        np.array_equal(reference[i]["image"][[3, 2, 1]].numpy().transpose(1, 2, 0), tiles.reader.bands(i, RGB))
        for i in range(0, len(tiles), 17)
    )
    ways: dict[str, Callable[[int], Any]] = {
        "torchgeo": lambda i: reference[i],
        "light, RGB as digital numbers": lambda i: tiles.reader.bands(i, RGB),
        "light, RGB rendered": tiles.reader.rgb,
        "light, content key and rendered RGB": lambda i: tiles.reader.keyed(i, None),
        "light, 10 bands": lambda i: tiles.reader.bands(i, TEN),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, read in ways.items():
            start = time.perf_counter()
            for i in range(len(tiles)):
                read(i)
            taken[way].append((time.perf_counter() - start) / len(tiles))
    median = {way: sorted(times)[ROUNDS // 2] for way, times in taken.items()}
    print(
        f"{title}: {len(tiles)} patches, {ROUNDS} rounds; labels and list are read once: {opening * 1e3:.3f} ms a patch"
    )
    for way, seconds in median.items():
        print(f"  {way:<36} {seconds * 1e3:7.3f} ms a patch, {median['torchgeo'] / seconds:6.1f} times TorchGeo's rate")
    ratio = median["torchgeo"] / (median["light, RGB as digital numbers"] + opening)
    print(f"  light RGB, opening included: {ratio:.1f} times (goal {goal:.0f}: {'met' if ratio >= goal else 'MISSED'})")


def scale(n: int) -> None:
    """Write n patches of three bands, then read them all once."""
    with tempfile.TemporaryDirectory(prefix="bigearthnet-") as folder:
        start = time.perf_counter()
        write_bigearthnet(Path(folder), n, 11, bands=RGB)
        print(f"{n:,} patches of 3 bands written in {time.perf_counter() - start:.0f} s, one process")
        states = [path.stat() for path in Path(folder).rglob("*")]
        print(
            f"  {sum(s.st_size for s in states) / 1e9:.2f} GB in {len(states):,} files and folders, "
            f"{512 * sum(s.st_blocks for s in states) / 1e9:.2f} GB on this disk"
        )
        start = time.perf_counter()
        tiles: Tiles = open_dataset("bigearthnet-v2", split="test", data_dir=folder, offline=True)
        print(f"  opened in {time.perf_counter() - start:.1f} s")
        start = time.perf_counter()
        for i in range(n):
            tiles.reader.bands(i, RGB)
        print(f"  read in {time.perf_counter() - start:.0f} s, one thread")


def main() -> None:
    """Compare on real and generated patches; then at scale if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("v1", nargs="?", type=Path)
    parser.add_argument("--patches", type=int, default=120)
    parser.add_argument("--scale", type=int)
    args = parser.parse_args()
    if args.scale:
        scale(args.scale)
        return
    from torchgeo.datasets import BigEarthNet, BigEarthNetV2

    with tempfile.TemporaryDirectory(prefix="bigearthnet-") as folder:
        one, two = Path(folder) / "v1", Path(folder) / "v2"
        if args.v1 is None:
            write_bigearthnet(one, args.patches, 11, version=1)
        else:
            replicate(args.v1, one, args.patches)
        write_bigearthnet(two, args.patches, 11)
        add_maps(two)
        reference = BigEarthNet(str(one), split="test", bands="s2")
        compare("v1, real" if args.v1 else "v1, generated", reference, one, "bigearthnet-v1", 4)
        compare("v2, generated", BigEarthNetV2(str(two), split="test", bands="s2"), two, "bigearthnet-v2", 6)


if __name__ == "__main__":
    main()
