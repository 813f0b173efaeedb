"""Material spectra, random textures and the Sentinel-2 sensor model behind the procedural scenes.

Scenes are painted as surface reflectance on a grid twice as fine as Sentinel-2's (5 m), then seen through
an atmosphere, a point spread function per band and noise. Spectra are typical values drawn up for this
project from general knowledge of field spectra; they are no measurement.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A")
"""EuroSAT's order of bands in a file."""
TILE = 64
"""Pixels per side of a tile, 10 m each."""
FINE = 128
"""Grid points per side of the canvas, 5 m each."""

_WAVELENGTH = np.array([443, 490, 560, 665, 705, 740, 783, 842, 945, 1375, 1610, 2190, 865]) / 1000
_SIGMA_M = np.array([28, 5, 5, 5, 9, 9, 9, 5, 28, 28, 9, 9, 9], dtype=float)
_RAYLEIGH = np.array([900, 565, 285, 130, 105, 85, 68, 52, 8, 6, 3, 1, 46], dtype=float)
_AEROSOL = np.array([125, 110, 98, 86, 80, 74, 68, 62, 20, 1, 26, 14, 60], dtype=float)
_CLEAR = np.array([0.80, 0.84, 0.87, 0.91, 0.89, 0.91, 0.94, 0.95, 0.28, 0.002, 0.95, 0.93, 0.96])

# Surface reflectance x 10,000, in the order of BANDS.
_SPECTRA: dict[str, Sequence[float]] = {
    "soil_dark": (430, 510, 680, 920, 1050, 1180, 1300, 1420, 1600, 1800, 1880, 1330, 1500),
    "soil_bright": (1060, 1340, 1800, 2400, 2650, 2850, 3000, 3150, 3350, 3600, 3590, 2740, 3250),
    "soil_red": (470, 610, 980, 1750, 2050, 2280, 2420, 2520, 2700, 2950, 2990, 2160, 2600),
    "stubble": (690, 930, 1300, 1800, 2100, 2380, 2600, 2820, 3000, 2900, 3150, 2080, 2900),
    "ripe": (540, 710, 1080, 1520, 1900, 2920, 3330, 3290, 3460, 2700, 2790, 1600, 3690),
    "crop": (240, 310, 680, 360, 1000, 3740, 5030, 4970, 4970, 2300, 2100, 1000, 5500),
    "crop_young": (330, 430, 800, 690, 1250, 2920, 3510, 3460, 3560, 2300, 2500, 1600, 3860),
    "grass": (260, 350, 740, 470, 1080, 3280, 4210, 4210, 4320, 2400, 2300, 1200, 4680),
    "grass_dull": (380, 500, 860, 800, 1350, 2750, 3220, 3190, 3290, 2300, 2650, 1650, 3570),
    "grass_dry": (560, 760, 1100, 1380, 1750, 2630, 2920, 2920, 3080, 2600, 3060, 1880, 3280),
    "shrub": (210, 290, 500, 430, 780, 1870, 2280, 2320, 2380, 1500, 1700, 950, 2630),
    "broadleaf": (130, 185, 420, 230, 640, 2690, 3570, 3620, 3670, 1500, 1500, 650, 4040),
    "conifer": (110, 145, 270, 175, 390, 1520, 1990, 2000, 2050, 900, 850, 380, 2280),
    "bare_wood": (300, 390, 560, 640, 850, 1300, 1550, 1700, 1800, 1600, 2000, 1200, 1750),
    "olive": (280, 380, 620, 600, 950, 1990, 2340, 2380, 2430, 1600, 1900, 1150, 2630),
    "water_clear": (230, 190, 110, 45, 30, 25, 22, 18, 12, 4, 5, 4, 15),
    "water_blue": (420, 400, 260, 80, 55, 40, 35, 28, 15, 4, 6, 4, 24),
    "water_green": (330, 420, 600, 310, 270, 140, 125, 95, 50, 5, 18, 10, 80),
    "water_brown": (420, 560, 840, 800, 720, 450, 420, 310, 140, 8, 40, 20, 250),
    "water_dark": (130, 150, 190, 140, 130, 90, 85, 70, 30, 4, 12, 7, 60),
    "asphalt": (620, 720, 850, 950, 1010, 1070, 1120, 1170, 1250, 1400, 1500, 1400, 1220),
    "concrete": (1300, 1650, 2050, 2350, 2480, 2580, 2680, 2780, 2850, 2900, 3200, 2950, 2850),
    "gravel": (900, 1120, 1430, 1700, 1820, 1930, 2030, 2130, 2230, 2400, 2700, 2500, 2200),
    "roof_tile": (500, 640, 930, 1650, 1950, 2050, 2150, 2250, 2450, 2900, 3400, 3300, 2450),
    "roof_dark": (430, 490, 580, 640, 680, 720, 760, 800, 860, 1000, 1150, 1150, 840),
    "roof_grey": (950, 1120, 1300, 1450, 1520, 1590, 1660, 1730, 1800, 2000, 2150, 2050, 1790),
    "roof_white": (2600, 3100, 3550, 3800, 3900, 3950, 4000, 4050, 4100, 4000, 3900, 3500, 4100),
    "roof_blue": (1500, 1700, 1500, 1150, 1150, 1250, 1500, 1750, 1800, 1900, 1800, 1500, 1800),
    "rock": (950, 1150, 1450, 1700, 1800, 1900, 2000, 2100, 2200, 2400, 2700, 2500, 2150),
    "sand": (1400, 1800, 2400, 2900, 3100, 3250, 3400, 3500, 3650, 3900, 4300, 4000, 3600),
}
SPECTRA: dict[str, Array] = {name: np.array(values, dtype=float) for name, values in _SPECTRA.items()}
"""Material -> surface reflectance x 10,000, shape (13,)."""


def mix(parts: dict[str, float]) -> Array:
    """Linear mixture of materials, weights normalised to one: reflectance x 10,000, shape (13,)."""
    total = sum(parts.values())
    return np.asarray(sum(SPECTRA[name] * (w / total) for name, w in parts.items()), dtype=float)


def vary(rng: np.random.Generator, spectra: Array, gain: float = 0.1, tilt: float = 0.06) -> Array:
    """Scatter spectra in brightness and in slope over wavelength, as plots of one material differ.

    Args:
        rng: Source of randomness.
        spectra: Reflectance, shape (..., 13).
        gain: Standard deviation of log brightness.
        tilt: Standard deviation of the relative change from 0.44 to 0.87 micrometres.

    Returns:
        Reflectance, same shape.
    """
    shape = (*spectra.shape[:-1], 1)
    slope = np.clip((_WAVELENGTH - 0.66) / 0.43, -0.6, 0.8)
    wanted = np.exp(rng.normal(0, gain, shape)) * (1 + rng.normal(0, tilt, shape) * slope)
    return np.asarray(spectra * np.clip(wanted, 0.4, 2.2))


@cache
def _knot_weights(knots: int) -> Array:
    """Weights (FINE, knots) of a cubic B-spline through random knots, each row of unit length."""
    x = (np.arange(FINE) + 0.5) / FINE * (knots - 1)
    t = np.abs(x[:, None] - np.arange(knots)[None])
    spline = np.where(t < 1, 2 / 3 - t**2 + t**3 / 2, np.clip(2 - t, 0, None) ** 3 / 6)
    return np.asarray(spline / np.linalg.norm(spline, axis=1, keepdims=True))


def smooth(rng: np.random.Generator, knots: int) -> Array:
    """Smooth Gaussian field of zero mean and unit variance, (FINE, FINE); `knots` per side (2..128)."""
    w = _knot_weights(knots)
    return np.asarray(w @ rng.standard_normal((knots, knots)) @ w.T)


def fractal(rng: np.random.Generator, roughness: float, coarsest: int = 3, finest: int = 96) -> Array:
    """Sum of smooth fields, each twice as fine, of amplitude `roughness` times the one before.

    Returns:
        Field of zero mean and unit variance, shape (FINE, FINE).
    """
    total, weight, square, knots = np.zeros((FINE, FINE)), 1.0, 0.0, coarsest
    while knots <= finest:
        total += weight * smooth(rng, knots)
        square += weight**2
        weight *= roughness
        knots *= 2
    return np.asarray(total / np.sqrt(square))


def axes(rng: np.random.Generator, bend: float = 0.0) -> tuple[Array, Array]:
    """Turned, shifted and optionally bent ground coordinates.

    Args:
        rng: Source of randomness.
        bend: Amplitude of a slow displacement, metres.

    Returns:
        `u, v` in metres, each (FINE, FINE), origin somewhere in the tile.
    """
    turn = rng.uniform(0, np.pi)
    y, x = np.mgrid[0:FINE, 0:FINE] * 5.0
    y, x = y - rng.uniform(120, 520), x - rng.uniform(120, 520)
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    if bend > 0:
        u, v = u + bend * smooth(rng, 4), v + bend * smooth(rng, 4)
    return u, v


def parcels(rng: np.random.Generator, u: Array, v: Array, width: float, length: float) -> NDArray[np.int64]:
    """Strip parcels: bands across `v`, each cut along `u` at its own places.

    Args:
        rng: Source of randomness.
        u: Coordinate along the strips, metres, (FINE, FINE).
        v: Coordinate across, metres, (FINE, FINE).
        width: Mean width of a strip, metres.
        length: Mean length of a parcel, metres.

    Returns:
        Parcel number per point, 0..255, (FINE, FINE).
    """
    cuts = np.cumsum(width * rng.uniform(0.5, 1.5, 63)) - 32 * width
    strip = np.searchsorted(cuts, v.ravel()).reshape(v.shape)
    lengths, starts = length * rng.uniform(0.6, 1.5, 64), rng.uniform(0, 2000, 64)
    cell = np.floor((u + starts[strip] + 1000) / lengths[strip]).astype(np.int64)
    return (strip * 16 + cell % 16) % 256


def edges(ids: NDArray[np.int64]) -> Mask:
    """Points whose right or lower neighbour belongs to another parcel, (FINE, FINE)."""
    out = np.zeros(ids.shape, dtype=bool)
    out[:-1] |= ids[1:] != ids[:-1]
    out[:, :-1] |= ids[:, 1:] != ids[:, :-1]
    return out


def curve(rng: np.random.Generator, u: Array, v: Array, amplitude: float) -> Array:
    """Signed distance in metres from a meandering line along `u`, (FINE, FINE)."""
    period, phase = rng.uniform(350, 1400), rng.uniform(0, 2 * np.pi, 2)
    line = np.sin(2 * np.pi * u / period + phase[0]) + 0.35 * np.sin(4.6 * np.pi * u / period + phase[1])
    slope = amplitude * 2 * np.pi / period * np.cos(2 * np.pi * u / period + phase[0])
    return np.asarray((v - amplitude * line) / np.sqrt(1 + slope**2))


@cache
def _psf(sigma_m: float) -> Array:
    """Sampling matrix (TILE, FINE): Gaussian response of a pixel to the ground, rows sum to one."""
    centre = (np.arange(TILE) + 0.5) * 10
    ground = (np.arange(FINE) + 0.5) * 5
    w = np.exp(-0.5 * ((centre[:, None] - ground[None]) / sigma_m) ** 2)
    return np.asarray(w / w.sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Atmosphere:
    """What lies between the ground and the sensor.

    Attributes:
        haze: Aerosol load; 1 is an ordinary clear day over Europe.
        noise: Standard deviation of sensor noise, DN.
        gain: Relative calibration and view effect per band, (13,).
        sigma: Factor on the width of the point spread function.
    """

    haze: float
    noise: float
    gain: Array
    sigma: float

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Atmosphere:
        """An acquisition: mostly clear, sometimes hazy."""
        haze = min(rng.gamma(1.6, 0.6), 5.0)
        return cls(haze, rng.uniform(9, 20), 1 + rng.normal(0, 0.025, 13), rng.choice([0.9, 1.0, 1.1, 1.25]))


def observe(rng: np.random.Generator, ground: Array, air: Atmosphere) -> NDArray[np.uint16]:
    """Top-of-atmosphere digital numbers of a painted ground.

    Path radiance of air (Rayleigh) and aerosol adds to the attenuated surface signal; bands of 20 m and
    60 m are seen through their wider response, as in resampled tiles.

    Args:
        rng: Source of randomness.
        ground: Surface reflectance x 10,000, (FINE, FINE, 13).
        air: The acquisition.

    Returns:
        DN in the order of BANDS, uint16 (13, TILE, TILE).
    """
    blurred = np.empty((13, TILE, TILE))
    for sigma in np.unique(_SIGMA_M):
        of = np.flatnonzero(sigma == _SIGMA_M)
        w = _psf(round(float(sigma * air.sigma), 2))
        rows = (w @ ground[..., of].reshape(FINE, -1)).reshape(TILE, FINE, len(of))
        blurred[of] = np.matmul(w, rows).transpose(2, 0, 1)
    path = _RAYLEIGH + air.haze * _AEROSOL
    through = _CLEAR * np.exp(-air.haze * _AEROSOL / 2600)
    dn = (path[:, None, None] + through[:, None, None] * blurred) * air.gain[:, None, None]
    dn += rng.standard_normal(dn.shape) * (air.noise * np.sqrt(0.25 + dn / 2000))
    return np.clip(np.rint(dn), 1, 28000).astype(np.uint16)
