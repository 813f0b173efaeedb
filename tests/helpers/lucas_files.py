"""A small LUCAS survey, generated: photos as of 2018 or 2022, the table of points, tiles. A tool of the tests."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

WORDS = {"N": "North", "E": "East", "S": "South", "W": "West", "P": "Point"}


def point_id(i: int) -> str:
    return f"{45802800 + 2 * i:08d}"


def place(i: int) -> tuple[float, float]:
    """Latitude and longitude of a point: 40 km from the next, so that several blocks are held out."""
    north, east = divmod(i, 6)
    return 47.0 + 0.36 * north, 8.0 + 0.54 * east


def photo_name(i: int, direction: str, year: int) -> str:
    point = point_id(i)
    if year == 2018:
        return f"AT/{point[:3]}/{point[3:6]}/{point}{direction}.jpg"
    return f"2022{point}LCLU_{WORDS[direction]}.jpg"


def picture(rng: np.random.Generator, colour: Any, size: tuple[int, int]) -> NDArray[np.uint8]:
    return np.clip(colour + 25 * rng.normal(size=(*size, 3)), 0, 255).astype(np.uint8)


def survey(folder: Path, n: int = 12, year: int = 2018, *, side: int = 40, digital: bool = False) -> Path:
    """Write `photos/`, `tiles/` and `points.csv`; the colour of a point is that of its tile and its photos."""
    rng = np.random.default_rng(0)
    (folder / "tiles").mkdir(parents=True)
    rows = []
    for i in range(n):
        colour = rng.integers(30, 225, 3)
        for direction in "NESWP":
            path = folder / "photos" / photo_name(i, direction, year)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture(rng, colour, (48, 64))).save(path, quality=90)
        tile = picture(rng, colour, (side, side))
        if digital:
            geotiff(folder / "tiles" / f"{point_id(i)}.tif", tile.astype(np.uint16)[..., ::-1] * 10, place(i))
        else:
            Image.fromarray(tile).save(folder / "tiles" / f"{point_id(i)}.png")
        latitude, longitude = place(i)
        rows.append({"POINT_ID": point_id(i), "NUTS0": "AT", "TH_LAT": latitude, "TH_LONG": longitude})
    with (folder / "points.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def geotiff(path: Path, bands: NDArray[Any], where: tuple[float, float], names: tuple[str, ...] = ()) -> Path:
    """Bands (H, W, B) of 10 m pixels around a place, in UTM."""
    import rasterio
    from rasterio.transform import from_origin
    from rasterio.warp import transform

    latitude, longitude = where
    crs = f"EPSG:{32600 + int((longitude + 180) // 6) + 1}"
    (x,), (y,) = transform("EPSG:4326", crs, [longitude], [latitude])
    height, width, count = bands.shape
    form = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": bands.dtype.name}
    with rasterio.open(
        path, "w", **form, crs=crs, transform=from_origin(x - 5 * width, y + 5 * height, 10, 10)
    ) as file:
        file.write(bands.transpose(2, 0, 1))
        for k, name in enumerate(names, 1):
            file.set_band_description(k, name)
    return path


def manifest(folder: Path, n: int = 12, **how: Any) -> Path:
    """A survey with its manifest."""
    from senbench.align import lucas, pairs

    survey(folder, n, **how)
    found = lucas.pairs(folder / "photos", folder / "points.csv", folder / "tiles", folder)
    pairs.write(folder / "pairs.csv", found.rows)
    return folder / "pairs.csv"
