"""Synthetic patches with several land covers each, written as BigEarthNet v1 or v2 lays them out.

Each cover is painted a few times as a whole scene (`landcover.py`), and a patch takes two or three covers of one
scene set along random borders: so its labels are known, and 100,000 patches cost little more than writing them.
"""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from senbench.datasets.bigearthnet.corine import CLASSES_19, TO_19
from senbench.datasets.catalog import S2_BANDS
from senbench.datasets.synthetic import bigearthnet_covers as painting
from senbench.datasets.synthetic import textures as tx
from senbench.datasets.synthetic.landcover import Canvas
from senbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

SIDE = 120
_TILE = tx.FINE
"""Pixels per side of a painted scene: windows of SIDE are cut from it."""
SETS, BORDERS, REGIONS = 4, 64, 4
"""Scene sets of one atmosphere and season; border maps; most covers in a patch."""
V2_SHARE = 0.1
"""v2 labels a cover from this share of the patch, v1 labels all that is there: as the real ones, they differ."""

COARSE = {"B01": 6, "B09": 6} | dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12"), 2)
"""Pixels of 10 m per pixel and side of the bands that are coarser."""

SITES = (
    ("33UUP", "Austria", 3, 54),
    ("33UWP", "Austria", 5, 54),
    ("31UFS", "Belgium", 6, 57),
    ("34VER", "Finland", 5, 67),
    ("35VPK", "Finland", 6, 70),
    ("29UPU", "Ireland", 6, 59),
    ("34TDN", "Kosovo", 4, 47),
    ("34UFG", "Lithuania", 6, 61),
    ("31UGR", "Luxembourg", 7, 56),
    ("29SND", "Portugal", 5, 44),
    ("34TCQ", "Serbia", 3, 50),
    ("32TMT", "Switzerland", 4, 53),
)
"""MGRS tile, country, and its upper left corner, roughly, in units of 100 km."""
_PER_SCENE = 90
"""Patches per row and per column of a scene."""


@dataclass(frozen=True)
class Plan:
    """What each of N patches shows, the same for the same arguments on any machine.

    Attributes:
        seed: What it was made from.
        borders: Index of the border map, (N,).
        covers: Index of the cover in each region, (N, REGIONS).
        sets: Scene set, (N,).
        turns: 3 bits: mirrored up, mirrored left, transposed, (N,).
        offsets: First row and column of the window, (N, 2).
        gains: Brightness in 128ths, (N,).
        fine: Which of the 43 classes that its cover may be, as a large number, (N, REGIONS).
        n_scenes: Scenes that the patches are spread over.
        part: 0 train, 1 val, 2 test, (N,).
    """

    seed: int
    borders: NDArray[np.int64]
    covers: NDArray[np.int64]
    sets: NDArray[np.int64]
    turns: NDArray[np.int64]
    offsets: NDArray[np.int64]
    gains: NDArray[np.int64]
    fine: NDArray[np.int64]
    n_scenes: int
    part: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.borders)

    def labels(self, i: int, version: int) -> tuple[str, ...]:
        """Labels of patch i: among the 43 for version 1, among the 19 for version 2."""
        _, shares = _borders(self.seed)
        share = shares[self.borders[i]]
        found: dict[str, float] = {}
        for region in range(REGIONS):
            cover = painting.COVERS[self.covers[i, region]]
            if share[region] > 0:
                name = cover.classes[self.fine[i, region] % len(cover.classes)]
                found[name] = found.get(name, 0.0) + share[region]
        if version == 1:
            return tuple(found)
        groups: dict[str, float] = {}
        for name, size in found.items():
            if name in TO_19:
                groups[TO_19[name]] = groups.get(TO_19[name], 0.0) + size
        return tuple(name for name in CLASSES_19 if groups.get(name, 0.0) >= V2_SHARE)

    def place(self, i: int) -> tuple[int, int, int]:
        """Scene, column and row of patch i."""
        i = int(i)
        q = i // self.n_scenes
        return i % self.n_scenes, q % _PER_SCENE, q // _PER_SCENE

    def names(self, i: int) -> dict[str, str]:
        """Names of patch i: `v1`, `scene` and `v2` (the patch), `radar`, `mgrs`, `country`, `date`."""
        scene, column, row = self.place(i)
        mgrs, country, _, _ = SITES[scene % len(SITES)]
        day = date(2017, 6, 1) + timedelta(days=5 * (scene // len(SITES)))
        stamp = f"{day:%Y%m%d}T10{scene % len(SITES):02d}31"
        tail = f"{column:02d}_{row:02d}"
        return {
            "v1": f"S2A_MSIL2A_{stamp}_{column}_{row}",
            "scene": f"S2A_MSIL2A_{stamp}_N9999_R022_T{mgrs}",
            "v2": f"S2A_MSIL2A_{stamp}_N9999_R022_T{mgrs}_{tail}",
            "radar": f"S1A_IW_GRDH_1SDV_{day:%Y%m%d}T165043_{mgrs}_{column}_{row}",
            "mgrs": mgrs,
            "country": country,
            "date": f"{day:%Y-%m-%d}",
        }

    def pixels(self, i: int, bands: Sequence[str]) -> NDArray[np.uint16]:
        """Digital numbers of patch i at 10 m, uint16 (B, 120, 120)."""
        masks, shares = _borders(self.seed)
        scenes = _scenes(self.seed, tuple(bands))[:, self.sets[i]]
        y, x = self.offsets[i]
        window = np.s_[:, y : y + SIDE, x : x + SIDE]
        out = scenes[self.covers[i, 0]][window].copy()
        for region in range(1, REGIONS):
            if shares[self.borders[i], region] > 0:
                np.copyto(out, scenes[self.covers[i, region]][window], where=masks[self.borders[i], region])
        out = ((out.astype(np.uint32) * np.uint32(self.gains[i])) >> 7).astype(np.uint16)
        turn = int(self.turns[i])
        out = out[:, ::-1] if turn & 1 else out
        out = out[:, :, ::-1] if turn & 2 else out
        return np.ascontiguousarray(out.transpose(0, 2, 1) if turn & 4 else out)


def plan(n: int, seed: int, split: tuple[float, float] = (0.0, 0.0)) -> Plan:
    """Draw what `n` patches show.

    Labels differ in frequency, and lie together in space: each MGRS tile has its own mixture of covers.

    Args:
        n: Number of patches, at least 1.
        seed: Datasets of different seeds share no scene with each other or with the training of `mini`.
        split: Shares of train and val; the rest is test.

    Raises:
        UsageError: A figure is out of range.
    """
    if n < 1 or seed < 0 or min(split) < 0 or sum(split) > 1:
        raise UsageError(
            f"cannot write patches with n {n}, seed {seed}, split {split}: n starts at 1, seed at 0, the shares of "
            "train and val sum to at most 1"
        )
    rng = _rng("plan", seed)
    kinds = len(painting.COVERS)
    n_scenes = max(2 * len(SITES), -(-n // _PER_SCENE**2))
    liking = np.log(painting.FREQUENCY) + 0.8 * rng.standard_normal((len(SITES), kinds))
    site = np.arange(n) % n_scenes % len(SITES)
    draw = liking[site] + rng.gumbel(size=(n, kinds))
    gain = 128 + 8 * rng.standard_normal(n_scenes)[np.arange(n) % n_scenes] + 8 * rng.standard_normal(n)
    return Plan(
        seed=seed,
        borders=rng.integers(0, BORDERS, n),
        covers=np.argsort(-draw, axis=1, kind="stable")[:, :REGIONS],
        sets=rng.integers(0, SETS, n),
        turns=rng.integers(0, 8, n),
        offsets=rng.integers(0, _TILE - SIDE + 1, (n, 2)),
        gains=np.clip(gain, 96, 160).astype(np.int64),
        fine=rng.integers(0, 1 << 20, (n, REGIONS)),
        n_scenes=n_scenes,
        part=np.digitize(rng.permutation(n), np.rint(np.cumsum(split) * n)),
    )


def write_bigearthnet(
    folder: Path,
    n: int,
    seed: int,
    *,
    version: int = 2,
    bands: Sequence[str] = S2_BANDS,
    split: tuple[float, float] = (0.0, 0.0),
) -> Plan:
    """Write synthetic patches as BigEarthNet lays them out: v1 with lists and label files, v2 with its table.

    Sentinel-1 patches and reference maps are not written. v1 and v2 of the same arguments show the same pixels,
    and v2's `s2v1_name` says which.

    Args:
        folder: Root folder; made if absent. What `--data-dir` takes.
        n: Number of patches, at least 1.
        seed: See `plan`.
        version: 1 or 2.
        bands: Bands to write; three of them make a large set small enough.
        split: Shares of train and val; the rest is test.

    Returns:
        What was written.

    Raises:
        UsageError: A figure is out of range.
        OSError: The folder cannot be written.
    """
    drawn = plan(n, seed, split)
    if version not in (1, 2) or not set(bands) <= set(S2_BANDS):
        raise UsageError(
            f"cannot write version {version} with bands {', '.join(bands)}: 1 or 2, and {', '.join(S2_BANDS)}"
        )
    patches = folder / ("BigEarthNet-v1.0" if version == 1 else "BigEarthNet-S2")
    for i in range(n):
        _write_patch(patches, drawn, i, version, bands)
    _write_lists(folder, drawn, version)
    return drawn


def _write_lists(folder: Path, drawn: Plan, version: int) -> None:
    """Write the split lists (v1) or the table (v2) of all patches of a plan."""
    named = [drawn.names(i) for i in range(len(drawn))]
    if version == 1:
        for part, name in enumerate(("train", "val", "test")):
            lines = (f"{named[i]['v1']},{named[i]['radar']}\n" for i in np.flatnonzero(drawn.part == part))
            (folder / f"bigearthnet-{name}.csv").write_text("".join(lines), encoding="utf-8")
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    parts = ("train", "validation", "test")
    table = {
        "patch_id": [names["v2"] for names in named],
        "labels": pa.array([drawn.labels(i, 2) for i in range(len(drawn))], pa.list_(pa.string())),
        "split": [parts[part] for part in drawn.part],
        "country": [names["country"] for names in named],
        "s1_name": [names["radar"] for names in named],
        "s2v1_name": [names["v1"] for names in named],
        "contains_seasonal_snow": [False] * len(named),
        "contains_cloud_or_shadow": [False] * len(named),
    }
    pq.write_table(pa.table(table), folder / "metadata.parquet")


def _write_patch(patches: Path, drawn: Plan, i: int, version: int, bands: Sequence[str]) -> None:
    names = drawn.names(i)
    name = names["v1"] if version == 1 else names["v2"]
    folder = patches / name if version == 1 else patches / names["scene"] / name
    folder.mkdir(parents=True, exist_ok=True)
    scene, column, row = drawn.place(i)
    mgrs, _, east, north = SITES[scene % len(SITES)]
    corner = struct.pack("<2d", 100_000 * east + 1200 * column, 100_000 * north - 1200 * row)
    for band, dn in zip(bands, drawn.pixels(i, bands), strict=True):
        factor = COARSE.get(band, 1)
        if factor > 1:
            side = SIDE // factor
            dn = np.rint(dn.reshape(side, factor, side, factor).mean((1, 3))).astype(np.uint16)
        before, after = _header(int(f"326{mgrs[:2]}"), factor)
        (folder / f"{name}_{band}.tif").write_bytes(before + corner + after + dn.tobytes())
    if version == 1:
        text = json.dumps({"labels": list(drawn.labels(i, 1)), "acquisition_date": f"{names['date']} 10:10:31"})
        (folder / f"{name}_labels_metadata.json").write_text(text, encoding="utf-8")


@cache
def _header(epsg: int, factor: int) -> tuple[bytes, bytes]:
    """What GDAL writes before the pixels of a band, without the coordinates of its corner: before and after them."""
    from rasterio.io import MemoryFile
    from rasterio.transform import from_origin

    side, east, north = SIDE // factor, 123_450.0, 5_432_100.0
    dn = np.random.default_rng(0).integers(1, 65536, (side, side)).astype(np.uint16)
    with MemoryFile() as memory:
        with memory.open(
            driver="GTiff", width=side, height=side, count=1, dtype="uint16", crs=f"EPSG:{epsg}",
            transform=from_origin(east, north, 10 * factor, 10 * factor),
        ) as file:  # fmt: skip
            file.write(dn, 1)
        written = memory.read()
    pixels, corner = dn.astype("<u2").tobytes(), struct.pack("<2d", east, north)
    if not written.endswith(pixels) or written.count(corner) != 1:  # the pixels must come last, in one piece
        raise RuntimeError("this GDAL lays out GeoTIFFs in another way than those that are written here")
    before, after = written[: -len(pixels)].split(corner)
    return before, after


@cache
def _borders(seed: int) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Border maps as masks, bool (BORDERS, REGIONS, 120, 120), and the share of each region, (BORDERS, REGIONS)."""
    rng = _rng("borders", seed)
    masks = np.zeros((BORDERS, REGIONS, SIDE, SIDE), dtype=bool)
    for k in range(BORDERS):
        regions = 1 + k % REGIONS
        fields = np.stack([tx.smooth(rng, int(rng.integers(3, 6))) + rng.normal(0, 0.3) for _ in range(regions)])
        owner = fields[:, :SIDE, :SIDE].argmax(axis=0)
        masks[k] = owner == np.arange(REGIONS)[:, None, None]
    shares = masks.mean((2, 3))
    masks.setflags(write=False)
    return masks, shares


@cache
def _scenes(seed: int, bands: tuple[str, ...]) -> NDArray[np.uint16]:
    """Some bands of the painted covers, uint16 (covers, SETS, B, 128, 128)."""
    return np.ascontiguousarray(_painted(seed)[:, :, [tx.BANDS.index(band) for band in bands]])


@cache
def _painted(seed: int) -> NDArray[np.uint16]:
    """Each cover in each set, uint16 (covers, SETS, 13, 128, 128); a set shares its season and atmosphere."""
    from threadpoolctl import threadpool_limits

    painted = np.empty((len(painting.COVERS), SETS, len(tx.BANDS), _TILE, _TILE), np.uint16)
    with threadpool_limits(1):  # matrices this small lose ten times over in BLAS threads
        for s in range(SETS):
            weather = _rng("weather", seed, s)
            air, dry = tx.Atmosphere.draw(weather), float(weather.beta(1.2, 1.2))
            for k, cover in enumerate(painting.COVERS):
                rng = _rng(cover.name, seed, s)
                canvas = Canvas.draw(rng, (1 + 20 * dry, 1 + 20 * (1 - dry)))
                cover.paint(canvas)
                painted[k, s] = _seen(rng, canvas.ground, air)
    return painted


def _seen(rng: np.random.Generator, ground: NDArray[np.float64], air: tx.Atmosphere) -> NDArray[np.uint16]:
    """A painted ground at twice its size, so that it fills a patch: each of its points is a pixel, (13, 128, 128)."""
    out = np.empty((len(tx.BANDS), _TILE, _TILE), np.uint16)
    for quarter in np.ndindex(2, 2):
        rows, columns = (slice(tx.TILE * k, tx.TILE * (k + 1)) for k in quarter)
        out[:, rows, columns] = tx.observe(rng, ground[rows, columns].repeat(2, 0).repeat(2, 1), air)
    return out


def _rng(what: str, *numbers: int) -> np.random.Generator:
    """Randomness of its own for each purpose; `mini` was trained on streams of other names."""
    return np.random.default_rng([zlib.crc32(f"several labels: {what}".encode()), *numbers])
