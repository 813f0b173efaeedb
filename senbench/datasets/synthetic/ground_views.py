"""Ground-level photos of the procedural scenes: what one sees from the middle of one, facing the four winds.

A view looks at the same canvas as the tile of the scene (`scenes.painted`): each point has a height that follows from
its cover, rays go out from eye level, and the first thing that a ray meets colours its pixel. So the tile and its four
views show the same land without any label. Numpy only; synthetic, and labelled so everywhere.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from senbench.datasets.synthetic import textures as tx
from senbench.datasets.synthetic.landcover import LandCover
from senbench.datasets.synthetic.scenes import painted
from senbench.datasets.synthetic.textures import FINE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.datasets.synthetic.landcover import Canvas

    Floats = NDArray[np.float32]

DIRECTIONS = ("north", "east", "south", "west")
"""Where the four views of a scene face, in their order."""
SIDE = 64
"""Pixels per side of a view."""

_EYE = 1.7
_FOCAL = SIDE / 2 / np.tan(np.radians(36))
"""Pixels; the views are 72 degrees wide, as those of a wide-angle camera."""
_REACH = 330.0
"""Metres that rays go out; the hills beyond are drawn as one line."""
_STEPS = 72
_DEPTHS = (1.5 * (_REACH / 1.5) ** (np.arange(_STEPS) / (_STEPS - 1))).astype(np.float32)
_GRAIN = 512
"""Points per side of the table of random numbers that textures are read from."""

_STAND: dict[str, tuple[tuple[LandCover, ...], tuple[LandCover, ...], int]] = {
    "Highway": ((LandCover.ROAD,), (), 0),
    "Industrial": ((LandCover.PAVED, LandCover.ROAD, LandCover.GRASS, LandCover.BARE), (LandCover.HALL,), 8),
    "Residential": ((LandCover.ROAD, LandCover.GRASS), (LandCover.HOUSE,), 4),
    "River": (
        tuple(c for c in LandCover if c not in (LandCover.WATER, LandCover.HOUSE, LandCover.HALL)),
        (LandCover.WATER,),
        1,
    ),
    "SeaLake": (tuple(LandCover), (LandCover.WATER,), 3),
    "PermanentCrop": ((LandCover.FIELD, LandCover.TRACK, LandCover.ORCHARD), (LandCover.ORCHARD,), 4),
    "AnnualCrop": ((LandCover.FIELD,), (), 0),
    "Forest": ((LandCover.TREES,), (), 0),
    "Pasture": ((LandCover.GRASS,), (), 0),
    "HerbaceousVegetation": ((LandCover.ROUGH, LandCover.SHRUB), (), 0),
}
"""Class -> covers that the photographer stands on, covers that must be near, and how near in grid points."""


@dataclass(frozen=True)
class GroundView:
    """One photo.

    Attributes:
        pixels: RGB, uint8 (SIDE, SIDE, 3).
        facing: One of DIRECTIONS.
        shares: Share of the pixels below the sky that show each cover, float (len(LandCover),); sums to 1.
        greenness: Mean NDVI of what is seen of each cover, float (len(LandCover),); 0 where none is seen.
        tone: Mean reflectance of what is seen of each cover in red, green and blue, (len(LandCover), 3), 0..1.
        overcast: Whether clouds cover the sky.
    """

    pixels: NDArray[np.uint8]
    facing: str
    shares: Floats
    greenness: Floats
    tone: Floats
    overcast: bool


def views(class_key: str, seed: int) -> tuple[GroundView, ...]:
    """The four ground views of a scene, the same for the same arguments.

    Args:
        class_key: A class of `scenes.CLASSES`.
        seed: Any non-negative integer; `scenes.scene` of the same seed is the tile above them.

    Returns:
        One view per direction of DIRECTIONS.

    Raises:
        UsageError: If there is no such class.
    """
    return look(painted(class_key, seed), class_key, seed)


def look(canvas: Canvas, class_key: str, seed: int) -> tuple[GroundView, ...]:
    """`views` of a canvas that is painted already."""
    rng = np.random.default_rng([zlib.crc32(b"ground views"), zlib.crc32(class_key.encode()), seed])
    grain = rng.random((_GRAIN, _GRAIN), dtype=np.float32)
    rgb, green = _seen_colours(canvas)
    heights = _heights(canvas, green, rng)
    camera = _Camera(*_stand(canvas, class_key, rng), 30.0 + rng.uniform(-3, 4))
    hit = _cast(camera, canvas.cover, heights, grain)
    light = _Light.draw(rng)
    pixels = _coloured(hit, rgb, grain, light, rng)
    return tuple(_view(hit, i, pixels[i], rgb, green, light) for i in range(4))


@dataclass(frozen=True)
class _Camera:
    """Where the photographer stands: metres from the canvas's upper left corner, and the horizon's row."""

    x: float
    y: float
    horizon: float


@dataclass(frozen=True)
class _Light:
    """Light of the day: exposure, warmth of its colour, metres of visibility, whether clouds cover the sky."""

    exposure: float
    warmth: float
    visibility: float
    overcast: bool

    @classmethod
    def draw(cls, rng: np.random.Generator) -> _Light:
        overcast = bool(rng.random() < 0.4)
        exposure = float(np.exp(rng.normal(0.95 if overcast else 1.15, 0.15)))
        return cls(exposure, float(rng.normal(0 if overcast else 0.04, 0.04)), float(rng.uniform(300, 2500)), overcast)


@dataclass(frozen=True)
class _Hit:
    """What each pixel shows; all arrays (4, SIDE rows, SIDE columns).

    Attributes:
        sky: Whether the ray met nothing.
        cover: Value of `LandCover`.
        row, column: Grid point of the canvas.
        depth: Metres away.
        above: Height of the point met, as a share of the thing's height, 0..1.
        across: Metres along the picture plane, for textures of upright things.
        ground_x, ground_y: Position in metres, for textures of the ground.
        horizon: Row of the horizon.
    """

    sky: NDArray[np.bool_]
    cover: NDArray[np.uint8]
    row: NDArray[np.int64]
    column: NDArray[np.int64]
    depth: Floats
    above: Floats
    across: Floats
    ground_x: Floats
    ground_y: Floats
    horizon: float


def _seen_colours(canvas: Canvas) -> tuple[Floats, Floats]:
    """Reflectance in red, green and blue (FINE, FINE, 3), 0..1, and NDVI (FINE, FINE)."""
    ground = canvas.ground
    red, near = ground[..., tx.BANDS.index("B04")], ground[..., tx.BANDS.index("B08")]
    rgb = np.stack([ground[..., tx.BANDS.index(b)] for b in ("B04", "B03", "B02")], -1) / 10000
    return rgb.astype(np.float32), ((near - red) / np.maximum(near + red, 1)).astype(np.float32)


def _heights(canvas: Canvas, green: Floats, rng: np.random.Generator) -> Floats:
    """Metres above the ground at each point, (FINE, FINE)."""
    tall = np.zeros(len(LandCover), np.float32)
    tall[[LandCover.GRASS, LandCover.ROUGH, LandCover.SHRUB, LandCover.ORCHARD]] = (
        0.12,
        0.45,
        rng.uniform(1.2, 2.2),
        rng.uniform(1.6, 3),
    )
    tall[[LandCover.TREES, LandCover.HOUSE, LandCover.HALL]] = rng.uniform(8, 18), rng.uniform(5, 9), rng.uniform(7, 12)
    heights = tall[canvas.cover] * rng.uniform(0.75, 1.2, (FINE, FINE))
    crops = canvas.cover == LandCover.FIELD
    heights[crops] = (np.clip(green[crops] - 0.15, 0, 0.7) * rng.uniform(0.6, 2.2)) ** 1.3
    built = (canvas.cover == LandCover.HALL) | (canvas.cover == LandCover.HOUSE)
    heights[built] = tall[canvas.cover][built]  # roofs are level
    return heights.astype(np.float32)


def _near(mask: NDArray[np.bool_], points: int) -> NDArray[np.bool_]:
    """Points at most so many rows and columns away from one of `mask`."""
    wide = np.pad(mask, points)
    for axis in (0, 1):
        parts = [np.roll(wide, k, axis) for k in range(-points, points + 1)]
        wide = np.logical_or.reduce(parts)
    return wide[points : points + FINE, points : points + FINE]


def _stand(canvas: Canvas, class_key: str, rng: np.random.Generator) -> tuple[float, float]:
    """Position nearest to the scene's middle from which the land of its class is seen: x, y in metres."""
    on, close_to, points = _STAND[class_key]
    allowed = np.isin(canvas.cover, on)
    if close_to:
        allowed &= _near(np.isin(canvas.cover, close_to), points)
    y, x = np.mgrid[0:FINE, 0:FINE] * 5.0 + 2.5
    away = np.hypot(x - 320 - rng.normal(0, 40), y - 320 - rng.normal(0, 40))
    away[~allowed] += 10_000
    row, column = np.unravel_index(np.argmin(away), away.shape)
    return float(x[row, column]), float(y[row, column])


def _cast(camera: _Camera, cover: NDArray[np.uint8], heights: Floats, grain: Floats) -> _Hit:
    """Follow the rays of all pixels of the four views to what they meet first."""
    aside = ((np.arange(SIDE) + 0.5 - SIDE / 2) / _FOCAL).astype(np.float32)
    forward = np.array([(0, -1), (1, 0), (0, 1), (-1, 0)], np.float32)  # x, y of N, E, S, W; y grows southwards
    right = np.stack([-forward[:, 1], forward[:, 0]], -1)
    heading = forward[:, None, :] + aside[None, :, None] * right[:, None, :]  # (4, columns, 2)
    way = heading[:, :, None, :] * _DEPTHS[:, None] + np.array([camera.x, camera.y], np.float32)
    column, row = (np.clip((way[..., i] / 5).astype(np.int64), 0, FINE - 1) for i in (0, 1))
    inside = ((way >= 0) & (way < FINE * 5)).all(-1)
    tall = heights[row, column]
    kind = cover[row, column]
    # a wood is stems with gaps between them near by, and closed further away
    tree = grain[(way[..., 1] / 1.5).astype(np.int64) % _GRAIN, (way[..., 0] / 1.5).astype(np.int64) % _GRAIN] < 0.16
    near = _DEPTHS < 45
    tall = np.where((kind == LandCover.TREES) & near & ~tree, 0.05, tall)
    bulky = tall > 0.8
    tall = np.where(bulky & (_DEPTHS < 3.5), 0.05, tall) * inside
    top = camera.horizon + (_EYE - tall) * _FOCAL / _DEPTHS
    top = np.where(inside, top, np.inf)
    reached = np.minimum.accumulate(top, axis=2)  # the highest row covered so far, (4, columns, steps)
    rows = np.arange(SIDE, dtype=np.float32) + 0.5
    step = (reached[:, None, :, :] > rows[:, None, None]).sum(-1)  # (4, rows, columns)
    sky = step == _STEPS
    step = np.minimum(step, _STEPS - 1)
    which, col = np.arange(4)[:, None, None], np.arange(SIDE)[None, None, :]
    height = tall[which, col, step]
    # flat ground: the exact depth of the pixel, so that textures have no steps
    below = np.maximum(rows[None, :, None] - camera.horizon, 0.05)
    exact = np.clip((_EYE - np.minimum(height, 0.6)) * _FOCAL / below, 1.2, _REACH)
    flat = height < 0.8
    depth = np.where(flat, np.minimum(exact, _DEPTHS[step]), _DEPTHS[step]).astype(np.float32)
    x = camera.x + heading[which, col, 0] * depth
    y = camera.y + heading[which, col, 1] * depth
    at = np.clip((y / 5).astype(np.int64), 0, FINE - 1), np.clip((x / 5).astype(np.int64), 0, FINE - 1)
    own = np.where(flat, cover[at], kind[which, col, step])
    at = np.where(flat, at[0], row[which, col, step]), np.where(flat, at[1], column[which, col, step])
    above = np.clip((_EYE - (rows[None, :, None] - camera.horizon) * depth / _FOCAL) / np.maximum(height, 0.1), 0, 1)
    return _Hit(
        sky=sky,
        cover=own.astype(np.uint8),
        row=at[0],
        column=at[1],
        depth=depth,
        above=np.where(flat, 0, above).astype(np.float32),
        across=(aside[col] * depth).astype(np.float32),
        ground_x=x.astype(np.float32),
        ground_y=y.astype(np.float32),
        horizon=camera.horizon,
    )


def _texture(grain: Floats, x: Floats, y: Floats, size: float) -> Floats:
    """Random numbers -1..1 that are constant over patches of `size` metres."""
    return 2 * grain[(y / size).astype(np.int64) % _GRAIN, (x / size).astype(np.int64) % _GRAIN] - 1


def _coloured(hit: _Hit, rgb: Floats, grain: Floats, light: _Light, rng: np.random.Generator) -> NDArray[np.uint8]:
    """The four photos, uint8 (4, SIDE, SIDE, 3)."""
    colour = rgb[hit.row, hit.column].copy()
    flat = hit.above == 0
    fine = _texture(grain, hit.ground_x, hit.ground_y, 0.12)
    coarse = _texture(grain, hit.ground_x + 77, hit.ground_y, 0.6)
    rough = np.zeros(len(LandCover), np.float32)
    rough[[LandCover.FIELD, LandCover.GRASS, LandCover.ROUGH, LandCover.BARE]] = 0.2, 0.16, 0.45, 0.3
    rough[[LandCover.SHRUB, LandCover.TREES, LandCover.ORCHARD, LandCover.TRACK]] = 0.45, 0.4, 0.4, 0.25
    strength = rough[hit.cover] * np.clip(40 / hit.depth, 0.15, 1)
    shade = 1 + strength * (0.6 * fine + 0.6 * coarse)
    shade *= _rows_of_crops(hit, rng)
    colour *= np.maximum(shade, 0.2)[..., None]
    floor = flat & (hit.cover == LandCover.TREES)  # leaves and needles below the trees
    litter = np.array([0.09, 0.065, 0.035], np.float32) * (1 + 0.5 * fine + 0.3 * coarse)[..., None]
    colour[floor] = (0.6 * litter + 0.4 * colour)[floor]
    for paint in (_paint_trees, _paint_houses, _paint_halls, _paint_water, _paint_roads):
        paint(hit, colour, grain, rng)
    # walls that face south are lit, those that face north are not
    faces = np.array([1.15, 0.95, 0.75, 0.95], np.float32) if not light.overcast else np.full(4, 0.92, np.float32)
    colour *= np.where(flat, 1.0, faces[:, None, None])[..., None]
    sky = _sky(hit, light, rng)
    haze = (1 - np.exp(-hit.depth / light.visibility))[..., None]
    horizon = sky[:, int(hit.horizon) - 2].mean(1)[:, None, None]
    tint = np.array([1 + light.warmth, 1.0, 1 - light.warmth], np.float32)
    shown = np.clip(colour * light.exposure * tint, 0, 1) ** (1 / 2.0)
    shown = shown * (1 - 0.7 * haze) + 0.7 * haze * horizon
    shown = np.where(hit.sky[..., None], sky, shown)
    shown += rng.normal(0, 0.012, shown.shape)
    return np.asarray(np.clip(np.rint(255 * shown), 0, 255), np.uint8)


def _rows_of_crops(hit: _Hit, rng: np.random.Generator) -> Floats:
    """Brightness of sown rows, which run in one direction over all fields of a scene."""
    turn, period = rng.uniform(0, np.pi), rng.uniform(0.7, 1.6)
    along = hit.ground_x * np.cos(turn) + hit.ground_y * np.sin(turn)
    visible = np.clip(1 - hit.depth * 0.02, 0, 1) * rng.uniform(0.1, 0.4)
    rows = 1 + visible * np.sin(2 * np.pi * along / period)
    return np.where(hit.cover == LandCover.FIELD, rows, 1).astype(np.float32)


def _paint_trees(hit: _Hit, colour: Floats, grain: Floats, rng: np.random.Generator) -> None:
    """Stems below, crowns of leaves in light and shade above."""
    base = rng.uniform(0.2, 0.4)
    upright = (hit.cover == LandCover.TREES) & (hit.above > 0)
    leaves = 1 + 0.55 * _texture(grain, hit.across + 9000, hit.above * 30 + hit.depth, 0.35)
    crown = upright & ((hit.above > base) | (hit.depth > 45))
    colour[crown] *= (leaves * (0.65 + 0.6 * hit.above))[crown][:, None]
    bark = np.array([(0.06, 0.05, 0.04), (0.13, 0.125, 0.12), (0.10, 0.06, 0.04)], np.float32)[rng.integers(3)]
    stems = upright & ~crown
    colour[stems] = bark * (1 + 0.4 * _texture(grain, hit.across + 5000, hit.above, 0.12))[stems][:, None]
    for kind in (LandCover.SHRUB, LandCover.ORCHARD):
        bush = (hit.cover == kind) & (hit.above > 0)
        colour[bush] *= (0.7 + 0.5 * hit.above + 0.3 * (leaves - 1))[bush][:, None]


def _paint_houses(hit: _Hit, colour: Floats, grain: Floats, rng: np.random.Generator) -> None:
    """Plastered or brick walls with windows below a roof of the colour seen from above."""
    walls = np.array([(0.6, 0.57, 0.5), (0.5, 0.42, 0.3), (0.35, 0.18, 0.12), (0.65, 0.65, 0.63)], np.float32)
    pick = (grain[hit.row // 3 % _GRAIN, hit.column // 3 % _GRAIN] * 4).astype(np.int64)
    house = (hit.cover == LandCover.HOUSE) & (hit.above > 0)
    lower = house & (hit.above < 0.62)
    colour[lower] = walls[pick[lower]]
    panes = lower & ((hit.across + 900) % 2.6 < 1.0) & (np.abs(hit.above - 0.2) < 0.09)
    panes |= lower & ((hit.across + 900) % 2.6 < 1.0) & (np.abs(hit.above - 0.47) < 0.08)
    colour[panes] = (0.05, 0.06, 0.08)
    roof = house & ~lower
    colour[roof] *= (1 + 0.15 * np.sin(hit.above * 60))[roof][:, None]


def _paint_halls(hit: _Hit, colour: Floats, grain: Floats, rng: np.random.Generator) -> None:
    """Sheet-metal walls with gates and a strip of windows."""
    sheets = np.array([(0.55, 0.57, 0.6), (0.3, 0.35, 0.45), (0.7, 0.7, 0.68), (0.45, 0.42, 0.38)], np.float32)
    pick = (grain[hit.row // 16 % _GRAIN, hit.column // 16 % _GRAIN] * 4).astype(np.int64)
    hall = (hit.cover == LandCover.HALL) & (hit.above > 0)
    ribs = 1 + 0.1 * np.sign(np.sin(2 * np.pi * hit.across / 1.2))
    colour[hall] = (sheets[pick] * ribs[..., None])[hall]
    strip = hall & (np.abs(hit.above - 0.75) < 0.06)
    gates = hall & ((hit.across + 900) % 14 < 4) & (hit.above < 0.5)
    colour[strip] = (0.08, 0.1, 0.13)
    colour[gates] *= 0.45
    yard = (hit.cover == LandCover.PAVED) & (hit.above == 0)
    colour[yard] *= (1 - 0.25 * (hit.ground_x % 2.5 < 0.2))[yard][:, None]


def _paint_water(hit: _Hit, colour: Floats, grain: Floats, rng: np.random.Generator) -> None:
    """The colour of the water, and more sky the flatter one looks onto it; ripples."""
    wet = hit.cover == LandCover.WATER
    ripples = _texture(grain, hit.across * 0.15 + 300, hit.depth * np.clip(8 / hit.depth, 0.1, 1) * 4, 0.5)
    sky = np.clip(1.15 - 2.2 * _EYE / hit.depth, 0.25, 0.75)[..., None]
    mirror = np.array([0.18, 0.22, 0.27], np.float32)
    water = (1 - sky) * 1.6 * colour + sky * mirror
    colour[wet] = (water * (1 + 0.18 * ripples[..., None]))[wet]


def _paint_roads(hit: _Hit, colour: Floats, grain: Floats, rng: np.random.Generator) -> None:
    """Asphalt with pale dashes and some cars."""
    road = (hit.cover == LandCover.ROAD) & (hit.above == 0)
    colour[road] *= (1 + 0.08 * _texture(grain, hit.ground_x, hit.ground_y, 0.2))[road][:, None]
    for here, there in ((hit.ground_x, hit.ground_y), (hit.ground_y, hit.ground_x)):
        dashes = road & (here % 8 < 0.25) & (there % 9 < 4) & (hit.depth < 60)
        colour[dashes] = 0.6
    cars = road & (_texture(grain, hit.ground_x, hit.ground_y, 4.0) > 0.93) & (hit.depth > 6)
    paint = np.array([(0.4, 0.05, 0.04), (0.5, 0.5, 0.5), (0.04, 0.05, 0.12), (0.03, 0.03, 0.03)], np.float32)
    colour[cars] = paint[(hit.ground_x[cars] / 4).astype(np.int64) % 4]


def _sky(hit: _Hit, light: _Light, rng: np.random.Generator) -> Floats:
    """Sky with clouds and a line of distant land, (4, SIDE, SIDE, 3), 0..1 as shown."""
    up = np.clip((hit.horizon - np.arange(SIDE) - 0.5) / hit.horizon, 0, 1)[None, :, None, None]
    if light.overcast:
        low, high = np.array([0.85, 0.86, 0.87]), np.array([0.62, 0.64, 0.68]) * rng.uniform(0.85, 1.2)
    else:
        low, high = np.array([0.78, 0.86, 0.93]), np.array([0.30, 0.50, 0.80]) * rng.uniform(0.85, 1.15)
    sky = low * (1 - up**0.7) + high * up**0.7
    sky = np.broadcast_to(sky, (4, SIDE, SIDE, 3)).copy()
    clouds = np.stack([tx.fractal(rng, 0.6, 3, 24)[: 2 * SIDE : 2, :SIDE] for _ in range(4)])
    amount = np.clip(0.35 * (clouds - rng.uniform(-0.2, 1.6)), 0, 0.6)[..., None]
    sky += amount * (np.array([0.95, 0.95, 0.96]) - sky)
    return sky.astype(np.float32)


def _view(hit: _Hit, i: int, pixels: NDArray[np.uint8], rgb: Floats, green: Floats, light: _Light) -> GroundView:
    """One of the four views with what is seen in it."""
    land = ~hit.sky[i]
    kinds, at = hit.cover[i][land], (hit.row[i][land], hit.column[i][land])
    counts = np.bincount(kinds, minlength=len(LandCover))
    each = np.maximum(counts, 1)
    tone = np.stack([np.bincount(kinds, rgb[at][:, k], len(LandCover)) / each for k in range(3)], -1)
    return GroundView(
        pixels=pixels,
        facing=DIRECTIONS[i],
        shares=(counts / max(counts.sum(), 1)).astype(np.float32),
        greenness=(np.bincount(kinds, green[at], len(LandCover)) / each).astype(np.float32),
        tone=tone.astype(np.float32),
        overcast=light.overcast,
    )
