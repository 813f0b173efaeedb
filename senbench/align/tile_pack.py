"""The centres of all tiles, rendered once: packed uint8, 3 kB for 32 x 32 pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.align.row_store import RowStore
from senbench.datasets import radiometry
from senbench.datasets.readers import geotiff, image, pixel_rules
from senbench.datasets.readers.pixel_rules import RED_GREEN_BLUE
from senbench.datasets.readers.sources import TileFile
from senbench.datasets.tiles import TileError
from senbench.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.align.pairs import PairList
    from senbench.runtime.progress import Progress

AT_ONCE = 256
"""Tiles that are kept at once: what a killed run makes again at the most."""
FAR_KM = 10.0
"""A tile that says where it lies must lie this near to its point."""
EARTH_KM = 6371.0


class Rendering(NamedTuple):
    """How tiles become 8-bit RGB.

    Attributes:
        crop: Side of the centre that is kept.
        bands: Bands in file order where the user names them; empty: each file tells.
        policy: Name of the radiometry of digital numbers.
    """

    crop: int = 32
    bands: tuple[str, ...] = ()
    policy: str = "minmax-per-image"


def pack(pairs: PairList, out: Path, how: Rendering, progress: Progress, *, skip: bool = False) -> RowStore:
    """Render and keep the centre of each point's tile.

    Args:
        pairs: The manifest.
        out: Folder to make, or to go on with.
        how: Crop, bands, radiometry.
        progress: Draws progress.
        skip: Leave out tiles that cannot be read, and count them, instead of stopping.

    Raises:
        UsageError: The folder holds other tiles, or a setting is wrong.
        TileError: A tile is missing or damaged, holds NaN, is smaller than the crop, or lies elsewhere than its point.
    """
    import pyarrow as pa

    radiometry.check(how.policy)
    if how.crop < 1:
        raise UsageError(f"--crop {how.crop}: it must be at least 1")
    settings = {"what": "tiles", **how._asdict(), "tiles": _names_sha256(pairs)}
    shape = (len(pairs.points), how.crop, how.crop, 3)
    store = RowStore.begin(out, pa.array(pairs.points, pa.string()), settings, shape, np.uint8)
    with progress.stage("tiles packed", shape[0] - store.done) as advance:
        while store.done < shape[0]:
            numbers = range(store.done, min(store.done + AT_ONCE, shape[0]))
            rows, left_out = np.zeros((len(numbers), *shape[1:]), np.uint8), []
            for k, i in enumerate(numbers):
                try:
                    rows[k] = centre_of(pairs, i, how)
                except TileError:
                    if not skip:
                        raise
                    left_out.append(i)
                advance(1)
            store.add(rows, left_out)
    if not store.complete:
        store.finish()
    return store


def centre_of(pairs: PairList, i: int, how: Rendering) -> NDArray[np.uint8]:
    """The centre of one point's tile, rendered with the whole tile in view.

    Args:
        pairs: The manifest.
        i: Which point.
        how: Crop, bands, radiometry.

    Returns:
        uint8 (crop, crop, 3).

    Raises:
        TileError: As `pack`.
    """
    name = pairs.tiles[i]
    what = f"tile {name} of point {pairs.points[i]}"
    try:
        data = pairs.place(name).read_bytes()
    except OSError as error:
        raise TileError(f"{what}: cannot be read ({error.strerror}); correct the manifest, or skip it") from error
    pixels = _rendered(TileFile(data), what, how, (pairs.latitude[i], pairs.longitude[i]))
    height, width = pixels.shape[:2]
    if min(height, width) < how.crop:
        raise TileError(
            f"{what}: has {width} x {height} pixels, fewer than the crop of {how.crop}; use a smaller --crop"
        )
    top, left = (height - how.crop) // 2, (width - how.crop) // 2
    return pixels[top : top + how.crop, left : left + how.crop]


def _rendered(file: TileFile, what: str, how: Rendering, place: tuple[float, float]) -> NDArray[np.uint8]:
    if not file.data.startswith(image.RASTER):
        return image.picture(file, what, how.bands).pixels
    with geotiff.opened(file, what) as raster:
        _check_place(raster, what, place)
        header = geotiff.header(raster)
        if header.dtype != "uint8":
            return _of_digital_numbers(raster, what, how)
    return image.picture(file, what, how.bands).pixels


def _of_digital_numbers(raster: Any, what: str, how: Rendering) -> NDArray[np.uint8]:
    """Red, green and blue of a file of digital numbers, stretched."""
    header = geotiff.header(raster)
    try:
        order = how.bands or pixel_rules.digital_order(header)
    except ValueError as error:
        raise TileError(f"{what}: bands {str(error).split(':')[0]}; name them in file order with --bands") from error
    if len(order) != raster.count or not set(RED_GREEN_BLUE) <= set(order):
        raise TileError(
            f"{what}: has {raster.count} bands, and --bands names {', '.join(order)}; name all in file order, B04, B03 "
            "and B02 among them"
        )
    values = raster.read([order.index(band) + 1 for band in RED_GREEN_BLUE])
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise TileError(f"{what}: holds values that are not finite (NaN); mend it or leave it out")
    return radiometry.render(values, how.policy)


def _check_place(raster: Any, what: str, place: tuple[float, float]) -> None:
    """TileError for a tile that says that it lies elsewhere than its point."""
    if raster.crs is None or not np.isfinite(place).all():
        return
    from rasterio.warp import transform

    x, y = raster.xy((raster.height - 1) / 2, (raster.width - 1) / 2)
    (longitude,), (latitude,) = transform(raster.crs, "EPSG:4326", [x], [y])
    km = kilometres((latitude, longitude), place)
    if km > FAR_KM:
        turned = kilometres((latitude, longitude), (place[1], place[0])) <= FAR_KM
        why = "are lat and lon exchanged?" if turned else "is it another point's?"
        raise TileError(
            f"{what}: lies at latitude {latitude:.3f}, longitude {longitude:.3f}, {km:,.0f} km from its point "
            f"({place[0]:.3f}, {place[1]:.3f}); {why}"
        )


def kilometres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Distance of two places given in degrees of latitude and longitude, on the sphere."""
    (a, b), (c, d) = np.radians(one), np.radians(other)
    half = np.sin((c - a) / 2) ** 2 + np.cos(a) * np.cos(c) * np.sin((d - b) / 2) ** 2
    return float(2 * EARTH_KM * np.arcsin(np.sqrt(min(1.0, half))))


def _names_sha256(pairs: PairList) -> str:
    import hashlib

    return hashlib.sha256("\n".join(pairs.tiles).encode()).hexdigest()
