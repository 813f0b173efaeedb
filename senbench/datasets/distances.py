"""Where tiles lie: 5 km blocks of a UTM grid, and how far two sets of blocks are apart at least."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

BLOCK = 5000
"""Side of a block in metres: the spatial clusters of EuroSAT and of a user's GeoTIFFs. EuroSAT's tiles are 640 m wide
and lie in patches cut from one scene; 5 km keeps direct neighbours together."""
EARTH = 6371.0
"""Radius in km."""

_BLOCK_NAME = re.compile(r"(.+)/(-?\d+)_(-?\d+)")
_MGRS = re.compile(r"(\d{2})([N-X])([A-HJ-NP-Z])([A-HJ-NP-V])")
_PATCH = re.compile(r".*_(\d+)_(\d+)")
_PATCH_SIDE = 1200
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")  # by zone modulo 3
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_SOUTH = dict(zip("NPQRSTUVWX", (0, 8, 17, 26, 35, 44, 53, 62, 70, 79), strict=True))
"""Northing in 100 km at which a latitude band begins, rounded down."""


def block(cluster: str, tile: str) -> str | None:
    """Block in which a tile lies, `EPSG:32633/60_1085`, from its cluster and its id.

    Args:
        cluster: Spatial cluster: a block already, or the MGRS tile of a BigEarthNet patch, whose name ends with the
            patch's column and row in it (1.2 km each).
        tile: The tile's id.

    Returns:
        The block, None where the position is not known.
    """
    if cluster.startswith("unlocated/"):
        return None
    if _BLOCK_NAME.fullmatch(cluster):
        return cluster
    corner, place = mgrs_corner(cluster), _PATCH.fullmatch(tile)
    if corner is None or place is None:
        return None
    zone, east, north = corner
    x = east + _PATCH_SIDE * (int(place[1]) + 0.5)
    y = north + 100_000 - _PATCH_SIDE * (int(place[2]) + 0.5)
    return block_at(f"EPSG:{32600 + zone}", x, y)


def block_at(grid: str, x: float, y: float) -> str:
    """Name of the block of a projection's grid that holds a place given in metres: `EPSG:32633/60_1085`."""
    return f"{grid}/{int(x // BLOCK)}_{int(y // BLOCK)}"


def mgrs_corner(name: str) -> tuple[int, int, int] | None:
    """UTM zone and south-west corner in metres of a 100 km square of the northern hemisphere, None for other names.

    Sentinel-2 tiles begin at the north-west corner of their square, up to 60 m aside.
    """
    match = _MGRS.fullmatch(name)
    if match is None or match[3] not in (columns := _COLUMNS[int(match[1]) % 3]):
        return None
    zone, east = int(match[1]), columns.index(match[3]) + 1
    row = (_ROWS.index(match[4]) - (5 if zone % 2 == 0 else 0)) % 20
    begin = _SOUTH[match[2]]
    return zone, 100_000 * east, 100_000 * (begin + (row - begin) % 20)


def gaps(here: Sequence[str], there: Iterable[str]) -> NDArray[np.float64] | None:
    """Least possible distance in km from each block to the nearest of other blocks.

    Blocks of one grid: the gap between the squares. Blocks of different zones: the distance of their centres less one
    diagonal and 1 % for the sphere and the projection's scale.

    Args:
        here: Blocks, N.
        there: Blocks, at least one.

    Returns:
        (N,), 0 for the same or a neighbouring block; None where grids cannot be related to each other.
    """
    from scipy.spatial import cKDTree

    first, second = _by_grid(here), _by_grid(dict.fromkeys(there))
    out = np.full(len(here), np.inf)
    grids = {*first, *second}
    if len(grids) > 1 and not all(re.fullmatch(r"EPSG:\d+", grid) for grid in grids):
        return None
    for grid, (rows, squares) in first.items():
        if grid in second:
            out[rows] = _grid_gaps(squares, second[grid][1])
        others = [_on_globe(name, found) for name, (_, found) in second.items() if name != grid]
        if others:
            distance, _ = cKDTree(np.concatenate(others)).query(_on_globe(grid, squares))
            out[rows] = np.minimum(out[rows], np.maximum(0, 0.99 * distance - BLOCK / 1000 * 2**0.5))
    return out


def _by_grid(blocks: Iterable[str]) -> dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Grid -> positions in the sequence, and column and row of each block (n, 2)."""
    found: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for i, name in enumerate(blocks):
        grid, _, square = name.rpartition("/")
        column, row = square.split("_")
        found[grid].append((i, int(column), int(row)))
    arrays = {grid: np.array(entries, np.int64) for grid, entries in found.items()}
    return {grid: (table[:, 0], table[:, 1:]) for grid, table in arrays.items()}


def _grid_gaps(here: NDArray[np.int64], there: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance in km between squares of one grid, to the nearest, (n,)."""
    step = max(1, (1 << 22) // len(there))
    parts = []
    for start in range(0, len(here), step):
        between = np.abs(here[start : start + step, None] - there[None]) - 1
        parts.append(np.hypot(*np.maximum(between, 0).transpose(2, 0, 1)).min(axis=1))
    return np.concatenate(parts) * (BLOCK / 1000)


def _on_globe(grid: str, squares: NDArray[np.int64]) -> NDArray[np.float64]:
    """Centres of squares on a sphere, km, (n, 3)."""
    from rasterio.warp import transform

    x, y = (BLOCK * (squares + 0.5)).T
    lon, lat = np.radians(transform(grid, "EPSG:4326", x, y))
    return EARTH * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
