"""A packed store of generated patches of BigEarthNet's size: a tool of the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import stubs

from senbench.datasets.packed import attach
from senbench.datasets.packed import write as packing
from senbench.datasets.packed.format import PackedStore, is_store

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.datasets.tiles import Tiles

SIDE = 120


def opened(folder: Path, n: int) -> Tiles:
    """So many patches, uint8 (120, 120, 3), written where they are not there yet."""
    about = stubs.info(splits={"all": n}, tile_size=SIDE)

    def reader(i: int) -> np.ndarray:
        return np.random.default_rng(i).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)

    if not is_store(folder):
        tiles = stubs.tiles(n, info=about, reader=reader, keys=lambda i: f"{i}".encode())
        packing.pack(packing.job(tiles), folder)
    return attach.alone(PackedStore(folder), about, "native-jpeg")
