"""Makes a scene of 20 x 15 synthetic fields as one GeoTIFF, labelled tiles cut from it, and a land-cover map of it."""

from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

from senbench.datasets.synthetic.scenes import scene

CLASSES = ("Forest", "AnnualCrop", "Residential", "SeaLake")
NAMES = ("B02", "B03", "B04", "B08")
WEST, NORTH, PIXEL, SIDE = 600_000, 5_300_000, 10, 64
TAGS = {"PROCESSING_BASELINE": "03.01", "PRODUCT_TYPE": "S2MSI1C"}


def write(path, values, west, north, pixel=PIXEL, names=NAMES, **tags):
    count, height, width = values.shape
    shape = {"count": count, "height": height, "width": width, "dtype": values.dtype}
    where = {"crs": "EPSG:32633", "transform": from_origin(west, north, pixel, pixel)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(path, "w", driver="GTiff", tiled=True, compress="deflate", **shape, **where) as file:
        file.write(values)
        file.descriptions = names
        file.update_tags(**tags)


cover = np.random.default_rng(4).integers(0, len(CLASSES), (15, 20))
rows = []
for y, row in enumerate(cover):
    fields = [scene(CLASSES[k], 1000 + 20 * y + x)[[1, 2, 3, 7]].astype(np.uint16) for x, k in enumerate(row)]
    for x, k in enumerate(row[:4]):  # the western edge of the scene was visited: tiles with labels
        west, north = WEST + SIDE * PIXEL * x, NORTH - SIDE * PIXEL * y
        write(Path("visited", CLASSES[k], f"{y}_{x}.tif"), fields[x], west, north, **TAGS)
    rows.append(np.concatenate(fields, axis=2))
write(Path("scene.tif"), np.concatenate(rows, axis=1), WEST, NORTH, **TAGS)
write(Path("cover.tif"), (cover[None] + 1).astype(np.uint8), WEST, NORTH, SIDE * PIXEL, ("cover",))
Path("cover.csv").write_text("value,class\n" + "".join(f"{k + 1},{name}\n" for k, name in enumerate(CLASSES)))
