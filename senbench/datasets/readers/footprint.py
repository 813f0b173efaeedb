"""Where a tile lies, by the header of its file: a plain GeoTIFF without GDAL, all others by rasterio."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.datasets.readers import geotiff
from senbench.datasets.readers.sources import TileFile
from senbench.datasets.tiles import TileError
from senbench.errors import UnavailableError

if TYPE_CHECKING:
    from senbench.datasets.tiles import Reader

RASTER = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"\0\0\0\x0cjP", b"\xffO\xffQ")
"""First bytes of files that may say where they lie: TIFF and JPEG 2000."""
_PROJECTIONS: dict[bytes, str | None] = {}
"""GeoKeys -> projection; None: they name none. All tiles lie in a few."""


class Footprint(NamedTuple):
    """Where a tile lies: the edges of its pixels, in a projection."""

    crs: str
    """The projection, `EPSG:32633` or WKT."""
    left: float
    bottom: float
    right: float
    top: float


def of_tile(reader: Reader, i: int) -> Footprint | None:
    """Where a tile lies; None: its file does not say, or cannot be read.

    Args:
        reader: Of the tile.
        i: Its index.
    """
    try:
        head = reader.beginning(i, geotiff.HEAD)
        if head is None or not head.startswith(RASTER):
            return None
        plain = geotiff.extent(head)
        if plain is not None and plain.projection in _PROJECTIONS:
            crs = _PROJECTIONS[plain.projection]
            return None if crs is None else Footprint(crs, plain.left, plain.bottom, plain.right, plain.top)
        with geotiff.opened(TileFile(reader.beginning(i, -1) or b""), f"tile {i}") as raster:
            turned = raster.transform.b or raster.transform.d
            crs = None if raster.crs is None or turned else crs_name(raster.crs)
            found = None if crs is None else Footprint(crs, *raster.bounds)
    except (TileError, UnavailableError):
        return None
    if plain is not None:
        _PROJECTIONS[plain.projection] = crs
    return found


def crs_name(crs: Any) -> str:
    """Short name of rasterio's projection, `EPSG:32633`; its WKT where it has none."""
    return _name(crs.to_wkt())


@lru_cache(maxsize=64)
def _name(wkt: str) -> str:
    from rasterio.crs import CRS

    code = CRS.from_wkt(wkt).to_epsg()
    return f"EPSG:{code}" if code is not None else wkt
