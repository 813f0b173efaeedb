"""Generated scenes of known tiles: tools of the tests of maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import rasterio
from rasterio.transform import from_origin

from senbench.datasets.catalog import BANDS

if TYPE_CHECKING:
    from pathlib import Path

WEST, NORTH = 600_000.0, 5_300_040.0
RGBN = ("B02", "B03", "B04", "B08")


def tiles(root: Path) -> tuple[list[str], np.ndarray]:
    """Names and digital numbers (N, 13, 64, 64) of the tiles below a folder, in the order of their names."""
    files = sorted(root.rglob("*.tif"))
    values = []
    for file in files:
        with rasterio.open(file) as tile:
            values.append(tile.read())
    return [file.name for file in files], np.stack(values)


def mosaic(values: np.ndarray, columns: int, names: tuple[str, ...] = RGBN) -> np.ndarray:
    """Tiles (N, 13, S, S) side by side, row by row, (bands, H, W); what is missing in the last row is 0."""
    n, _, side, _ = values.shape
    rows = -(-n // columns)
    out = np.zeros((len(names), rows * side, columns * side), values.dtype)
    at = [BANDS.index(name) for name in names]
    for i in range(n):
        r, c = divmod(i, columns)
        out[:, r * side : (r + 1) * side, c * side : (c + 1) * side] = values[i, at]
    return out


def write(path: Path, values: np.ndarray, names=RGBN, *, tags=None, pixel=10.0, **profile) -> Path:
    """A scene as GeoTIFF; without tags its values have no offset."""
    path.parent.mkdir(parents=True, exist_ok=True)
    given = {
        "driver": "GTiff",
        "crs": "EPSG:32633",
        "transform": from_origin(WEST, NORTH, pixel, pixel),
        "tiled": True,
        "blockxsize": 256,
        "blockysize": 256,
        "compress": "deflate",
    }
    count, height, width = values.shape
    shape = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    with rasterio.open(path, "w", **{**given, **shape, **profile}) as file:
        file.write(values)
        if names:
            file.descriptions = names
        file.update_tags(**({"PROCESSING_BASELINE": "03.01", "PRODUCT_TYPE": "S2MSI1C"} if tags is None else tags))
    return path
