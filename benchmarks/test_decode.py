"""Decoding: tiles from a zip in place against PIL on bytes in memory."""

from __future__ import annotations

import io

import eurosat_files
import numpy as np
import pytest
from PIL import Image

from senbench.datasets.open import open_dataset

pytestmark = pytest.mark.benchmark(group="decode")


def test_jpegs_from_a_zip(against, tmp_path):
    """Limit: the JPEGs in memory, decoded to arrays."""
    files = eurosat_files.jpegs(60)
    eurosat_files.packed(tmp_path / "EuroSAT.zip", files)
    tiles = open_dataset("eurosat-rgb", split="all", data_dir=str(tmp_path), offline=True)
    against(
        lambda: [tiles.read(i) for i in range(len(tiles))],
        lambda: [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in files.values()],
        what="PIL on bytes in memory",
    )
