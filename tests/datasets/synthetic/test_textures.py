"""Random fields, and what the sensor and the air make of the ground."""

from __future__ import annotations

import numpy as np

from senbench.datasets.synthetic import textures as tx


def test_coarse_bands_are_smoother():
    rng = np.random.default_rng(0)
    ground = np.where(rng.random((tx.FINE, tx.FINE, 1)) < 0.5, 200.0, 4000.0) * np.ones(13)
    air = tx.Atmosphere(haze=0.5, noise=0.0, gain=np.ones(13), sigma=1.0)
    dn = tx.observe(rng, ground, air).astype(float)
    rough = np.abs(np.diff(dn, axis=2)).mean((1, 2)) / tx._CLEAR
    b02, b05, b09 = (rough[tx.BANDS.index(b)] for b in ("B02", "B05", "B09"))
    assert b02 > 1.5 * b05 > 3 * b09


def test_haze_brightens_blue_most():
    ground = np.full((tx.FINE, tx.FINE, 13), 300.0)
    clear, hazy = (
        tx.observe(np.random.default_rng(0), ground, tx.Atmosphere(h, 0.0, np.ones(13), 1.0)).mean((1, 2))
        for h in (0.2, 3.0)
    )
    rise = hazy - clear
    assert rise[1] > rise[3] > rise[7] > rise[11] > 0


def test_random_fields_have_unit_variance():
    rng = np.random.default_rng(1)
    for knots in (3, 16, 64):
        values = np.stack([tx.smooth(rng, knots) for _ in range(300)])
        assert np.allclose(values.std(0), 1, atol=0.25)
    assert abs(np.stack([tx.fractal(rng, 0.6) for _ in range(100)]).std() - 1) < 0.1
