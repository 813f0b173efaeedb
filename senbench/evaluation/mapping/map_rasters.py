"""The rasters of a map: classes, margins and scores as cloud-optimised GeoTIFFs, with colours, names and a style."""

from __future__ import annotations

import colorsys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from senbench.evaluation.mapping.settled import margins
from senbench.scoring.postprocess import predict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.evaluation.mapping.cells import WindowScores
    from senbench.evaluation.mapping.scene import Scene
    from senbench.evaluation.mapping.settled import Settled

NO_CLASS = 255
"""Value of a cell without a class."""
TILE = 256
"""Side of a tile of the files."""
_WORDS = (
    ("water", "#2f6fb2"),
    ("sea", "#2f6fb2"),
    ("lake", "#4a90d0"),
    ("river", "#63b3e4"),
    ("ocean", "#1f4f8f"),
    ("wetland", "#7fb8b0"),
    ("conifer", "#0b5d2b"),
    ("broad-leaved", "#2e8b45"),
    ("forest", "#1b7a3a"),
    ("wood", "#4d8a4a"),
    ("annualcrop", "#f2d16b"),
    ("arable", "#f2d16b"),
    ("permanentcrop", "#c98b2b"),
    ("pasture", "#b7d968"),
    ("herbaceous", "#8fc46a"),
    ("grass", "#a6d96a"),
    ("moor", "#a88fb0"),
    ("highway", "#6b6b6b"),
    ("road", "#6b6b6b"),
    ("industrial", "#8d4fa3"),
    ("residential", "#d7403a"),
    ("urban", "#d7403a"),
    ("beach", "#f5e6b8"),
    ("crop", "#e8b84f"),
    ("agri", "#dfc27d"),
    ("bare", "#b9a48a"),
    ("snow", "#eef4fa"),
)
"""Part of a class key, without marks -> its colour; the first that is not taken."""


def colours(classes: Sequence[str]) -> tuple[str, ...]:
    """One colour per class, `#rrggbb`, all different: that which maps usually have, else one of a wheel."""
    taken: list[str] = []
    for k, key in enumerate(classes):
        plain = "".join(c for c in key.lower() if c.isalnum() or c == "-")
        usual = next((colour for word, colour in _WORDS if word in plain and colour not in taken), None)
        hue, turn = (0.61803398875 * k) % 1, 0
        while usual is None or usual in taken:
            red, green, blue = colorsys.hsv_to_rgb((hue + 0.05 * turn) % 1, 0.65, 0.85 - 0.25 * (k % 2))
            usual, turn = f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}", turn + 1
        taken.append(usual)
    return tuple(taken)


@dataclass
class Shares:
    """Cells by class.

    Attributes:
        cells: Cells of each class, or with each label, (C,).
        classified: Cells with a class.
        total: All cells.
    """

    cells: NDArray[np.int64]
    classified: int = 0
    total: int = 0


def write(settled: Settled, scene: Scene, scores: WindowScores, folder: Path, tags: dict[str, str]) -> Shares:
    """Write `classes.tif`, `margin.tif`, `scores.tif` and their styles; raises OSError, or what rasterio raises.

    Args:
        settled: The run.
        scene: The scene, on whose grid the map lies.
        scores: Scores of all windows.
        folder: Folder to write to.
        tags: What each file tells of how it was made.

    Returns:
        Cells by class.
    """
    import rasterio
    from rasterio.shutil import copy

    grid, keys, several = scores.grid, settled.classes, settled.multi_label
    high, wide = grid.cells
    shares = Shares(np.zeros(len(keys), np.int64), 0, high * wide)
    layers = len(keys) if several else 1
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "height": high,
        "width": wide,
        "crs": scene.crs,
        "transform": scene.transform @ scene.transform.scale(grid.stride),
        "tiled": True,
        "blockxsize": TILE,
        "blockysize": TILE,
        "BIGTIFF": "IF_SAFER",
    }
    kinds = {
        "classes": (layers, "uint8", NO_CLASS),
        "margin": (1, "float32", float("nan")),
        "scores": (len(keys), "float32", float("nan")),
    }
    with ExitStack() as stack:
        files = {
            name: stack.enter_context(
                rasterio.open(folder / f".{name}.tif", "w", count=count, dtype=kind, nodata=nodata, **profile)
            )
            for name, (count, kind, nodata) in kinds.items()
        }
        _describe(files, keys, tags, several=several)
        for slab in scores.slabs():
            part = ((slab.top, slab.top + len(slab.scores)), (0, wide))
            made = _of(settled, slab.scores, shares)
            for name, values in made.items():
                files[name].write(values, window=part)
    for name in kinds:
        how = "MODE" if name == "classes" else "AVERAGE"
        copy(
            folder / f".{name}.tif",
            folder / f"{name}.tif",
            driver="COG",
            COMPRESS="DEFLATE",
            BLOCKSIZE=TILE,
            OVERVIEW_RESAMPLING=how,
            NUM_THREADS="1",
        )
        (folder / f".{name}.tif").unlink()
    if not several:
        (folder / "classes.tif.aux.xml").write_text(_categories(keys), encoding="utf-8")
        (folder / "classes.qml").write_text(qgis_style(keys, colours(keys)), encoding="utf-8")
    return shares


def _of(settled: Settled, scores: NDArray[np.float32], shares: Shares) -> dict[str, NDArray[Any]]:
    """Values of the three rasters, (bands, rows, columns), of scores (rows, columns, C)."""
    shape, c = scores.shape[:2], scores.shape[2]
    flat = scores.reshape(-1, c)
    there = ~np.isnan(flat[:, 0])
    gap = np.full(len(flat), np.nan, np.float32)
    gap[there] = margins(flat[there])
    shares.classified += int(there.sum())
    labels = settled.labels(flat[there])
    if labels is None:
        classes = np.full((len(flat), 1), NO_CLASS, np.uint8)
        classes[there, 0] = best = predict(flat[there])[0]
        shares.cells += np.bincount(best, minlength=c)
    else:
        classes = np.full((len(flat), c), NO_CLASS, np.uint8)
        classes[there] = labels
        shares.cells += labels.sum(axis=0)
    return {
        "classes": np.moveaxis(classes.reshape(*shape, -1), -1, 0),
        "margin": gap.reshape(1, *shape),
        "scores": np.moveaxis(scores, -1, 0),
    }


def _describe(files: dict[str, Any], keys: Sequence[str], tags: dict[str, str], *, several: bool) -> None:
    for file in files.values():
        file.update_tags(**tags)
    files["scores"].descriptions = tuple(keys)
    files["margin"].descriptions = ("margin",)
    if several:
        files["classes"].descriptions = tuple(keys)
        return
    files["classes"].descriptions = ("class",)
    files["classes"].update_tags(1, **{f"CLASS_{k}": key for k, key in enumerate(keys)})
    table = {k: (*_rgb(colour), 255) for k, colour in enumerate(colours(keys))}
    files["classes"].write_colormap(1, {**table, NO_CLASS: (0, 0, 0, 0)})


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:], 16)


def _categories(keys: Sequence[str]) -> str:
    """GDAL's file of category names."""
    names = "".join(f"<Category>{escape(key)}</Category>" for key in keys)
    return f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{names}</CategoryNames></PAMRasterBand></PAMDataset>\n'


def qgis_style(keys: Sequence[str], own: Sequence[str]) -> str:
    """Style of `classes.tif` for QGIS, which reads it because of its name.

    Args:
        keys: Classes.
        own: Their colours.
    """
    entries = "".join(
        f'<paletteEntry value="{k}" color="{colour}" alpha="255" label={quoteattr(key)}/>'
        for k, (key, colour) in enumerate(zip(keys, own, strict=True))
    )
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
        '<qgis version="3.22" styleCategories="Symbology"><pipe>'
        '<rasterrenderer type="paletted" band="1" opacity="1" alphaBand="-1" nodataColor="">'
        f"<rasterTransparency/><colorPalette>{entries}</colorPalette></rasterrenderer>"
        '<brightnesscontrast brightness="0" contrast="0"/><huesaturation saturation="0"/>'
        '<rasterresampler maxOversampling="2"/></pipe><blendMode>0</blendMode></qgis>\n'
    )
