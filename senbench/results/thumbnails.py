"""Small pictures of the tiles a report will want, kept at run time so that a report needs no data."""

from __future__ import annotations

import hashlib
import heapq
import io
from typing import TYPE_CHECKING, Any

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
    labels: NDArray[Any],
    predictions: NDArray[np.int64] | None,
) -> dict[str, bytes]:
    """Thumbnails of a few tiles per class: typical ones, the surest hits and the surest mistakes.

    Tiles that a model saw as digital numbers are shown in their 8-bit RGB rendering. The typical ones are
    drawn by a hash of the id, the same for every model, so that two runs share them.

    Args:
        tiles: The evaluated tiles.
        positions: Position of each score row in the tiles, (N,).
        scores: Final scores, (N, C).
        labels: True class, (N,), or multi-hot labels, (N, C).
        predictions: Predicted class, (N,); None for multi-hot labels, where a hit is an image with the label
            and a high score for it, and a mistake one with a high score without it.

    Returns:
        Tile id -> WebP image of at most 64 x 64 pixels.
    """
    ids = tiles.tile_ids
    drawn = [hashlib.sha256(ids[p].encode()).digest() for p in positions.tolist()]
    best = np.partition(scores, -2, axis=1)
    margin = best[:, -1] - best[:, -2]
    chosen: dict[int, None] = {}
    for c in range(scores.shape[1]):
        if predictions is None:
            surest = np.argsort(-scores[:, c], kind="stable")
            members, right = np.flatnonzero(labels[:, c]), labels[surest, c]
        else:
            members = np.flatnonzero(labels == c)
            surest = members[np.argsort(-margin[members], kind="stable")]
            right = predictions[surest] == c
        typical = heapq.nsmallest(PER_CLASS, members.tolist(), key=drawn.__getitem__)
        for row in (*typical, *surest[right][:PER_CLASS], *surest[~right][:PER_CLASS]):
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
    from PIL import Image, WebPImagePlugin  # noqa: F401 - or PIL imports all of its formats to find this one

    image = Image.fromarray(tile)
    image.thumbnail((SIDE, SIDE))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80, method=2)  # a third faster than the default for 4 % more bytes
    return buffer.getvalue()
