"""A user's own images: one folder per class."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.folder import headers, sentinel2
from senbench.datasets.folder.sentinel2 import DigitalReader
from senbench.datasets.radiometry import NATIVE, UNDECIDED
from senbench.datasets.readers.image import EIGHT_BIT, ImageReader
from senbench.datasets.readers.sources import Folder, is_junk
from senbench.datasets.tiles import Reader, Tiles
from senbench.errors import UsageError
from senbench.schema.dataset import DatasetInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from senbench.datasets.folder.headers import Look

PREFIX = "folder:"
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def _scan(where: str) -> tuple[Path, dict[str, list[str]]]:
    """Class folder -> image files in natural order; UsageError where the layout is not class folders."""
    root = Path(where).expanduser()
    if not root.is_dir():
        raise UsageError(f"{PREFIX}{where}: no such folder")
    layout = "expected one folder per class, with the images directly in it"
    classes: dict[str, list[str]] = {}
    for entry in sorted(root.iterdir()):
        if is_junk(entry.name):
            continue
        if entry.is_dir():
            inside = [p for p in entry.iterdir() if not is_junk(p.name)]
            if nested := [p.name for p in inside if p.is_dir()]:
                raise UsageError(f"{PREFIX}{where}: folder {entry.name}/{min(nested)} lies too deep; {layout}")
            files = sorted((p.name for p in inside if p.suffix.lower() in SUFFIXES), key=natural)
            if not files:
                raise UsageError(
                    f"{PREFIX}{where}: class folder {entry.name} holds no image ({', '.join(SUFFIXES)}); "
                    "fill or remove it"
                )
            classes[entry.name] = files
        elif entry.suffix.lower() in SUFFIXES:
            raise UsageError(f"{PREFIX}{where}: image {entry.name} is in no class folder; {layout}")
    if len(classes) < 2:
        raise UsageError(f"{PREFIX}{where}: {len(classes)} class folders, need at least 2; {layout}")
    return root, classes


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key that puts `tile_2` before `tile_10`."""
    parts = [p for p in re.split("([0-9]+)", name) if p]
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p) for p in parts], name


def describe(where: str) -> DatasetInfo:
    """Facts of a user's folder.

    Args:
        where: The folder.

    Raises:
        UsageError: Not class folders of images.
    """
    root, classes = _scan(where)
    info, seen = _info(root, classes), _digital(where, root, classes)
    return info if seen is None else sentinel2.describe(info, seen)


def _info(root: Path, classes: dict[str, list[str]]) -> DatasetInfo:
    return DatasetInfo(
        id=f"{PREFIX}{root.resolve().name}",
        title=f"Own images ({root.resolve().name})",
        collection="user",
        task="single-label",
        classes=tuple(unicodedata.normalize("NFC", name) for name in classes),  # macOS writes accents apart
        vocabulary="",
        splits={"all": sum(map(len, classes.values()))},
        default_split="all",
        bands=("B04", "B03", "B02"),
        unit="uint8",
        tile_size=None,
        radiometry=NATIVE,
        licence="the user's",
        citation="the user's images",
    )


def _ids(classes: dict[str, list[str]]) -> tuple[str, ...]:
    return tuple(f"{key}/{file}" for key, files in classes.items() for file in files)


def _digital(where: str, root: Path, classes: dict[str, list[str]]) -> Look | None:
    """Headers of a folder of GeoTIFFs of digital numbers; None for 8-bit images."""
    names = _ids(classes)
    if any(not name.lower().endswith((".tif", ".tiff")) for name in names):
        return None
    return headers.look(root, names, f"{PREFIX}{where}")


def open_tiles(where: str, *, split: str | None, radiometry: str | None, dn_offset: str = "auto") -> Tiles:
    """Open a folder of class folders of images of any size: 8-bit JPEG, PNG or RGB TIFF, or digital numbers.

    Args:
        where: The folder.
        split: None or `all`.
        radiometry: Of 8-bit images None or `native-jpeg`; of digital numbers a rendering, None: that of the level.
        dn_offset: Of digital numbers `0` or `1000`: what is subtracted; `auto`: what the metadata of each tile tell.

    Returns:
        Tiles with ids `<class>/<file>`, classes in sorted order, files in natural order.

    Raises:
        UsageError: Not class folders of images, another split, a radiometry of 8-bit images, or digital numbers that
            do not tell their bands or their offset.
    """
    if split not in (None, "all"):
        raise UsageError(f"{PREFIX}{where}: split {split!r} does not exist, a folder is evaluated whole (all)")
    root, classes = _scan(where)
    info, ids = _info(root, classes), _ids(classes)
    seen, source = _digital(where, root, classes), Folder(root)
    reader: Reader
    facts: Mapping[str, Any] = {}
    if seen is None:
        if radiometry not in (None, NATIVE):
            raise UsageError(f"{PREFIX}{where}: radiometry {radiometry!r} does not apply to 8-bit images")
        reader, policy = ImageReader(source, ids, modes=EIGHT_BIT), NATIVE
    else:
        info = sentinel2.describe(info, seen)
        policy = info.radiometry if radiometry is None else radiometries.check(radiometry)
        if info.radiometry == UNDECIDED:
            info = info.model_copy(update={"radiometry": policy})
        reader = digital = DigitalReader(source, ids, seen, dn_offset, policy)
        facts = digital.facts()
    return Tiles(
        info=info,
        split="all",
        source=source.title,
        ids=ids,
        labels=np.repeat(np.arange(len(classes)), [len(files) for files in classes.values()]).astype(np.int64),
        reader=reader,
        n_expected=len(ids),
        radiometry=policy,
        facts_of_source=facts,
    )
