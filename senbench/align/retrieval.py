"""Retrieval on held-out tiles: is a tile's own target among its nearest, and the other way round."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DEPTHS = (1, 5, 10)
AT_ONCE = 1024
"""RowSource whose similarities with all others are held at once."""


def recall(tiles: NDArray[np.float32], targets: NDArray[np.float32]) -> dict[str, Any]:
    """R@1, R@5 and R@10, both ways.

    A tile is found at k if fewer than k other targets are as near as its own: ties count against it, so that a tower
    that says the same of everything finds nothing.

    Args:
        tiles: Unit rows (N, D).
        targets: Unit rows (N, D) of the same places.

    Returns:
        `n`; `tile_to_ground` and `ground_to_tile`, each depth -> share; `chance`, the same of a guess.
    """
    n = len(tiles)
    places = {"tile_to_ground": _others(tiles, targets), "ground_to_tile": _others(targets, tiles)}
    shares = {way: {str(k): float((found < k).mean()) for k in DEPTHS} for way, found in places.items()}
    return {"n": n, **shares, "chance": {str(k): min(k, n) / n for k in DEPTHS}}


def _others(queries: NDArray[np.float32], keys: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many keys that are not its own are at least as near to each query, int64 (N,)."""
    found = np.empty(len(queries), np.int64)
    for start in range(0, len(queries), AT_ONCE):
        rows = np.arange(start, min(start + AT_ONCE, len(queries)))
        near = queries[rows] @ keys.T
        own = near[np.arange(len(rows)), rows]
        found[rows] = (near >= own[:, None]).sum(1) - 1
    return found
