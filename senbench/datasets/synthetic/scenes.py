"""Procedural Sentinel-2 scenes of the ten EuroSAT classes: synthetic, and labelled so everywhere.

Each class is painted from what such land looks like at 10 m: parcels, rows, canopies, roofs, roads, water,
with neighbours of other cover, under a random season, sun and atmosphere. No real tile is involved.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import numpy as np

from senbench.datasets.catalog import EUROSAT
from senbench.datasets.synthetic import textures as tx
from senbench.datasets.synthetic.landcover import (
    Canvas,
    LandCover,
    background,
    fields,
    grass,
    grassland,
    intrude,
    orchard,
    scrub,
    town,
    wood,
    woodland,
    works,
)
from senbench.datasets.synthetic.textures import FINE, SPECTRA, Array, mix, vary
from senbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

CLASSES = EUROSAT
"""Class keys in label order."""

FRESH_SEED = 1_000_000_000
"""The model `mini` was trained on scenes of smaller seeds; written datasets start here."""

_SITES = (
    (32630, 412),
    (32631, 455),
    (32632, 508),
    (32633, 522),
    (32633, 471),
    (32634, 463),
    (32635, 487),
    (32629, 419),
)
"""Places of written tiles: EPSG code of the UTM zone and northing in units of 10 km."""


def _track(c: Canvas, distance: Array) -> None:
    c.put(np.abs(distance) < 4, SPECTRA["gravel"], 0.6)
    c.note(np.abs(distance) < 4, LandCover.TRACK)


def _annual(c: Canvas) -> None:
    green = c.rng.beta(1.2, 0.9)
    fields(c, c.rng.uniform(90, 420), (1 - green) * c.rng.uniform(0.5, 1), green)
    intrude(c, 0.2)


def _permanent(c: Canvas) -> None:
    orchard(c)
    intrude(c, 0.25)


def _forest(c: Canvas) -> None:
    woodland(c)
    if c.rng.random() < 0.4:
        gap = tx.fractal(c.rng, 0.5, 3, 24) > c.rng.uniform(1, 2.4)
        c.put(gap, vary(c.rng, grass(c, 0.7 * c.rng.random())), c.rng.uniform(0.2, 0.9))
        c.note(gap, LandCover.GRASS)
    if c.rng.random() < 0.12:
        u, v = tx.axes(c.rng)
        _track(c, tx.curve(c.rng, u, v, 40))


def _herbaceous(c: Canvas) -> None:
    scrub(c)
    intrude(c, 0.3)
    if c.rng.random() < 0.3:
        c.trees(c.rng.uniform(0.01, 0.08), wood(c))
    if c.rng.random() < 0.2:
        u, v = tx.axes(c.rng)
        _track(c, tx.curve(c.rng, u, v, 60))


def _road(c: Canvas, distance: Array, width: float, tone: Array) -> None:
    rng = c.rng
    verge = np.abs(distance) < width / 2 + rng.uniform(4, 25)
    wooded = rng.random() < 0.3
    kind = wood(c) if wooded else grass(c, rng.uniform(0.2, 0.8))
    c.put(verge, kind, rng.uniform(0.3, 0.9))
    c.note(verge, LandCover.SHRUB if wooded else LandCover.GRASS)
    c.put(np.abs(distance) < width / 2, tone)
    c.note(np.abs(distance) < width / 2, LandCover.ROAD)
    if width > 22:
        c.put(np.abs(distance) < rng.uniform(2, 4), grass(c, 0.4), 0.6)
    lorries = (np.abs(distance) < width / 2) & (rng.random((FINE, FINE)) < 0.05)
    c.ground[lorries] *= 1.5


def _highway(c: Canvas) -> None:
    rng = c.rng
    background(c, (0.4, 0.2, 0.14, 0.1, 0.1, 0.06))
    intrude(c, 0.2)
    tone = vary(rng, mix({"asphalt": 1, "concrete": rng.beta(1, 1.5)}), 0.12)
    u, v = tx.axes(rng)
    bow = rng.choice([0.0, 15.0, 40.0, 90.0])
    _road(c, tx.curve(rng, u, v, bow), rng.uniform(18, 42), tone)
    if rng.random() < 0.45:
        a, b = tx.axes(rng)
        _road(c, tx.curve(rng, a, b, rng.choice([0.0, 20.0])), rng.uniform(9, 24), tone)
    if rng.random() < 0.3:
        for _ in range(rng.integers(1, 5)):
            radius = rng.uniform(35, 110)
            ring = np.hypot(u - rng.uniform(-150, 150), v - rng.choice([-1, 1]) * (radius + 12)) - radius
            c.put(np.abs(ring) < 6, tone)
            c.note(np.abs(ring) < 6, LandCover.ROAD)


def _industrial(c: Canvas) -> None:
    works(c, int(c.rng.integers(5, 26)))
    if c.rng.random() < 0.3:
        town(c, tx.smooth(c.rng, 4) > c.rng.uniform(0.7, 1.6))
    intrude(c, 0.25)


def _pasture(c: Canvas) -> None:
    rng = c.rng
    grassland(c, np.clip(rng.normal(0.8 - 0.3 * c.dry, 0.16), 0.2, 1), rng.uniform(0.03, 0.12))
    if rng.random() < 0.5:
        c.trees(rng.uniform(0.002, 0.03), wood(c))
    intrude(c, 0.4)
    if rng.random() < 0.25:
        u, v = tx.axes(rng)
        _track(c, tx.curve(rng, u, v, 20))


def _residential(c: Canvas) -> None:
    town(c)
    intrude(c, 0.35)


def _water(c: Canvas, *, river: bool) -> Array:
    kinds = ("water_clear", "water_blue", "water_green", "water_brown", "water_dark")
    alpha = (0.2, 0.15, 1.1, 0.7, 1.0) if river else (1.2, 1.2, 0.45, 0.12, 0.7)
    return vary(c.rng, c.rng.dirichlet(alpha) @ np.stack([SPECTRA[k] for k in kinds]), 0.15)


def _river(c: Canvas) -> None:
    rng = c.rng
    background(c, (0.34, 0.16, 0.22, 0.12, 0.12, 0.04))
    u, v = tx.axes(rng)
    u, v = u + rng.uniform(0, 25) * tx.smooth(rng, 6), v + rng.uniform(0, 25) * tx.smooth(rng, 6)
    distance = np.abs(tx.curve(rng, u, v, rng.choice([10.0, 50.0, 110.0, 180.0])))
    half = rng.uniform(22, 110) * (1 + 0.15 * tx.smooth(rng, 5))
    if rng.random() < 0.75:
        bank = distance < half + rng.uniform(5, 60) * (1 + 0.5 * tx.smooth(rng, 8))
        c.put(bank, wood(c), rng.uniform(0.5, 1))
        c.note(bank, LandCover.TREES)
    if rng.random() < 0.2:
        c.put(distance < half + 12, vary(rng, mix({"gravel": 1, "sand": 1})), 0.8)
        c.note(distance < half + 12, LandCover.BARE)
    wet = distance < half
    c.put(wet, _water(c, river=True))
    c.note(wet, LandCover.WATER)
    c.shade(1 + 0.05 * tx.smooth(rng, 16), wet)
    if rng.random() < 0.15:
        bar = wet & (tx.fractal(rng, 0.5, 4, 32) > 1.5)
        c.put(bar, vary(rng, mix({"gravel": 1, "grass_dull": rng.random()})))
        c.note(bar, LandCover.BARE)
    if rng.random() < 0.2:
        a, _ = tx.axes(rng)
        bridge = np.abs(a) < rng.uniform(4, 9)
        c.put(bridge, SPECTRA["asphalt"])
        c.note(bridge, LandCover.ROAD)


def _sea(c: Canvas) -> None:
    rng = c.rng
    water, other = _water(c, river=False), _water(c, river=False)
    share = np.clip(0.5 + rng.gamma(1, 0.12) * tx.fractal(rng, 0.45, 3, 24) + rng.normal(0, 0.3), 0, 1)[..., None]
    glint = max(rng.normal(0, 45), 0)
    c.ground[:] = water * share + other * (1 - share) + glint
    c.ground += (rng.gamma(1, 5) * tx.smooth(rng, int(rng.choice([12, 24, 48]))))[..., None]
    c.ground[:] = np.maximum(c.ground, 2)
    c.note(None, LandCover.WATER)
    if rng.random() < 0.1:
        level = tx.fractal(rng, 0.45, 3, 24) - rng.uniform(1.1, 2.2)
        sea = c.ground.copy()
        background(c, (0.2, 0.2, 0.3, 0.2, 0.1, 0.0))
        c.put((level > -0.15) & (level <= 0), SPECTRA["sand"], rng.uniform(0.2, 1))
        c.ground[level <= 0] = sea[level <= 0]
        c.note(level <= 0, LandCover.WATER)


_PAINTERS: dict[str, tuple[Callable[[Canvas], None], tuple[float, float]]] = {
    "AnnualCrop": (_annual, (1.2, 1.2)),
    "Forest": (_forest, (0.9, 2.5)),
    "HerbaceousVegetation": (_herbaceous, (1.2, 1.3)),
    "Highway": (_highway, (1.2, 1.2)),
    "Industrial": (_industrial, (1.2, 1.2)),
    "Pasture": (_pasture, (0.8, 2.5)),
    "PermanentCrop": (_permanent, (1.4, 1.2)),
    "Residential": (_residential, (1.2, 1.2)),
    "River": (_river, (1.0, 1.4)),
    "SeaLake": (_sea, (1.0, 1.0)),
}
"""Class key -> painter, and the beta law of dryness where such land lies."""


def scene(class_key: str, seed: int) -> NDArray[np.uint16]:
    """One synthetic Sentinel-2 tile, the same for the same arguments on any machine.

    Args:
        class_key: One of CLASSES.
        seed: Any non-negative integer.

    Returns:
        Level-1C digital numbers (reflectance x 10,000), uint16 (13, 64, 64), bands as in EuroSAT's files.

    Raises:
        UsageError: If there is no such class.
    """
    return acquired(painted(class_key, seed))


def acquired(canvas: Canvas) -> NDArray[np.uint16]:
    """The tile of a painted canvas, uint16 (13, 64, 64); its randomness goes on, so that it is asked for once."""
    return tx.observe(canvas.rng, canvas.ground, tx.Atmosphere.draw(canvas.rng))


def painted(class_key: str, seed: int) -> Canvas:
    """The ground of a scene, as `scene` looks at it from above and `ground_views.views` from within.

    Args:
        class_key: One of CLASSES.
        seed: Any non-negative integer.

    Returns:
        The painted canvas; its source of randomness goes on with the acquisition of the tile.

    Raises:
        UsageError: If there is no such class.
    """
    if class_key not in _PAINTERS:
        raise UsageError(f"no scenes of class '{class_key}': choose one of {', '.join(CLASSES)}")
    paint, dry = _PAINTERS[class_key]
    canvas = Canvas.draw(np.random.default_rng([zlib.crc32(class_key.encode()), seed]), dry)
    paint(canvas)
    return canvas


def written_seed(seed: int, n: int) -> int:
    """Seed of scene n of a class, from 0, in what `write_eurosat` writes with a seed: its tile is `CLASS_{n + 1}`."""
    return FRESH_SEED + 1_000_000 * seed + n


def write_eurosat(folder: Path, per_class: int, seed: int, split: tuple[float, float] = (0.6, 0.2)) -> None:
    """Write synthetic scenes as TorchGeo's EuroSAT lays them out, lists of the splits included.

    Tiles of all classes stand side by side at eight places in Europe, so that they form spatial clusters.

    Args:
        folder: Root folder; made if absent. What `torchgeo.datasets.EuroSAT` takes as `root`.
        per_class: Scenes of each class, at least 1.
        seed: Datasets of different seeds share no scene with each other (up to a million per class) or with
            training.
        split: Shares of train and val, drawn class by class; the rest is test.

    Raises:
        UsageError: If a figure is out of range.
        OSError: If the folder cannot be written.
    """
    if per_class < 1 or seed < 0 or min(split) < 0 or sum(split) > 1:
        raise UsageError(
            f"cannot write scenes with per_class {per_class}, seed {seed}, split {split}: "
            "per_class starts at 1, seed at 0, the shares of train and val sum to at most 1"
        )
    from threadpoolctl import threadpool_limits

    rng = np.random.default_rng(seed)
    cuts = np.rint(np.cumsum(split) * per_class).astype(int)
    lists: dict[str, list[str]] = {"train": [], "val": [], "test": []}
    root = folder / "ds" / "images" / "remote_sensing" / "otherDatasets" / "sentinel_2" / "tif"
    with threadpool_limits(1):  # matrices this small lose ten times over in BLAS threads
        for label, key in enumerate(CLASSES):
            (root / key).mkdir(parents=True, exist_ok=True)
            part = np.digitize(rng.permutation(per_class), cuts)
            for n in range(per_class):
                dn = scene(key, written_seed(seed, n))
                _write_tile(root / key / f"{key}_{n + 1}.tif", dn, n % len(_SITES), label, n // len(_SITES))
                lists[("train", "val", "test")[part[n]]].append(f"{key}_{n + 1}.jpg")
    for name, files in lists.items():
        text = "".join(f"{file}\n" for file in files)
        (folder / f"eurosat-{name}.txt").write_text(text, encoding="utf-8")


def _write_tile(path: Path, dn: NDArray[np.uint16], site: int, row: int, column: int) -> None:
    """GeoTIFF of one tile, placed in the given row and column of the tiles at a site."""
    import rasterio
    from rasterio.transform import from_origin

    epsg, northing = _SITES[site]
    where = from_origin(420_000 + 640 * column, 10_000 * northing - 640 * row, 10, 10)
    with rasterio.open(
        path, "w", driver="GTiff", width=64, height=64, count=13, dtype="uint16",
        crs=f"EPSG:{epsg}", transform=where,
    ) as file:  # fmt: skip
        file.write(dn)
