"""Painters of the 19 BigEarthNet classes, and of land that has none of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from senbench.datasets.bigearthnet.corine import TO_19
from senbench.datasets.synthetic import textures as tx
from senbench.datasets.synthetic.landcover import Canvas, fields, grassland, orchard, scrub, town, wood, works
from senbench.datasets.synthetic.textures import SPECTRA, Array, mix, vary

if TYPE_CHECKING:
    from collections.abc import Callable


def _arable(c: Canvas) -> None:
    green = c.rng.beta(1.2, 0.9)
    fields(c, c.rng.uniform(120, 420), (1 - green) * c.rng.uniform(0.5, 1), green)


def _complex(c: Canvas) -> None:
    fields(c, c.rng.uniform(25, 55), 0.3, 0.45)
    c.trees(c.rng.uniform(0.01, 0.04), wood(c))
    c.trees(0.01, vary(c.rng, SPECTRA["roof_tile"]))


def _agriculture_with_nature(c: Canvas) -> None:
    fields(c, c.rng.uniform(60, 160), 0.2, 0.5)
    nature = tx.fractal(c.rng, 0.55, 4, 48) > c.rng.uniform(-0.1, 0.4)
    c.put(nature, wood(c) * np.clip(1 + 0.2 * tx.smooth(c.rng, 64)[nature], 0.4, 1.7)[:, None], 0.9)
    c.shadow(nature, 0.25)


def _agroforestry(c: Canvas) -> None:
    grassland(c, 0.35, 0.05)
    c.trees(c.rng.uniform(0.06, 0.16), vary(c.rng, SPECTRA["olive"]), size=64)


def _canopy(c: Canvas, first: str, second: str) -> None:
    """Closed forest of one or two kinds of tree in stands."""
    stand = 1 / (1 + np.exp(-4 * tx.fractal(c.rng, 0.55, 4, 32)))[..., None]
    c.ground[:] = vary(c.rng, SPECTRA[first], 0.12) * stand + vary(c.rng, SPECTRA[second], 0.12) * (1 - stand)
    c.shade(1 + 0.18 * tx.smooth(c.rng, 64) + 0.08 * tx.smooth(c.rng, 96) + 0.1 * tx.fractal(c.rng, 0.5, 3, 16))


def _moor(c: Canvas) -> None:
    share = 1 / (1 + np.exp(-2 * tx.fractal(c.rng, 0.7, 4, 96)))[..., None]
    c.ground[:] = vary(c.rng, SPECTRA["shrub"]) * share + vary(c.rng, mix({"olive": 1, "grass_dry": 1})) * (1 - share)
    c.shade(1 + 0.12 * tx.fractal(c.rng, 0.5, 3, 24))


def _transitional(c: Canvas) -> None:
    scrub(c)
    c.trees(c.rng.uniform(0.15, 0.35), wood(c))


def _sand(c: Canvas) -> None:
    c.ground[:] = vary(c.rng, SPECTRA["sand"], 0.08)
    c.shade(1 + 0.06 * tx.fractal(c.rng, 0.6, 3, 48) + 0.02 * tx.smooth(c.rng, 96))


def _marsh(c: Canvas) -> None:
    c.ground[:] = vary(c.rng, mix({"grass_dull": 1, "shrub": 0.6, "soil_dark": 0.4}))
    c.shade(1 + 0.15 * tx.fractal(c.rng, 0.6, 3, 64))
    pools = tx.fractal(c.rng, 0.6, 6, 64) > c.rng.uniform(0.5, 1.1)
    c.put(pools, vary(c.rng, mix({"water_dark": 1, "water_brown": 1})), 0.85)


def _salt_marsh(c: Canvas) -> None:
    c.ground[:] = vary(c.rng, mix({"soil_bright": 1, "grass_dull": 1, "shrub": 0.5}))
    c.shade(1 + 0.1 * tx.fractal(c.rng, 0.6, 3, 48))
    for _ in range(4):
        u, v = tx.axes(c.rng)
        creek = np.abs(tx.curve(c.rng, u, v, c.rng.uniform(40, 120))) < c.rng.uniform(6, 22)
        c.put(creek, vary(c.rng, mix({"water_green": 1, "water_brown": 1})))


def _water(c: Canvas, kinds: dict[str, float]) -> None:
    names, weights = list(kinds), np.array(list(kinds.values()))
    spectrum: Array = c.rng.dirichlet(weights) @ np.stack([SPECTRA[name] for name in names])
    c.ground[:] = vary(c.rng, spectrum, 0.1)
    c.shade(1 + 0.05 * tx.smooth(c.rng, 16))


def _bare(c: Canvas) -> None:
    c.ground[:] = vary(c.rng, mix({"rock": 1, "gravel": 0.5}), 0.15)
    c.shade(1 + 0.25 * tx.fractal(c.rng, 0.6, 3, 96))


class Cover(NamedTuple):
    """One kind of land."""

    name: str
    """Class of the 19; `none` for land that is in none."""
    classes: tuple[str, ...]
    """Classes of the 43 that such land may be."""
    paint: Callable[[Canvas], None]
    """Covers a canvas with it."""


_PAINTERS: dict[str, tuple[Callable[[Canvas], None], float]] = {
    "Urban fabric": (town, 0.12),
    "Industrial or commercial units": (lambda c: works(c, int(c.rng.integers(8, 26))), 0.03),
    "Arable land": (_arable, 0.3),
    "Permanent crops": (orchard, 0.05),
    "Pastures": (lambda c: grassland(c, float(np.clip(0.8 - 0.3 * c.dry, 0.2, 1)), 0.06), 0.16),
    "Complex cultivation patterns": (_complex, 0.17),
    "Land principally occupied by agriculture, with significant areas of natural vegetation": (
        _agriculture_with_nature,
        0.2,
    ),
    "Agro-forestry areas": (_agroforestry, 0.05),
    "Broad-leaved forest": (lambda c: _canopy(c, "broadleaf", "broadleaf"), 0.2),
    "Coniferous forest": (lambda c: _canopy(c, "conifer", "conifer"), 0.24),
    "Mixed forest": (lambda c: _canopy(c, "broadleaf", "conifer"), 0.26),
    "Natural grassland and sparsely vegetated areas": (scrub, 0.03),
    "Moors, heathland and sclerophyllous vegetation": (_moor, 0.03),
    "Transitional woodland, shrub": (_transitional, 0.22),
    "Beaches, dunes, sands": (_sand, 0.01),
    "Inland wetlands": (_marsh, 0.04),
    "Coastal wetlands": (_salt_marsh, 0.01),
    "Inland waters": (lambda c: _water(c, {"water_green": 1.0, "water_brown": 1.0, "water_dark": 1.5}), 0.11),
    "Marine waters": (lambda c: _water(c, {"water_clear": 1.5, "water_blue": 1.5}), 0.12),
    "none": (_bare, 0.03),
}
"""Class -> painter, and how often it is drawn: unequal, roughly as in Europe."""

COVERS: tuple[Cover, ...] = tuple(
    Cover(
        name,
        tuple(fine for fine, group in TO_19.items() if group == name)
        or ("Mineral extraction sites", "Construction sites", "Bare rock"),
        paint,
    )
    for name, (paint, _) in _PAINTERS.items()
)
"""The 19 classes in label order, then land that has none of them."""

FREQUENCY = np.array([weight for _, weight in _PAINTERS.values()])
"""Relative frequency of each cover in drawing, (20,)."""
