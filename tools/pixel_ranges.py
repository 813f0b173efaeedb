"""Measure what real tiles look like, and which wrong readings the check of pixels notices.

    python tools/pixel_ranges.py ../shared/data

prints the tables of docs/methods.md, "Plausible pixels": the ranges of single real tiles per rendering, and for every
wrong reading the share of samples that `senbench.datasets.plausibility` notices. The data are EuroSAT's 27,000 JPEGs,
three of its multispectral tiles and six patches of BigEarthNet v1; nothing but figures is taken from them. Digital
numbers of the JPEGs are those that their stretch shows (0..2,750 as 1..255).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable  # noqa: TC003 -- a value needs it
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from senbench.datasets import radiometry
from senbench.datasets.bands import RGB
from senbench.datasets.channel_statistics import COLUMNS, of_array
from senbench.datasets.eurosat.multispectral import BANDS
from senbench.datasets.open import open_dataset
from senbench.datasets.plausibility import Values, figures, findings
from senbench.datasets.radiometry import DIGITAL, LINEAR, POLICIES
from senbench.datasets.readers import geotiff
from senbench.datasets.readers.sources import TileFile

Image = NDArray[np.generic]
DRAWS = 200
"""Samples drawn per class and size."""
SIZES = (5, 20, 60)
"""Tiles of a sample, all of one class."""


class Tile(NamedTuple):
    """A real tile."""

    dn: NDArray[np.int64]
    """Digital numbers, (H, W, C)."""
    bands: tuple[str, ...]
    """Its channels."""


def _swapped_bytes(dn: Image) -> Image:
    return dn.astype(np.uint16).byteswap()


WRONG: dict[str, Callable[[NDArray[np.int64]], Image]] = {
    "right": lambda dn: dn,
    "scale x0.1": lambda dn: dn // 10,
    "scale x10": lambda dn: dn * 10,
    "offset of 1,000 taken off twice": lambda dn: np.maximum(dn - 1000, 0),
    "offset of 1,000 not taken off": lambda dn: dn + 1000,
    "negative values without their sign": lambda dn: np.where(dn < 1000, dn + 64536, dn - 1000),
    "bytes swapped": _swapped_bytes,
    "one constant": lambda dn: np.full_like(dn, 1200),
    "all zero": np.zeros_like,
    "channels in reverse order": lambda dn: dn[..., ::-1],
    "inverted": lambda dn: np.maximum(2750 - dn, 0),
}
"""Name -> digital numbers as they are -> as they are read."""


def shown(dn: Image, policy: str) -> Image:
    """Digital numbers as a model gets them under a rendering."""
    if policy == DIGITAL:
        return np.clip(dn, 0, 65535).astype(np.uint16)
    return radiometry.render(np.asarray(dn), policy)


def high_byte(dn: Image) -> Image:
    """The high byte of 16-bit values, as some readers of PNG give it."""
    return (np.asarray(dn, dtype=np.int64) >> 8).astype(np.uint8)


def eurosat(data: Path, every: int) -> dict[str, list[Tile]]:
    """EuroSAT's JPEGs by class, turned back into digital numbers."""
    tiles = open_dataset("eurosat-rgb", split="all", data_dir=str(data / "eurosat"), offline=True)
    found: dict[str, list[Tile]] = {key: [] for key in tiles.info.classes}
    for i in range(0, len(tiles), every):
        dn = radiometry.turned_back(tiles.read(i).astype(np.float64), "eurosat-jpeg")
        found[tiles.info.classes[tiles.tile_labels[i]]].append(Tile(np.maximum(dn.round(), 0).astype(np.int64), RGB))
    return found


def multispectral(data: Path) -> list[Tile]:
    """The multispectral tiles of EuroSAT (L1C)."""
    found = []
    for path in sorted((data / "eurosat-ms").glob("*.tif")):
        with geotiff.opened(TileFile(path.read_bytes()), path.name) as file:
            found.append(Tile(file.read().transpose(1, 2, 0).astype(np.int64), BANDS))
    return found


def bigearthnet(data: Path, bands: tuple[str, ...]) -> list[Tile]:
    """The patches of BigEarthNet (L2A), bands of one size."""
    found = []
    for folder in sorted((data / "bigearthnet-v1" / "BigEarthNet-v1.0").iterdir()):
        layers = []
        for band in bands:
            path = folder / f"{folder.name}_{band}.tif"
            with geotiff.opened(TileFile(path.read_bytes()), path.name) as file:
                layers.append(file.read(1))
        found.append(Tile(np.stack(layers, -1).astype(np.int64), bands))
    return found


def caught(rows: list[NDArray[np.float64]], values: Values) -> bool:
    """Whether a sample is refused."""
    seen = figures(rows)
    assert seen is not None
    return bool(findings(seen, values))


def share_caught(by_class: dict[str, NDArray[np.float64]], values: Values, n: int, seed: int = 0) -> float:
    """Share of samples of n tiles of one class that are refused."""
    rng = np.random.default_rng(seed)
    hits = [
        caught(list(rows[rng.choice(len(rows), n, replace=False)]), values)
        for rows in by_class.values()
        for _ in range(DRAWS)
    ]
    return sum(hits) / len(hits)


def _ranges(title: str, rows: NDArray[np.float64], bands: tuple[str, ...]) -> str:
    column = {name: rows[:, k] for k, name in enumerate(COLUMNS)}
    means = rows[:, len(COLUMNS) :]
    spans = [f"{band} {means[:, k].min():,.0f} to {means[:, k].max():,.0f}" for k, band in enumerate(bands)]
    mean = means.mean(axis=1)
    ends = f"{mean.min():,.1f} to {mean.max():,.1f} | {column['low'].max():.3f} | {column['high'].max():.3f}"
    return f"| {title} | {len(rows):,} | {', '.join(spans)} | {ends} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with eurosat/, eurosat-ms/ and bigearthnet-v1/")
    data = parser.parse_args().data
    everything = eurosat(data, 1)
    patches = bigearthnet(data, RGB)

    print("| rendering, source | tiles | mean of each channel | mean of all | most zeros | most saturated |")
    print("|---|---|---|---|---|---|")

    def rows_of(tiles: list[Tile], policy: str, read: Callable[..., Image] = WRONG["right"]) -> NDArray[np.float64]:
        scale = policy if policy in LINEAR or policy == DIGITAL else None
        return np.array([of_array(shown(read(t.dn), policy), t.bands, scale) for t in tiles])

    flat = [tile for tiles in everything.values() for tile in tiles]
    print(_ranges("`eurosat-jpeg`, EuroSAT", rows_of(flat, "eurosat-jpeg"), RGB))
    for policy in POLICIES:
        print(_ranges(f"`{policy}`, BigEarthNet", rows_of(patches, policy), RGB))
    print(_ranges("`native` (DN), EuroSAT", rows_of(multispectral(data), DIGITAL), BANDS))
    ten_metres = ("B02", "B03", "B04", "B08")
    twenty_metres = ("B05", "B06", "B07", "B8A", "B11", "B12")
    for bands in (ten_metres, twenty_metres):
        print(_ranges("`native` (DN), BigEarthNet", rows_of(bigearthnet(data, bands), DIGITAL), bands))

    sizes = " | ".join(f"{n}" for n in SIZES)
    print(f"\n| reading | EuroSAT as DN: {sizes} | as 8-bit pictures: {sizes} | BigEarthNet, each | DN, each |")
    print("|---" * (2 * len(SIZES) + 3) + "|")
    some = {name: tiles[::5] for name, tiles in everything.items()}
    digital = [*multispectral(data), *bigearthnet(data, ten_metres)]
    for name, read in WRONG.items():
        cells = []
        for scale in ("eurosat-jpeg", None):
            rows = {
                key: np.array([of_array(shown(read(t.dn), "eurosat-jpeg"), RGB, scale) for t in tiles])
                for key, tiles in some.items()
            }
            cells += [f"{share_caught(rows, Values(scale, None, RGB), n):.0%}" for n in SIZES]
        each = [caught([row], Values("dn2000", "L2A", RGB)) for row in rows_of(patches, "dn2000", read)]
        levels = ["L1C"] * 3 + ["L2A"] * 6
        dn = [
            caught([of_array(shown(read(t.dn), DIGITAL), t.bands, DIGITAL)], Values(DIGITAL, level, t.bands))
            for t, level in zip(digital, levels, strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} | {sum(each)} of {len(each)} | {sum(dn)} of {len(dn)} |")
    rows = {key: np.array([of_array(high_byte(t.dn), RGB, None) for t in tiles]) for key, tiles in some.items()}
    cells = [f"{share_caught(rows, Values(None, None, RGB), n):.0%}" for n in SIZES]
    print(f"| high byte of 16-bit values | {' | '.join(['n/a'] * len(SIZES) + cells)} | | |")


if __name__ == "__main__":
    main()
