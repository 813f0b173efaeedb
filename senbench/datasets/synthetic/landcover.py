"""Land covers that procedural scenes are painted with: fields, meadows, woods, scrub, orchards, towns, works.

Each function covers a canvas of surface reflectance and notes what lies where, which ground_views.py shows from
eye level; scenes.py combines them into EuroSAT's classes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

from senbench.datasets.synthetic import textures as tx
from senbench.datasets.synthetic.textures import FINE, SPECTRA, Array, Mask, mix, vary

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LandCover(IntEnum):
    """What lies at a point of the canvas."""

    BARE = 0
    FIELD = 1
    GRASS = 2
    ROUGH = 3
    SHRUB = 4
    TREES = 5
    ORCHARD = 6
    HOUSE = 7
    HALL = 8
    ROAD = 9
    PAVED = 10
    TRACK = 11
    WATER = 12


@dataclass
class Canvas:
    """Ground being painted.

    Attributes:
        rng: Source of randomness.
        dry: 0 moist Atlantic summer, 1 dry Mediterranean summer.
        soil: Local bare soil, (13,).
        sun: Shift of a shadow in grid points (rows, columns).
        ground: Surface reflectance x 10,000, (FINE, FINE, 13).
        cover: Value of `LandCover` at each point, uint8 (FINE, FINE). Noting it draws no random number, so that a tile
            does not depend on it.
    """

    rng: np.random.Generator
    dry: float
    soil: Array
    sun: tuple[int, int]
    ground: Array
    cover: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((FINE, FINE), np.uint8))

    @classmethod
    def draw(cls, rng: np.random.Generator, dry: tuple[float, float] = (1.2, 1.2)) -> Canvas:
        """A place and a season; `dry` are the parameters of the beta law of dryness."""
        d = rng.beta(*dry)
        parts = rng.dirichlet((1.4, 0.2 + 1.1 * d, 0.1 + 0.35 * d))
        soil = parts @ np.stack([SPECTRA["soil_dark"], SPECTRA["soil_bright"], SPECTRA["soil_red"]])
        sun = (-int(rng.integers(1, 4)), int(rng.integers(-2, 2)))
        soil = vary(rng, soil, 0.25, 0.1) * np.exp(0.9 * (d - 0.5))
        return cls(rng, d, soil, sun, np.empty((FINE, FINE, 13)))

    def put(self, where: Mask, spectrum: Array, opacity: float = 1.0) -> None:
        """Cover `where` with one spectrum (13,) or one per covered point (n, 13)."""
        if opacity >= 1:
            self.ground[where] = spectrum
        else:
            self.ground[where] = (1 - opacity) * self.ground[where] + opacity * spectrum

    def note(self, where: Mask | None, cover: LandCover) -> None:
        """State what lies at `where`, or everywhere."""
        self.cover[... if where is None else where] = cover

    def shade(self, factor: Array, where: Mask | None = None) -> None:
        """Multiply reflectance by a field, clipped to 0.15..2."""
        f = np.clip(factor, 0.15, 2)[..., None]
        if where is None:
            self.ground *= f
        else:
            self.ground[where] *= f[where]

    def shadow(self, body: Mask, depth: float) -> None:
        """Cast the shadow of raised bodies to their north side."""
        cast = np.roll(body, self.sun, (0, 1)) & ~body
        self.ground[cast] *= 1 - depth

    def trees(
        self,
        density: Array | float,
        kind: Array,
        size: int = 64,
        opacity: float = 0.8,
        cover: LandCover = LandCover.TREES,
    ) -> None:
        """Scatter crowns (or another cover) of 640/`size` metres; `density` is their probability per place."""
        chance = self.rng.random((size, size))
        step = FINE // size
        chance = np.repeat(np.repeat(chance, step, 0), step, 1)
        body = chance < density
        self.put(body, kind, opacity)
        self.note(body, cover)
        self.shadow(body, 0.3)


def grass(c: Canvas, lush: float) -> Array:
    """Grass from dry (0) to lush (1)."""
    if lush > 0.5:
        return mix({"grass": lush - 0.5, "grass_dull": 1 - lush})
    dry = mix({"grass_dull": lush + 0.02, "grass_dry": 0.5 - lush})
    return np.asarray(dry * np.exp(c.rng.normal(0.7 * (c.dry - 0.45), 0.1)))


def wood(c: Canvas) -> Array:
    """Tree canopy of the place and season."""
    conifer, bare = c.rng.beta(0.8, 0.8), (c.rng.random() < 0.12) * c.rng.uniform(0.2, 0.8)
    parts = {"conifer": conifer, "broadleaf": (1 - conifer) * (1 - bare), "bare_wood": (1 - conifer) * bare}
    parts["shrub"] = 0.35 * c.dry
    return vary(c.rng, mix(parts), 0.12)


def _crop_palette(c: Canvas, n: int, bare: float, green: float) -> Array:
    """Spectra of `n` parcels (n, 13): bare, green or ripe, with growth between soil and canopy."""
    rng = c.rng
    stage = rng.choice(4, n, p=_shares(bare, green))
    cover = rng.beta(2, 1.2, (n, 1))
    top = np.stack([c.soil, SPECTRA["crop"], SPECTRA["crop_young"], SPECTRA["stubble"]])[stage]
    top = np.where(rng.random((n, 1)) < 0.3, 0.5 * (top + SPECTRA["ripe"]), top)
    top[stage == 3] *= np.exp(rng.normal(0.7 * (c.dry - 0.4), 0.1))
    share = np.where(stage[:, None] == 0, 0.75 + 0.25 * cover, 0.25 + 0.75 * cover)
    return vary(rng, share * top + (1 - share) * c.soil, 0.24, 0.1)


def _shares(bare: float, green: float) -> Array:
    rest = max(1 - bare - green, 0.02)
    p = np.array([bare, green * 0.55, green * 0.45, rest])
    return np.asarray(p / p.sum())


def fields(c: Canvas, width: float, bare: float, green: float) -> None:
    """Arable land: straight parcels at different stages, tramlines, headlands, field tracks."""
    rng = c.rng
    u, v = tx.axes(rng, rng.choice([0.0, 0.0, 8.0, 20.0]))
    ids = tx.parcels(rng, u, v, width, width * rng.uniform(1.2, 3.5))
    c.ground[:] = _crop_palette(c, 256, bare, green)[ids]
    c.note(None, LandCover.FIELD)
    stripes = np.sin(2 * np.pi * v / rng.uniform(18, 45) + (ids % 7))
    within = rng.uniform(0.01, 0.06) * stripes + rng.uniform(0.02, 0.1) * tx.fractal(rng, 0.6)
    c.shade(1 + within)
    line = tx.edges(ids)
    kind = rng.choice(4, p=[0.45, 0.2, 0.25, 0.1])
    if kind == 1:
        c.put(line, vary(rng, SPECTRA["gravel"]), 0.7)
        c.note(line, LandCover.TRACK)
    elif kind == 2:
        c.put(line, grass(c, 0.7 - 0.4 * c.dry), 0.7)
        c.note(line, LandCover.GRASS)
    elif kind == 3:
        hedge = line & (tx.smooth(rng, 8) > -0.3)
        c.put(hedge, wood(c), 0.8)
        c.note(hedge, LandCover.TREES)


def grassland(c: Canvas, lush: float, contrast: float) -> None:
    """Meadows: one green with soft differences between paddocks."""
    rng = c.rng
    u, v = tx.axes(rng, rng.choice([0.0, 10.0, 30.0]))
    ids = tx.parcels(rng, u, v, rng.uniform(90, 350), rng.uniform(150, 500))
    lushness = np.clip(rng.normal(lush, 0.12, (256, 1)), 0, 1)
    low, high = grass(c, max(lush - 0.25, 0)), grass(c, min(lush + 0.25, 1))
    share = np.clip((lushness - lush) / 0.5 + 0.5, 0, 1)
    c.ground[:] = vary(rng, low * (1 - share) + high * share, contrast, 0.05)[ids]
    c.note(None, LandCover.GRASS)
    c.shade(1 + rng.uniform(0.02, 0.07) * tx.fractal(rng, 0.6))
    hedges = rng.random()
    if hedges < 0.65:
        broken = tx.smooth(rng, 12) > rng.uniform(-1.5, 0.5)
        hedge = tx.edges(ids) & broken
        hedge |= np.roll(hedge, 1, 0) & (rng.random((FINE, FINE)) < 0.5)
        c.put(hedge, wood(c), rng.uniform(0.5, 0.95))
        c.note(hedge, LandCover.SHRUB)
        c.shadow(hedge, 0.25)


def woodland(c: Canvas) -> None:
    """Closed canopy: dark, fine-grained, with stands and relief."""
    rng = c.rng
    stand = 1 / (1 + np.exp(-3 * (tx.fractal(rng, 0.55, 3, 24) + rng.normal(0, 1.2))))[..., None]
    c.ground[:] = wood(c) * stand + wood(c) * (1 - stand)
    c.note(None, LandCover.TREES)
    grain = rng.uniform(0.06, 0.25) * tx.smooth(rng, 64) + rng.uniform(0.04, 0.12) * tx.smooth(rng, 96)
    relief = rng.gamma(1.4, 0.09) * tx.fractal(rng, 0.5, 3, 16)
    c.shade(1 + grain + relief)


def scrub(c: Canvas) -> None:
    """Natural grass and shrub: patches without straight edges, stones, relief."""
    rng = c.rng
    rough = rng.uniform(0.5, 0.95)
    field, other = tx.fractal(rng, rough, int(rng.choice([3, 5])), 96), tx.fractal(rng, rough, 4, 96)
    lush = np.clip(rng.normal(0.6 - 0.55 * c.dry, 0.18), 0, 0.9)
    base, dense = vary(rng, grass(c, lush), 0.2), vary(rng, mix({"shrub": 1, "olive": rng.random()}), 0.15)
    woody = 1 / (1 + np.exp(-rng.uniform(1.5, 5) * (field - rng.normal(0.5, 0.7))))[..., None]
    c.ground[:] = base * (1 - woody) + dense * woody
    c.note(None, LandCover.ROUGH)
    c.note(woody[..., 0] > 0.5, LandCover.SHRUB)
    stony = np.clip(0.45 * (other - rng.uniform(0.3, 2)), 0, 0.7)[..., None]
    c.note(stony[..., 0] > 0.45, LandCover.BARE)
    c.ground += stony * (vary(rng, mix({"rock": 1, "soil_bright": c.dry})) * 0.5 + 0.5 * c.soil - c.ground)
    c.shade(1 + rng.gamma(1.5, 0.05) * tx.fractal(rng, 0.5, 3, 16) + 0.04 * tx.smooth(rng, 96))


def orchard(c: Canvas) -> None:
    """Vineyards, olives and fruit: small parcels, rows or dots of woody plants over soil or grass."""
    rng = c.rng
    u, v = tx.axes(rng, rng.choice([0.0, 6.0, 15.0, 30.0]))
    width = rng.uniform(35, 140)
    ids = tx.parcels(rng, u, v, width, width * rng.uniform(1.2, 3))
    floor = np.where(rng.random((256, 1)) < rng.random() * 0.8, grass(c, 0.75 - 0.6 * c.dry), c.soil)
    c.ground[:] = vary(rng, floor, 0.2, 0.08)[ids]
    plant = vary(
        rng, np.broadcast_to(mix({"olive": 1, "shrub": rng.random(), "broadleaf": rng.random()}), (256, 13)), 0.15
    )[ids]
    density = rng.beta(2.2, 2.2, 256) * rng.uniform(0.5, 1)
    density[rng.random(256) < 0.15] = 0
    period = rng.choice([12.0, 16.0, 22.0, 30.0])
    across = (ids % 2 == 0) if rng.random() < 0.5 else np.zeros(ids.shape, bool)
    rows = 0.5 + 0.5 * np.sin(2 * np.pi * np.where(across, u, v) / period + ids)
    if rng.random() < 0.5:
        rows = rows * (0.5 + 0.5 * np.sin(2 * np.pi * np.where(across, v, u) / period)) * 1.6
    gaps = 1 + 0.35 * tx.smooth(rng, 96)
    cover = np.clip(density[ids] * (0.35 + 1.1 * rows) * gaps, 0, 1)[..., None]
    c.ground[:] = c.ground * (1 - cover) + plant * cover
    c.note(None, LandCover.FIELD)
    c.note(cover[..., 0] > np.maximum(0.45 * density[ids], 0.05), LandCover.ORCHARD)
    if rng.random() < 0.6:
        c.put(tx.edges(ids), vary(rng, mix({"gravel": 1, "soil_bright": 1})), rng.uniform(0.2, 0.7))
        c.note(tx.edges(ids), LandCover.TRACK)
    if rng.random() < 0.35:
        c.trees(rng.uniform(0.002, 0.012), vary(rng, SPECTRA["roof_tile"]), cover=LandCover.HOUSE)
    c.shade(1 + 0.04 * tx.fractal(rng, 0.6))


def town(c: Canvas, where: Mask | None = None) -> None:
    """Houses with gardens along streets."""
    rng = c.rng
    u, v = tx.axes(rng, rng.choice([0.0, 12.0, 35.0, 70.0]))
    lot_u, lot_v = rng.uniform(11, 20) * rng.choice([1.0, 1.0, 1.7]), rng.uniform(12, 24)
    iu, iv = np.floor(u / lot_u).astype(int) % 97, np.floor(v / lot_v).astype(int) % 89
    fu, fv = u / lot_u % 1, v / lot_v % 1
    roofs = rng.choice(["tile", "mixed", "grey"], p=[0.45, 0.35, 0.2])
    p = {"tile": (0.8, 0.08, 0.1, 0.02), "mixed": (0.4, 0.27, 0.3, 0.03), "grey": (0.1, 0.42, 0.44, 0.04)}[roofs]
    kinds = np.stack([SPECTRA[k] for k in ("roof_tile", "roof_dark", "roof_grey", "roof_white")])
    palette = vary(rng, kinds[rng.choice(4, (97, 89), p=p)], 0.2)
    garden_lush = np.clip(rng.normal(0.65 - 0.4 * c.dry, 0.15), 0, 1)
    paved = rng.beta(1.2, 2.8)
    gardens = np.stack([grass(c, garden_lush), wood(c), mix({"asphalt": 1, "gravel": 0.6}), c.soil])
    share = np.array([0.45, 0.35, 0.05, 0.15]) * (1 - paved) + np.array([0.05, 0.1, 0.8, 0.05]) * paved
    beds = vary(rng, gardens[rng.choice(4, (97, 89), p=share)], 0.12)
    ground = beds[(iu + (fu > 0.5)) % 97, (iv + (fv > 0.5)) % 89]
    built = rng.uniform(0.5, 0.95)
    size = rng.uniform(0.55, 0.85)
    house = (rng.random((97, 89)) < built)[iu, iv] & (fu < size) & (fv < size)
    block_u, block_v = lot_u * rng.integers(3, 9), lot_v * rng.integers(2, 5)
    street = (u % block_u < rng.uniform(7, 15)) | (v % block_v < rng.uniform(6, 12))
    house &= ~street
    ground[house] = palette[iu[house], iv[house]]
    ground[street] = vary(rng, mix({"asphalt": 1, "concrete": rng.uniform(0, 0.5)}))
    ground[np.roll(house, c.sun, (0, 1)) & ~house] *= 1 - rng.uniform(0.2, 0.5)
    crown = np.repeat(np.repeat(rng.random((64, 64)) < rng.uniform(0, 0.15), 2, 0), 2, 1)
    ground[crown] = 0.3 * ground[crown] + 0.7 * wood(c)
    ground *= np.clip(1 + rng.uniform(0.03, 0.15) * tx.smooth(rng, 8), 0.6, 1.5)[..., None]
    laid = np.full((FINE, FINE), LandCover.GRASS, np.uint8)
    for mask, cover in ((crown, LandCover.TREES), (house, LandCover.HOUSE), (street, LandCover.ROAD)):
        laid[mask] = cover
    soft = rng.uniform(0.55, 1)  # small houses merge more or less with their gardens
    ground = soft * ground + (1 - soft) * ground.mean((0, 1))
    if where is None:
        where = np.ones((FINE, FINE), dtype=bool)
    c.ground[where], c.cover[where] = ground[where], laid[where]


def works(c: Canvas, halls: int) -> None:
    """Large halls with bright flat roofs and dark shadows on yards, car parks and lawns."""
    rng = c.rng
    u, v = tx.axes(rng)
    ids = tx.parcels(rng, u, v, rng.uniform(60, 160), rng.uniform(80, 220))
    yards = np.stack(
        [
            mix({"asphalt": 1, "concrete": 0.2}),
            mix({"concrete": 1, "asphalt": 1}),
            grass(c, 0.6 - 0.4 * c.dry),
            c.soil,
            SPECTRA["gravel"],
        ]
    )
    surfaces = rng.choice(5, 256, p=[0.4, 0.17, 0.23, 0.08, 0.12])
    c.ground[:] = vary(rng, yards[surfaces], 0.14)[ids]
    laid = np.array([LandCover.PAVED, LandCover.PAVED, LandCover.GRASS, LandCover.BARE, LandCover.PAVED], np.uint8)
    c.cover[:] = laid[surfaces][ids]
    cars = rng.random((FINE, FINE)) < 0.3
    c.shade(1 + 0.3 * rng.uniform(0, 1) * cars + 0.05 * tx.smooth(rng, 48))
    roads = (np.abs(u % rng.uniform(180, 420)) < 14) | (np.abs(v % rng.uniform(180, 420)) < 12)
    c.put(roads, vary(rng, SPECTRA["asphalt"]))
    c.note(roads, LandCover.ROAD)
    roofs = ("roof_white", "concrete", "roof_grey", "roof_dark", "roof_tile", "roof_blue")
    body = np.zeros((FINE, FINE), bool)
    typical = rng.uniform(30, 110)
    mood = rng.dirichlet((1.4, 1.5, 2.0, 0.9, 0.5, 0.25))
    for _ in range(halls):
        cu, cv = rng.uniform(-420, 420, 2)
        half_u, half_v = typical * rng.uniform(0.25, 1.1), typical * rng.uniform(0.2, 0.7)
        hall = (np.abs(u - cu) < half_u) & (np.abs(v - cv) < half_v)
        spectrum = vary(rng, SPECTRA[roofs[rng.choice(6, p=mood)]], 0.2)
        c.put(hall, spectrum)
        c.note(hall, LandCover.HALL)
        if rng.random() < 0.5:
            ridge = hall & ((u - cu) % rng.uniform(12, 40) < 6)
            c.ground[ridge] *= rng.uniform(0.6, 0.9)
        body = (body & ~hall) | hall
    c.ground *= np.exp(rng.normal(0.08, 0.18))
    deep = rng.uniform(0.45, 0.8)
    c.shadow(body, deep)
    c.trees(rng.uniform(0, 0.05) * ~body, wood(c), opacity=0.6)


def background(c: Canvas, p: tuple[float, float, float, float, float, float]) -> None:
    """Neighbouring cover: fields, meadows, woods, scrub, town or works with probabilities `p`."""
    rng, which = c.rng, c.rng.choice(6, p=p)
    if which == 0:
        fields(c, rng.uniform(60, 260), rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.6))
    elif which == 1:
        grassland(c, rng.uniform(0.4, 0.9) - 0.3 * c.dry, 0.06)
    elif which == 2:
        woodland(c)
    elif which == 3:
        scrub(c)
    elif which == 4:
        town(c)
    else:
        works(c, int(rng.integers(2, 8)))
    if which in (0, 1, 3) and rng.random() < 0.45:
        patch = tx.fractal(rng, 0.5, 3, 24) > rng.uniform(0.3, 1.6)
        if rng.random() < 0.5:
            town(c, patch)
        else:
            c.put(patch, wood(c) * (1 + 0.1 * tx.smooth(rng, 64))[patch][:, None])
            c.note(patch, LandCover.TREES)


def intrude(c: Canvas, chance: float) -> None:
    """Let a neighbouring wood, meadow or bare plot reach into the tile."""
    rng = c.rng
    if rng.random() > chance:
        return
    kind = rng.choice(3, p=[0.6, 0.25, 0.15])
    spectrum = (wood(c), vary(rng, grass(c, 0.8 - 0.6 * c.dry)), vary(rng, c.soil))[kind]
    if rng.random() < 0.5:
        body = tx.fractal(rng, 0.6, 3, 48) > rng.uniform(0.8, 2)
    else:
        u, v = tx.axes(rng, 25.0)
        body = (u > rng.uniform(-60, 240)) & (v > rng.uniform(-60, 240))
    grain = 1 + (0.2 if kind == 0 else 0.05) * tx.smooth(rng, 64)[body]
    c.put(body, spectrum * np.clip(grain, 0.4, 1.7)[:, None])
    c.note(body, (LandCover.TREES, LandCover.GRASS, LandCover.BARE)[kind])
    if kind == 0:
        c.shadow(body, 0.3)
