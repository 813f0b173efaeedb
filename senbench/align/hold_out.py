"""Which tiles are held out of training, and which are too near to these to be trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from senbench.align.recipe import held_out
from senbench.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.align.training_set import TrainingSet

BLOCK_KM = 25.0
"""Side of the blocks that are held out as a whole."""
MARGIN_KM = 1.0
"""A tile to train on is at least this far from one that is held out: wider than two tiles."""
EARTH_KM = 6371.0


class Split(NamedTuple):
    """RowSource of the data, int64, ascending."""

    train: NDArray[np.int64]
    held: NDArray[np.int64]
    left_out: NDArray[np.int64]
    """Neither: nearer to a tile that is held out than `MARGIN_KM`."""


def split(data: TrainingSet, how: str, seed: int) -> Split:
    """Tiles to train on, and tiles to retrieve.

    Args:
        data: The pairs.
        how: `AlignmentRecipe.hold_out`.
        seed: What decides which are held out.

    Raises:
        UsageError: Positions or the manifest's split are needed and not there, or too few tiles are left.
    """
    kind, share = held_out(how)
    n = len(data)
    held = np.zeros(n, bool)
    if kind == "split":
        if data.held is None:
            raise UsageError("--hold-out split: the manifest has no column `split`; give spatial:SHARE or none")
        held = data.held
    elif kind == "random":
        order = np.random.default_rng([seed, 0x5EED]).permutation(n)
        held[order[: max(1, round(share * n))]] = True
    elif kind == "spatial":
        held = _blocks(data, share, seed)
    near = _near(data, held) if kind == "spatial" else np.zeros(n, bool)
    found = Split(*(np.flatnonzero(rows) for rows in (~held & ~near, held, near)))
    if len(found.train) == 0:
        raise UsageError(f"--hold-out {how}: of {n:,} tiles none is left to train on; hold out fewer")
    return found


def _blocks(data: TrainingSet, share: float, seed: int) -> NDArray[np.bool_]:
    """Tiles of whole blocks, drawn until the share is reached."""
    if not np.isfinite(data.latitude).all() or not np.isfinite(data.longitude).all():
        raise UsageError(
            "--hold-out spatial needs latitude and longitude of every tile; give random:SHARE, or none, without them"
        )
    row = np.floor(np.radians(data.latitude) * EARTH_KM / BLOCK_KM).astype(np.int64)
    middle = np.cos((row + 0.5) * BLOCK_KM / EARTH_KM)
    column = np.floor(np.radians(data.longitude) * EARTH_KM * middle / BLOCK_KM).astype(np.int64)
    _, block = np.unique(np.stack([row, column], axis=1), axis=0, return_inverse=True)
    block = block.reshape(-1)
    sizes = np.bincount(block)
    if len(sizes) < 2:
        raise UsageError(
            f"--hold-out spatial: all tiles lie in one block of {BLOCK_KM:g} km; give random:SHARE or none"
        )
    order = np.random.default_rng([seed, 0x5EED]).permutation(len(sizes))
    before = np.cumsum(sizes[order]) - sizes[order]
    drawn = order[before < share * len(data)]
    return np.isin(block, drawn[: len(sizes) - 1])


def _near(data: TrainingSet, held: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tiles that are not held out, nearer than the margin to one that is."""
    from scipy.spatial import cKDTree

    places = unit_vectors(data.latitude, data.longitude)
    distance, _ = cKDTree(places[held]).query(places[~held], distance_upper_bound=MARGIN_KM / EARTH_KM)
    near = np.zeros(len(held), bool)
    near[np.flatnonzero(~held)[np.isfinite(distance)]] = True
    return near


def unit_vectors(latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places on the unit sphere, (N, 3): their chords are distances, for what is near."""
    lat, lon = np.radians(latitude), np.radians(longitude)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
