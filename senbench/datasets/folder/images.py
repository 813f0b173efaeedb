"""A user's own images: one folder per class."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from senbench.datasets.folder.own_files import OwnFiles, check_distinct, own_info
from senbench.datasets.readers.left_out import beside, left_out, natural
from senbench.datasets.readers.sources import Folder, is_junk
from senbench.datasets.tiles import Tiles
from senbench.errors import UsageError
from senbench.io.plain_text import name_fault
from senbench.runtime.paths import base_name

if TYPE_CHECKING:
    from senbench.schema.blocks import LeftOut
    from senbench.schema.dataset import DatasetInfo

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
    check_distinct(classes, f"{PREFIX}{where}: class folders")
    return Scan(root, classes, left_out(others))


def describe(where: str, *, data_dir: str | None = None, offline: bool = False) -> DatasetInfo:
    """Facts of a user's folder.

    Args:
        where: The folder.
        data_dir: None: the path is in the name.
        offline: Nothing is fetched in any case.

    Raises:
        UsageError: Not class folders of images.
    """
    scan = _scan(where)
    return _files(scan, where).describe(_info(scan))


def _files(scan: Scan, where: str) -> OwnFiles:
    return OwnFiles(Folder(scan.root), scan.ids, f"{PREFIX}{where}")


def _info(scan: Scan) -> DatasetInfo:
    return own_info(PREFIX, base_name(str(scan.root.resolve())), scan.classes, {"all": scan.n_expected})


def open_tiles(
    where: str,
    *,
    split: str | None,
    data_dir: str | None = None,
    radiometry: str | None = None,
    dn_offset: str = "auto",
    offline: bool = False,
) -> Tiles:
    """Open a folder of class folders of images of any size: 8-bit JPEG, PNG or RGB TIFF, or digital numbers.

    Args:
        where: The folder.
        split: None or `all`.
        data_dir: None: the path is in the name.
        radiometry: Of 8-bit images None or `native-jpeg`; of digital numbers a rendering, None: that of the level.
        dn_offset: Of digital numbers `0` or `1000`: what is subtracted; `auto`: what the metadata of each tile tell.
        offline: Nothing is fetched in any case.

    Returns:
        Tiles with ids `<class>/<file>`, classes in sorted order, files in natural order.

    Raises:
        UsageError: Not class folders of images, another split, a radiometry of 8-bit images, or digital numbers that
            do not tell their bands or their offset.
    """
    if data_dir is not None:
        raise UsageError(f"--data-dir {data_dir} does not apply to {PREFIX}{where}: the path is in its name")
    if split not in (None, "all"):
        raise UsageError(f"{PREFIX}{where}: split {split!r} does not exist, a folder is evaluated whole (all)")
    scan = _scan(where)
    files = _files(scan, where)
    opened = files.open(_info(scan), None, None, radiometry=radiometry, dn_offset=dn_offset)
    facts = opened.facts
    if scan.left_out:
        facts["pixels"]["left_out"] = [one.model_dump(mode="json") for one in scan.left_out]
    return Tiles(
        info=opened.info,
        split="all",
        source=files.source.title,
        ids=scan.ids,
        labels=np.repeat(np.arange(len(scan.classes)), list(map(len, scan.classes.values()))).astype(np.int64),
        reader=opened.reader,
        n_expected=scan.n_expected,
        radiometry=opened.radiometry,
        facts_of_source=facts,
    )
