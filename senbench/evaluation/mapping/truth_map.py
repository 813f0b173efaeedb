"""A map held against a land-cover raster: confusion, figures by class and shares of area, with intervals by blocks."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets.distances import BLOCK
from senbench.errors import UnavailableError, UsageError, brief
from senbench.evaluation.mapping.map_rasters import NO_CLASS
from senbench.io.plain_text import decode
from senbench.runtime.lookup import unknown
from senbench.schema.map_facts import Figure95, MapTruth, TruthClass
from senbench.scoring.intervals.clustered import effective_clusters, jackknife, too_few
from senbench.scoring.single_label.metrics import class_rates, mean_defined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from senbench.evaluation.mapping.settled import Settled
    from senbench.scoring import Array

LEAST_KNOWN = 0.5
"""Least share of a cell whose class the land-cover map must know."""
MOST_POINTS = 32
"""Points along one side of a cell at which the land-cover map is asked."""
CELLS = 1 << 20
"""Points of a slab."""


class TruthMap(NamedTuple):
    """A land-cover map and what its values mean."""

    path: Path
    classes: dict[int, int]
    """Value of the raster -> class of the run."""


def opened(raster: str | None, table: str | None, settled: Settled) -> TruthMap | None:
    """A land-cover map as the user names it; None: none is.

    Args:
        raster: The raster; it may have another projection and other pixels.
        table: CSV with the columns `value` and `class`; several values may mean one class, others are left out.
        settled: The run, of whose classes the table speaks.

    Raises:
        UsageError: One of both is missing, is no such file, or does not fit.
        UnavailableError: The raster cannot be read.
    """
    import rasterio
    from rasterio.errors import RasterioError

    if raster is None and table is None:
        return None
    if raster is None or table is None:
        raise UsageError("--truth and --truth-classes belong together: a raster, and the table of what its values mean")
    if settled.multi_label:
        raise UsageError("--truth holds one class against another, and the run gives several labels: leave it out")
    path = Path(raster).expanduser()
    if not path.is_file():
        raise UsageError(f"--truth {raster}: no such file")
    try:
        with rasterio.open(path) as file:
            if file.crs is None or file.dtypes[0] not in ("uint8", "uint16", "int16", "uint32", "int32", "int8"):
                raise UsageError(f"--truth {path.name}: needs whole numbers and a projection, has {file.dtypes[0]}")
    except RasterioError as error:
        raise UnavailableError(f"--truth {path.name} cannot be read: {brief(error)}") from error
    return TruthMap(path, _table(Path(table).expanduser(), settled.classes))


def _table(path: Path, classes: tuple[str, ...]) -> dict[int, int]:
    if not path.is_file():
        raise UsageError(f"--truth-classes {path.name}: no such file")
    rows = list(csv.DictReader(io.StringIO(decode(path.read_bytes(), path.name))))
    found: dict[int, int] = {}
    for k, row in enumerate(rows, 2):
        value, key = (str(row.get(name) or "").strip() for name in ("value", "class"))
        if not value.lstrip("-").isdigit():
            raise UsageError(f"{path.name}: row {k}: {value!r} is no whole number; the columns are value and class")
        if key and key not in classes:
            raise unknown(f"class in row {k} of {path.name}:", key, classes)
        if int(value) in found:
            raise UsageError(f"{path.name}: row {k}: value {value} is there already")
        if key:
            found[int(value)] = classes.index(key)
    if not found:
        raise UsageError(f"{path.name} gives no value a class; the columns are value and class")
    return found


def compare(truth: TruthMap, settled: Settled, classes: Path) -> MapTruth:
    """Hold `classes.tif` against a land-cover map.

    A cell's true class is that which covers most of it, where at least half of it is known.

    Args:
        truth: The land-cover map.
        settled: The run.
        classes: The file.

    Raises:
        UsageError: They do not overlap.
        UnavailableError: The land-cover map cannot be read.
    """
    from rasterio.errors import RasterioError

    n = len(settled.classes)
    tables: dict[str, NDArray[np.int64]] = {}
    cells = unknown_cells = 0
    purity = 0.0
    try:
        for names, mapped, counts in _slabs(truth, classes, n):
            known = counts.sum(axis=1)
            own, there = counts[:, :n].argmax(axis=1), mapped != NO_CLASS
            sure = counts[:, :n].sum(axis=1) >= LEAST_KNOWN * known
            unknown_cells += int((there & ~sure).sum())
            both = there & sure
            cells += int(both.sum())
            purity += float((counts[both, own[both]] / known[both]).sum())
            place = own[both] * n + mapped[both]
            for name in np.unique(names[both]):
                at = names[both] == name
                own_table = np.bincount(place[at], minlength=n * n)
                tables[name] = tables.get(name, np.zeros(n * n, np.int64)) + own_table
    except RasterioError as error:
        raise UnavailableError(f"--truth {truth.path.name} cannot be read: {brief(error)}") from error
    if not cells:
        raise UsageError(f"--truth {truth.path.name} and the map have no cell in common of which both have a class")
    by_block = np.stack([tables[name] for name in sorted(tables)]).reshape(-1, n, n)
    return _figures(by_block, settled.classes, truth.path.name, unknown_cells, purity / cells)


def _slabs(
    truth: TruthMap, classes: Path, n: int
) -> Iterator[tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]]:
    """Block, class by the map and points by true class (the last: unknown) of the cells, some rows at a time."""
    import rasterio
    from rasterio.enums import Resampling
    from rasterio.transform import Affine
    from rasterio.vrt import WarpedVRT
    from rasterio.warp import transform_bounds

    with rasterio.open(classes) as map_, rasterio.open(truth.path) as source:
        bounds = transform_bounds(map_.crs, source.crs, *map_.bounds)
        fine = (
            max(abs(source.transform.a), 1e-12)
            * (map_.bounds.right - map_.bounds.left)
            / max(bounds[2] - bounds[0], 1e-12)
        )
        points = int(np.clip(np.ceil(map_.transform.a / fine), 1, MOST_POINTS))
        grid = map_.transform @ Affine.scale(1 / points)
        shape = {"width": map_.width * points, "height": map_.height * points}
        step = max(1, CELLS // (map_.width * points * points))
        known = np.array(sorted(truth.classes))
        to = np.array([truth.classes[value] for value in known.tolist()])
        # what lies outside the land-cover map must be a value that means nothing
        nothing = source.nodata
        with WarpedVRT(
            source, crs=map_.crs, transform=grid, resampling=Resampling.nearest, add_alpha=nothing is None, **shape
        ) as warped:
            for top in range(0, map_.height, step):
                rows = min(step, map_.height - top)
                window = ((top * points, (top + rows) * points), (0, map_.width * points))
                values = warped.read(1, window=window).astype(np.int64)
                there = warped.dataset_mask(window=window) > 0
                at = np.clip(np.searchsorted(known, values), 0, len(known) - 1)
                found = np.where(there & (known[at] == values), to[at], n)
                own = found.reshape(rows, points, map_.width, points).swapaxes(1, 2).reshape(rows * map_.width, -1)
                counts = np.stack([(own == k).sum(axis=1) for k in range(n + 1)], axis=1)
                mapped = map_.read(1, window=((top, top + rows), (0, map_.width))).ravel().astype(np.int64)
                yield _blocks(map_.transform, top, rows, map_.width), mapped, counts


def _blocks(transform: Any, top: int, rows: int, wide: int) -> NDArray[Any]:
    """Name of the block of 5 km in which the centre of each cell lies, (rows x columns,)."""
    y = ((transform.f + (np.arange(top, top + rows) + 0.5) * transform.e) // BLOCK).astype(int)
    x = ((transform.c + (np.arange(wide) + 0.5) * transform.a) // BLOCK).astype(int)
    return np.char.add(np.char.add(np.repeat(y, wide).astype(str), "_"), np.tile(x, rows).astype(str))


def statistic(tables: Array) -> Array:
    """Figures of confusion tables.

    Args:
        tables: Cells, rows true, (..., C, C).

    Returns:
        Agreement, mean recall and mean F1, then recall, precision, F1 and both shares of area by class, (..., 3 + 5 C).
    """
    hits = np.diagonal(tables, axis1=-2, axis2=-1)
    support, mapped = tables.sum(axis=-1), tables.sum(axis=-2)
    precision, recall, f1 = class_rates(hits, mapped, support)
    total = support.sum(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares = (support / total, mapped / total)
        agreement = hits.sum(axis=-1) / total[..., 0]
    whole = np.stack([agreement, mean_defined(recall), mean_defined(f1)], axis=-1)
    return np.concatenate([whole, recall, precision, f1, *shares], axis=-1)


def _figures(
    by_block: NDArray[np.int64], classes: tuple[str, ...], source: str, unknown_cells: int, purity: float
) -> MapTruth:
    tables = by_block.astype(np.float64)
    total, g, n = tables.sum(axis=0), len(tables), len(classes)
    estimate, left_out = statistic(total), statistic(total - tables)
    sizes = tables.sum(axis=(1, 2))
    reason, bounds = too_few(g), np.array([0.0, 1.0])

    def figure(k: int) -> Figure95:
        value = None if np.isnan(estimate[k]) else float(estimate[k])
        if value is None or reason:
            return Figure95(
                value=value, interval=reason.replace("images", "cells").replace("clusters", "blocks of 5 km")
            )
        found = jackknife(left_out[:, k], estimate[k], float("nan"), bounds, effective_clusters(sizes), "5 km")
        return Figure95(value=value, ci=found.ci, interval=found.label)

    return MapTruth(
        source=source,
        cells=int(total.sum()),
        unknown=unknown_cells,
        blocks=g,
        agreement=figure(0),
        balanced=figure(1),
        f1_macro=figure(2),
        purity=round(purity, 6),
        classes=tuple(
            TruthClass(
                key=key,
                truth=int(total[k].sum()),
                mapped=int(total[:, k].sum()),
                recall=figure(3 + k),
                precision=figure(3 + n + k),
                f1=figure(3 + 2 * n + k),
                share_truth=figure(3 + 3 * n + k),
                share_mapped=figure(3 + 4 * n + k),
            )
            for k, key in enumerate(classes)
        ),
        confusion=tuple(tuple(int(v) for v in row) for row in total),
    )
