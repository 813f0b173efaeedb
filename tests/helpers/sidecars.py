"""What GDAL keeps beside a raster file: masks and metadata."""

from __future__ import annotations

import numpy as np
from rasterio.io import MemoryFile


def mask(there: np.ndarray) -> bytes:
    """A mask for the whole file (`.msk`), from bool (H, W), True where there are data."""
    with MemoryFile() as memory:
        shape = {"count": 1, "height": there.shape[0], "width": there.shape[1], "dtype": "uint8"}
        with memory.open(driver="GTiff", **shape) as file:
            file.write(np.where(there, 255, 0).astype("uint8")[None])
            file.update_tags(**{f"INTERNAL_MASK_FLAGS_{k}": "2" for k in range(1, 14)})
        return memory.read()


def metadata(*bands: str) -> bytes:
    """Metadata (`.aux.xml`), one piece of XML per band, such as `<Description>B02</Description>`."""
    inside = "".join(f'<PAMRasterBand band="{k}">{text}</PAMRasterBand>' for k, text in enumerate(bands, 1))
    return f"<PAMDataset>{inside}</PAMDataset>".encode()
