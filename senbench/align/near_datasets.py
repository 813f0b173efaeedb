"""How close the places of the pairs come to a dataset's: what an exported card says of contamination."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, get_args

import numpy as np

from senbench.align.pairs import EUROPE
from senbench.datasets import distances
from senbench.schema.terms import Collection, Grade

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles

WORST_FIRST: tuple[Grade, ...] = get_args(Grade)
EUROPEAN: tuple[Collection, ...] = ("eurosat", "bigearthnet")
"""Collections of Sentinel-2 tiles of Europe."""


class Nearness(NamedTuple):
    """Pairs against the tiles of a dataset, by 5 km blocks."""

    dataset: str
    points: int
    """Points with a position."""
    nearest_km: float
    """Least possible distance of any of them to a tile."""
    beside: int
    """Points whose block is a tile's, or beside one."""

    def sentence(self) -> str:
        """For a card."""
        return (
            f"of {self.points:,} training points {self.beside:,} lie in or beside a 5 km block of a tile of "
            f"{self.dataset}, the nearest at least {self.nearest_km:.0f} km away"
        )


def grades(
    base: Mapping[Collection, Grade], latitude: NDArray[np.float64], longitude: NDArray[np.float64], *, synthetic: bool
) -> dict[Collection, Grade]:
    """Grades of a model that was trained further on Sentinel-2 tiles of these places: the worse of both.

    Args:
        base: Of its start; what is not listed is `unknown`.
        latitude: Degrees (N,), NaN where it is not known.
        longitude: As `latitude`.
        synthetic: Whether the tiles are drawn, of no place on earth.

    Returns:
        Grade per collection. Tiles in Europe are of the geography and sensor of EuroSAT and BigEarthNet; of tiles
        without positions nothing is known.
    """
    known = np.isfinite(latitude) & np.isfinite(longitude)
    south, north, west, east = EUROPE
    inside = (latitude >= south) & (latitude <= north) & (longitude >= west) & (longitude <= east)
    found: dict[Collection, Grade] = {}
    for collection in dict.fromkeys((*base, *EUROPEAN)):
        start: Grade = base.get(collection, "unknown")
        added: Grade = "none known"
        if not synthetic and collection in EUROPEAN:
            if bool((inside & known).any()):
                added = "same geography and sensor"
            elif not known.all():
                added = "unknown"
        found[collection] = min(start, added, key=WORST_FIRST.index)
    return found


def nearness(tiles: Tiles, latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> Nearness | None:
    """How close training points come to a dataset's tiles.

    Args:
        tiles: The opened dataset.
        latitude: Degrees (N,), NaN where it is not known.
        longitude: As `latitude`.

    Returns:
        None where the positions of either are not known.
    """
    clusters = tiles.clusters()
    if clusters is None:
        return None
    there = [distances.block(str(c), name) for c, name in zip(clusters, tiles.tile_ids, strict=True)]
    known = np.isfinite(latitude) & np.isfinite(longitude)
    blocks = [name for name in there if name is not None]
    if not blocks or not known.any():
        return None
    gaps = distances.gaps(utm_blocks(latitude[known], longitude[known]), blocks)
    if gaps is None:
        return None
    return Nearness(tiles.info.id, int(known.sum()), float(gaps.min()), int((gaps == 0).sum()))


def utm_blocks(latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> list[str]:
    """The 5 km block of UTM in which each place lies, as `distances` names it."""
    from rasterio.warp import transform

    zones = np.clip(np.floor((longitude + 180) / 6).astype(int) + 1, 1, 60)
    codes = np.where(latitude >= 0, 32600, 32700) + zones
    found = [""] * len(codes)
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        grid = f"EPSG:{code}"
        east, north = transform("EPSG:4326", grid, longitude[rows], latitude[rows])
        for row, x, y in zip(rows, east, north, strict=True):
            found[row] = distances.block_at(grid, x, y)
    return found
