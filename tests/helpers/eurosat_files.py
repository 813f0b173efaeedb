"""Sixty real EuroSAT JPEGs, and look-alikes: JPEGs and 13-band GeoTIFFs in the layouts of the real archives."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image
from places import ROOT

from senbench.datasets.catalog import BANDS, EUROSAT

if TYPE_CHECKING:
    from pathlib import Path

BASE = "ds/images/remote_sensing/otherDatasets/sentinel_2/tif"
REAL = ROOT / "tests" / "data" / "eurosat"
"""Six real tiles of each class, below `2750/` as in the archive; its README says where they are from."""


def real() -> dict[str, bytes]:
    """`<Class>/<Class>_<n>.jpg` -> bytes of the real tiles, in the order of the names."""
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(REAL.glob("2750/*/*.jpg"))}


def jpeg(seed: int, size: tuple[int, int] = (64, 64), mode: str = "RGB") -> bytes:
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)).resize(size).convert(mode)
    out = io.BytesIO()
    small.save(out, "JPEG", quality=90)
    return out.getvalue()


def jpegs(per_class: int = 3, classes: tuple[str, ...] = EUROSAT) -> dict[str, bytes]:
    """`<Class>/<Class>_<n>.jpg` -> bytes."""
    return {
        f"{key}/{key}_{n}.jpg": jpeg(100 * EUROSAT.index(key) + n) for key in classes for n in range(1, per_class + 1)
    }


def dn_tile(seed: int, *, side: int = 64, bands: int = 13) -> np.ndarray:
    """DN, uint16 (bands, side, side), every band at its own level."""
    rng = np.random.default_rng(seed)
    return (rng.integers(0, 900, (bands, side, side)) + 150 * np.arange(bands)[:, None, None]).astype(np.uint16)


def tiff(dn: np.ndarray, *, epsg: int | None = 32633, east: float = 5e5, descriptions: bool = False) -> bytes:
    import rasterio
    from rasterio.io import MemoryFile
    from rasterio.transform import from_origin

    geo = {} if epsg is None else {"crs": f"EPSG:{epsg}", "transform": from_origin(east, 5.2e6, 10, 10)}
    shape = {"count": dn.shape[0], "height": dn.shape[1], "width": dn.shape[2]}
    with rasterio.Env(), MemoryFile() as memory:
        with memory.open(driver="GTiff", dtype=str(dn.dtype), interleave="pixel", **shape, **geo) as file:
            file.write(dn)
            if descriptions:
                file.descriptions = BANDS
        return memory.read()


def tiffs(per_class: int = 2, classes: tuple[str, ...] = EUROSAT, **how) -> dict[str, bytes]:
    """`<Class>/<Class>_<n>.tif` -> bytes; tiles of a class lie 640 m apart, classes 20 km."""
    return {
        f"{key}/{key}_{n}.tif": tiff(dn_tile(100 * k + n), east=5e5 + 2e4 * k + 640 * n, **how)
        for k, key in enumerate(classes)
        for n in range(1, per_class + 1)
    }


def unpack(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def packed(path: Path, files: dict[str, bytes], prefix: str = "2750/", method: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(prefix + name, data)
    return path
