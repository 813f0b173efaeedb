"""A user's own images: one folder per class."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.folder import headers, sentinel2
from senbench.datasets.folder.headers import TileHeader
from senbench.datasets.folder.sentinel2 import DigitalReader
from senbench.datasets.radiometry import NATIVE, UNDECIDED
from senbench.datasets.readers import pixel_rules
from senbench.datasets.readers.image import IN_ORDER, PictureReader
from senbench.datasets.readers.left_out import beside, left_out, natural
from senbench.datasets.readers.pixel_rules import SIDECAR
from senbench.datasets.readers.sources import Folder, is_junk
from senbench.datasets.tiles import Reader, Tiles
from senbench.errors import UsageError
from senbench.io.plain_text import name_fault
from senbench.runtime.paths import base_name
from senbench.schema.dataset import DatasetInfo

if TYPE_CHECKING:
    from senbench.datasets.folder.headers import Look
    from senbench.schema.blocks import LeftOut

PREFIX = "folder:"
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".avif", ".bmp", ".gif", ".ppm", ".pgm", ".pbm", ".pnm"),
    *(".tif", ".tiff", ".jp2", ".j2k", ".jpf", ".jpx", ".j2c", ".jpc"),
)


class Scan(NamedTuple):
    """What a folder of class folders holds."""

    root: Path
    classes: dict[str, list[str]]
    """Class folder -> image files in natural order."""
    left_out: tuple[LeftOut, ...]
    """Files in class folders that are neither read nor known to lie beside tiles, by reason."""

    @property
    def ids(self) -> tuple[str, ...]:
        """The tiles, `<class>/<file>`."""
        return tuple(f"{key}/{file}" for key, files in self.classes.items() for file in files)

    @property
    def n_expected(self) -> int:
        """Tiles that a complete result has: what was left out counts."""
        return len(self.ids) + sum(one.n for one in self.left_out)


def _scan(where: str) -> Scan:
    """The files of a folder; UsageError where the layout is not class folders, or a name is not UTF-8."""
    root = Path(where).expanduser()
    if not root.is_dir():
        raise UsageError(f"{PREFIX}{where}: no such folder")
    layout = "expected one folder per class, with the images directly in it"
    classes: dict[str, list[str]] = {}
    others: list[str] = []
    for entry in sorted(root.iterdir()):
        if is_junk(entry.name):
            continue
        if fault := name_fault(entry.name):
            raise UsageError(f"{PREFIX}{where}: the name {fault}")
        if entry.is_dir():
            inside = [p for p in entry.iterdir() if not is_junk(p.name)]
            if nested := [p.name for p in inside if p.is_dir()]:
                raise UsageError(f"{PREFIX}{where}: folder {entry.name}/{min(nested)} lies too deep; {layout}")
            if faults := [fault for p in inside if (fault := name_fault(p.name))]:
                raise UsageError(f"{PREFIX}{where}: in {entry.name}/, the name {faults[0]}")
            files = sorted((p.name for p in inside if p.suffix.lower() in SUFFIXES), key=natural)
            if not files:
                raise UsageError(
                    f"{PREFIX}{where}: class folder {entry.name} holds no image ({', '.join(SUFFIXES)}); "
                    "fill or remove it"
                )
            classes[entry.name] = files
            unread = (p.name for p in inside if p.suffix.lower() not in SUFFIXES)
            others += [f"{entry.name}/{name}" for name in unread if not beside(name, files)]
        elif entry.suffix.lower() in SUFFIXES:
            raise UsageError(f"{PREFIX}{where}: image {entry.name} is in no class folder; {layout}")
    if len(classes) < 2:
        raise UsageError(f"{PREFIX}{where}: {len(classes)} class folders, need at least 2; {layout}")
    same: dict[str, str] = {}
    for key in classes:
        plain = "".join(c for c in unicodedata.normalize("NFC", key).casefold() if c.isalnum())
        if (other := same.setdefault(plain, key)) != key:
            raise UsageError(
                f"{PREFIX}{where}: class folders {other!r} and {key!r} differ in marks or case alone, and classes "
                "go by letters and digits: rename one of them"
            )
    return Scan(root, classes, left_out(others))


def describe(where: str) -> DatasetInfo:
    """Facts of a user's folder.

    Args:
        where: The folder.

    Raises:
        UsageError: Not class folders of images.
    """
    scan = _scan(where)
    info, seen = _info(scan), headers.look(Folder(scan.root), scan.ids, f"{PREFIX}{where}")
    return sentinel2.describe(info, seen) if seen.digital else info


def _info(scan: Scan) -> DatasetInfo:
    root = scan.root
    name = base_name(str(root.resolve()))
    return DatasetInfo(
        id=f"{PREFIX}{name}",
        title=f"Own images ({name})",
        collection="user",
        task="single-label",
        classes=tuple(unicodedata.normalize("NFC", name) for name in scan.classes),  # macOS writes accents apart
        vocabulary="",
        splits={"all": scan.n_expected},
        default_split="all",
        bands=("B04", "B03", "B02"),
        unit="uint8",
        tile_size=None,
        radiometry=NATIVE,
        licence="the user's",
        citation="the user's images",
    )


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
    scan = _scan(where)
    info, ids, source = _info(scan), scan.ids, Folder(scan.root)
    seen = headers.look(source, ids, f"{PREFIX}{where}")
    reader: Reader
    if not seen.digital:
        if radiometry not in (None, NATIVE):
            raise UsageError(f"{PREFIX}{where}: radiometry {radiometry!r} does not apply to 8-bit images")
        reader = pictures = PictureReader(source, ids, seen.order)
        policy, facts = NATIVE, _facts(pictures, seen)
    else:
        info = sentinel2.describe(info, seen)
        policy = info.radiometry if radiometry is None else radiometries.check(radiometry)
        if info.radiometry == UNDECIDED:
            info = info.model_copy(update={"radiometry": policy})
        reader = digital = DigitalReader(source, ids, seen, dn_offset, policy)
        facts = dict(digital.facts())
    if scan.left_out:
        facts["pixels"]["left_out"] = [one.model_dump(mode="json") for one in scan.left_out]
    return Tiles(
        info=info,
        split="all",
        source=source.title,
        ids=ids,
        labels=np.repeat(np.arange(len(scan.classes)), list(map(len, scan.classes.values()))).astype(np.int64),
        reader=reader,
        n_expected=scan.n_expected,
        radiometry=policy,
        facts_of_source=facts,
    )


def _facts(reader: PictureReader, seen: Look) -> dict[str, Any]:
    """What a result tells of 8-bit images, with what their headers tell of the bands."""
    rasters = [header for header in seen.headers if isinstance(header, TileHeader)]
    sources = {pixel_rules.picture_places(header.pixels, seen.order)[1] for header in rasters}
    if len(rasters) < len(seen.headers):
        sources.add(SIDECAR if seen.order else IN_ORDER)
    return reader.facts("; ".join(sorted(sources)))
