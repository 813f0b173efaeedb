"""Small pictures of the tiles a report will want, kept at run time so that a report needs no data."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np

from senbench.errors import UnavailableError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.datasets.base import Tiles

SIDE = 64
PER_CLASS = 4


def keep(
    tiles: Tiles,
    positions: NDArray[np.int64],
    scores: NDArray[np.float32],
    labels: NDArray[np.int64],
    predictions: NDArray[np.int64],
) -> dict[str, bytes]:
    """Thumbnails of a few tiles per class: typical ones, the surest hits and the surest mistakes.

    Tiles that a model saw as digital numbers are shown in their 8-bit RGB rendering. The typical ones are
    drawn by a hash of the id, the same for every model, so that two runs share them.

    Args:
        tiles: The evaluated tiles.
        positions: Position of each score row in the tiles, (N,).
        scores: Final scores, (N, C).
        labels: True class, (N,).
        predictions: Predicted class, (N,).

    Returns:
        Tile id -> WebP image of at most 64 x 64 pixels.
    """
    ids = tiles.tile_ids
    margin = np.partition(scores, -2, axis=1)[:, -1] - np.partition(scores, -2, axis=1)[:, -2]
    chosen: dict[int, None] = {}
    for c in np.unique(labels):
        members = np.flatnonzero(labels == c)
        typical = sorted(members, key=lambda r: hashlib.sha256(ids[positions[r]].encode()).digest())
        surest = members[np.argsort(-margin[members], kind="stable")]
        hits = surest[predictions[surest] == c]
        misses = surest[predictions[surest] != c]
        for row in (*typical[:PER_CLASS], *hits[:PER_CLASS], *misses[:PER_CLASS]):
            chosen[int(row)] = None
    found: dict[str, bytes] = {}
    for row in chosen:
        try:
            found[ids[positions[row]]] = encode(tiles.picture(int(positions[row])))
        except UnavailableError:  # no RGB here, or the embedding came from the cache and the tile is gone
            continue
    return found


def encode(tile: NDArray[np.uint8]) -> bytes:
    """One RGB tile uint8 (H, W, 3) as a WebP image of at most 64 x 64 pixels."""
    from PIL import Image

    image = Image.fromarray(tile)
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80)
    return buffer.getvalue()
