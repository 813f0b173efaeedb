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


def safe(
    root: Path,
    values: np.ndarray,
    *,
    level="2A",
    driver="JP2OpenJPEG",
    offset: int | None = -1000,
    quantification=10_000,
    baseline="05.10",
    scl: np.ndarray | None = None,
) -> Path:
    """A `.SAFE` tree of lossless JP2s or GeoTIFFs: four bands at 10 m, B11 at 20 m, B09 at 60 m, at 2A an SCL.

    Args:
        root: Folder it is made in.
        values: uint16 (4, H, W) of the bands at 10 m.
        level: `1C` or `2A`.
        driver: GDAL's driver.
        offset: What the metadata say was added; None: nothing.
        quantification: Quantification value.
        baseline: Processing baseline.
        scl: Scene classification at 20 m; None: vegetation everywhere.
    """
    name = f"S2A_MSIL{level}_20260601T101031_N{baseline.replace('.', '')}_R022_T33UUP_20260601T140000"
    product = root / f"{name}.SAFE"
    images = product / "GRANULE" / f"L{level}_T33UUP_A000001_20260601T101031" / "IMG_DATA"
    kind = ("BOA", "RADIO")[level == "1C"]
    bands = {"B02": (values[0], 10), "B03": (values[1], 10), "B04": (values[2], 10), "B08": (values[3], 10)}
    bands["B11"] = (values[3, ::2, ::2] + 100, 20)
    bands["B09"] = (values[0, ::6, ::6] + 50, 60)
    if level == "2A":
        bands["SCL"] = (np.full(values[0, ::2, ::2].shape, 4, np.uint8) if scl is None else scl, 20)
    lossless = {"QUALITY": 100, "REVERSIBLE": "YES"} if driver == "JP2OpenJPEG" else {}
    for band, (plane, metres) in bands.items():
        inside = images / f"R{metres}m" if level == "2A" else images
        inside.mkdir(parents=True, exist_ok=True)
        ending = f"_{metres}m" if level == "2A" else ""
        suffix = ".jp2" if driver == "JP2OpenJPEG" else ".tif"
        shape = {"height": plane.shape[0], "width": plane.shape[1], "count": 1, "dtype": plane.dtype}
        where = {"crs": "EPSG:32633", "transform": from_origin(WEST, NORTH, metres, metres)}
        with rasterio.open(
            inside / f"T33UUP_20260601T101031_{band}{ending}{suffix}", "w", driver=driver, **shape, **where, **lossless
        ) as file:
            file.write(plane, 1)
    added = (
        ""
        if offset is None
        else "".join(f'<{kind}_ADD_OFFSET band_id="{k}">{offset}</{kind}_ADD_OFFSET>' for k in range(13))
    )
    word = f"{kind}_QUANTIFICATION_VALUE" if level == "2A" else "QUANTIFICATION_VALUE"
    (product / f"MTD_MSIL{level}.xml").write_text(
        f'<?xml version="1.0"?><n1:Level-{level}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/x">'
        f"<General_Info><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE><PRODUCT_TYPE>S2MSI{level}</PRODUCT_TYPE>"
        f'<{word} unit="none">{quantification}</{word}>{added}</General_Info></n1:Level-{level}_User_Product>'
    )
    return product
