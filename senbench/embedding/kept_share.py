"""Estimates which share of a dataset's rows is cached, without opening the store for a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.tiles import TileError
from senbench.embedding.cache_key import of_tiles, row_key, store_key
from senbench.embedding.row_cache import SHARDS, read_shard

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from senbench.datasets.tiles import Tiles

SAMPLE = 256
"""Number of tiles of each dataset that are looked up, evenly spaced."""


def kept_share(identity: dict[str, Any], tiles: Sequence[Tiles], cache: Path) -> float:
    """Return the share of tiles whose rows are cached, 0 to 1; without a store the tiles are not read.

    Args:
        identity: As `Encoder.image_identity`.
        tiles: The tiles, dataset by dataset.
        cache: Cache folder.
    """
    kept = 0.0
    for one in tiles:
        folder = cache / store_key(of_tiles(identity, one))[:32]
        shards = (read_shard(path) for path in folder.glob(SHARDS))
        if keys := {key for shard in shards if shard is not None for key in shard[0]}:
            at = np.linspace(0, len(one) - 1, min(SAMPLE, len(one))).astype(int).tolist()
            kept += len(one) * sum(_key(one, position) in keys for position in at) / len(at)
    return kept / max(1, sum(map(len, tiles)))


def _key(tiles: Tiles, position: int) -> bytes | None:
    try:
        return row_key(tiles.key(position))
    except TileError:  # the run will report this error
        return None
