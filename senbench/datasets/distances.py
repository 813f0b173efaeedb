"""Positions of tiles as blocks of a UTM grid (5 km and larger), and lower bounds of distances between blocks."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.scoring.intervals.block_sizes import BlockSizes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

BLOCK = 5000
"""Side of a block in metres: the spatial clusters of EuroSAT and of a user's GeoTIFFs. EuroSAT's tiles are 640 m wide
and lie in patches cut from one scene; 5 km keeps direct neighbours together."""
EARTH = 6371.0
"""Radius in km."""

LARGER = {"25 km": 5, "100 km": 20}
"""Sides of larger blocks, in blocks."""

_SCENE = re.compile(r"S2[A-Z]_MSIL\d[A-Z]_\d{8}T\d{6}")
_BLOCK_NAME = re.compile(r"(.+)/(-?\d+)_(-?\d+)")
_MGRS = re.compile(r"(\d{2})([N-X])([A-HJ-NP-Z])([A-HJ-NP-V])")
_PATCH = re.compile(r".*_(\d+)_(\d+)")
_PATCH_SIDE = 1200
_COLUMNS = ("STUVWXYZ", "ABCDEFGH", "JKLMNPQR")  # by zone modulo 3
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_SOUTH = dict(zip("NPQRSTUVWX", (0, 8, 17, 26, 35, 44, 53, 62, 70, 79), strict=True))
"""Northing in 100 km at which a latitude band begins, rounded down."""


def block(cluster: str, tile: str) -> str | None:
    """Return the block of a tile, such as `EPSG:32633/60_1085`, from its cluster and its id.

    Args:
        cluster: Spatial cluster: a block, or the MGRS tile of a BigEarthNet patch, whose name ends with the patch's
            column and row in that tile (1.2 km each).
        tile: The tile's id.

    Returns:
        The block, None if the position is unknown.
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
    """Return the block of a projection's grid that contains a position in metres: `EPSG:32633/60_1085`."""
    return f"{grid}/{int(x // BLOCK)}_{int(y // BLOCK)}"


def by_size(clusters: Sequence[str] | NDArray[Any], ids: Sequence[str]) -> BlockSizes | None:
    """Return clusters of several sizes: blocks of 5, 25 and 100 km, and scenes.

    Args:
        clusters: Spatial cluster of each tile: blocks of 5 km, or MGRS tiles, which count as 100 km.
        ids: Their ids, in which a scene is identified by satellite, product and second of acquisition
            (`S2A_MSIL2A_20170613T101031`), regardless of its MGRS tile.

    Returns:
        The sizes that follow from the names; a tile with unknown position is its own cluster. None if the clusters
        are neither blocks nor MGRS tiles.
    """
    names = [str(name) for name in clusters]
    if (own_block := own_size(set(names))) is None:
        return None
    clusterings: dict[str, list[str]] = {}
    blocks = names
    if own_block != "5 km":
        blocks = [
            name if _kind(name) == "unlocated" else block(name, tile) or ""
            for name, tile in zip(names, ids, strict=True)
        ]
    if all(blocks):
        clusterings["5 km"] = blocks
        for size, side in LARGER.items():
            larger = {name: _larger(name, side) for name in set(blocks)}
            clusterings[size] = [larger[name] for name in blocks]
    clusterings[own_block] = names
    scenes = [_SCENE.search(tile) for tile in ids]
    if all(scenes):
        clusterings["scene"] = [scene[0] for scene in scenes if scene is not None]
    if len(clusterings) == 1:
        return None
    return BlockSizes(own_block, {size: np.array(each) for size, each in clusterings.items()})


def own_size(clusters: Iterable[str]) -> str | None:
    """Return the block size of clusters with these names, `5 km` or `100 km`; None for neither or both."""
    kinds = {_kind(name) for name in clusters} - {"unlocated"}
    return {"block": "5 km", "mgrs": "100 km"}[kinds.pop()] if kinds in ({"block"}, {"mgrs"}) else None


def _kind(cluster: str) -> str:
    if cluster.startswith("unlocated/"):
        return "unlocated"
    if _BLOCK_NAME.fullmatch(cluster):
        return "block"
    return "mgrs" if _MGRS.fullmatch(cluster) else "other"


def _larger(name: str, side: int) -> str:
    """Return the square of `side` blocks that contains a block; other names unchanged."""
    match = None if name.startswith("unlocated/") else _BLOCK_NAME.fullmatch(name)
    return name if match is None else f"{match[1]}/{int(match[2]) // side}_{int(match[3]) // side}"


def mgrs_corner(name: str) -> tuple[int, int, int] | None:
    """Return UTM zone and south-west corner in metres of a 100 km square of the northern hemisphere, or None.

    Sentinel-2 tiles begin at the north-west corner of their square, to within 60 m.
    """
    match = _MGRS.fullmatch(name)
    if match is None or match[3] not in (columns := _COLUMNS[int(match[1]) % 3]):
        return None
    zone, east = int(match[1]), columns.index(match[3]) + 1
    row = (_ROWS.index(match[4]) - (5 if zone % 2 == 0 else 0)) % 20
    begin = _SOUTH[match[2]]
    return zone, 100_000 * east, 100_000 * (begin + (row - begin) % 20)


def gaps(here: Sequence[str], there: Iterable[str]) -> NDArray[np.float64] | None:
    """Return a lower bound of the distance in km from each block to the nearest of other blocks.

    For blocks of one grid it is the gap between the squares; for blocks of different zones, the distance of their
    centres minus one diagonal and 1 % for the sphere and the projection's scale.

    Args:
        here: Blocks, N.
        there: Blocks, at least one.

    Returns:
        (N,), 0 for the same or a neighbouring block; None if the grids cannot be related to each other.
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
    by_grid: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for i, name in enumerate(blocks):
        grid, _, square = name.rpartition("/")
        column, row = square.split("_")
        by_grid[grid].append((i, int(column), int(row)))
    arrays = {grid: np.array(entries, np.int64) for grid, entries in by_grid.items()}
    return {grid: (table[:, 0], table[:, 1:]) for grid, table in arrays.items()}


def _grid_gaps(here: NDArray[np.int64], there: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the distance in km to the nearest square of the same grid, (n,)."""
    step = max(1, (1 << 22) // len(there))
    parts = []
    for start in range(0, len(here), step):
        between = np.abs(here[start : start + step, None] - there[None]) - 1
        parts.append(np.hypot(*np.maximum(between, 0).transpose(2, 0, 1)).min(axis=1))
    return np.concatenate(parts) * (BLOCK / 1000)


def _on_globe(grid: str, squares: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the centres of squares on a sphere in km, (n, 3)."""
    from rasterio.warp import transform

    x, y = (BLOCK * (squares + 0.5)).T
    lon, lat = np.radians(transform(grid, "EPSG:4326", x, y))
    return EARTH * np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=1)
