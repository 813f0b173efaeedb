"""A user's own GeoTIFFs of digital numbers in class folders: tools of the tests."""

from __future__ import annotations

import numpy as np
import rasterio
from rasterio.transform import from_origin

from senbench.datasets.open import open_dataset

FOUR = ("B02", "B03", "B04", "B08")
NEW = {"PROCESSING_BASELINE": "05.10", "PRODUCT_TYPE": "S2MSI2A"}
OLD = {"PROCESSING_BASELINE": "03.01", "PRODUCT_TYPE": "S2MSI1C"}
OFF, ON, L1C, L2A = (0, 1000, "L1C", "L2A")


def dn(seed: int, bands: int = 4, size: tuple[int, int] = (20, 24), kind: str = "uint16") -> np.ndarray:
    """Values above the offset, every band at its own level, (bands, height, width)."""
    rng = np.random.default_rng(seed)
    return (1100 + rng.integers(0, 300, (bands, *size)) + 300 * np.arange(bands)[:, None, None]).astype(kind)


def write(path, values, names=FOUR, tags=NEW, nodata=None, epsg=None, east=5e5, scaling=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    geo = {} if epsg is None else {"crs": f"EPSG:{epsg}", "transform": from_origin(east, 5.2e6, 10, 10)}
    shape = {"count": values.shape[0], "height": values.shape[1], "width": values.shape[2]}
    with rasterio.open(path, "w", driver="GTiff", dtype=values.dtype, nodata=nodata, **shape, **geo) as file:
        file.write(values)
        if names is not None:
            file.descriptions = names
        if scaling is not None:
            file.scales, file.offsets = zip(*[scaling] * len(values), strict=True)
        file.update_tags(**tags)
    return path


def folder(root, n: int = 2, **how):
    """Two classes of n tiles."""
    for k, name in enumerate(("field", "water")):
        for i in range(n):
            write(root / name / f"t{i}.tif", dn(10 * k + i), **how)
    return root


def opened(root, **how):
    return open_dataset(f"folder:{root}", split=None, data_dir=None, **how)
