"""Spectra of the land covers."""

from __future__ import annotations

import numpy as np
import pytest

from senbench.datasets.synthetic import textures as tx
from senbench.datasets.synthetic.scenes import CLASSES, FRESH_SEED, scene


@pytest.fixture(scope="module")
def stack() -> np.ndarray:
    """Twelve scenes of each class, (10, 12, 13, 64, 64)."""
    return np.stack([[scene(key, FRESH_SEED + 777_000_000 + n) for n in range(12)] for key in CLASSES])


def rows(stack: np.ndarray, key: str, band: str) -> np.ndarray:
    return stack[CLASSES.index(key), :, tx.BANDS.index(band)].astype(float)


def test_physics_of_the_covers(stack):
    # vegetation: red edge; water: nothing in the near infrared; air: blue above red over dark ground
    for key in ("Forest", "Pasture"):
        assert np.median(rows(stack, key, "B08")) > 3 * np.median(rows(stack, key, "B04"))
    assert np.median(rows(stack, "SeaLake", "B08")) < 400
    assert np.median(rows(stack, "SeaLake", "B02")) > 1.5 * np.median(rows(stack, "SeaLake", "B04"))
    assert np.median(rows(stack, "Industrial", "B04")) > 2 * np.median(rows(stack, "Forest", "B04"))
    assert np.median(stack[:, :, tx.BANDS.index("B10")]) < 40
