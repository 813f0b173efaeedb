"""EuroSAT RGB: 27,000 JPEGs of 64x64 pixels, from a folder, from the zip in place, or from Hugging Face."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from senbench.datasets.catalog import EUROSAT
from senbench.datasets.eurosat.splits import LISTS, REPO, find_tiles, open_split, published
from senbench.datasets.radiometry import NATIVE
from senbench.datasets.readers.image import PictureReader
from senbench.datasets.readers.sources import Archive, Folder, Source, file_of
from senbench.errors import UnavailableError, UsageError
from senbench.io import download, hub
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from senbench.datasets.tiles import Tiles
    from senbench.schema.dataset import DatasetInfo

FILE = "EuroSAT.zip"
REVISION = "c877bcd43f099cd0196738f714544e355477f3fd"
MD5 = "c8fa014336c82ac7804f0398fcb19387"
SIZE = 94_300_000
"""Size of the archive in bytes, approximate; address and md5 are those that torchvision pins, as a test checks."""

SUFFIXES = (".jpg", ".jpeg", ".jfif", ".jpe")
ARCHIVES = (FILE, "EuroSAT_RGB.zip", "2750.zip")
FOLDERS = ("2750", "EuroSAT_RGB", "eurosat/2750", "EuroSAT/2750", "EuroSAT")
"""Folders below `--data-dir`: those of the archive, of Zenodo and of torchvision."""
FETCH = "senbench datasets fetch eurosat-rgb"


def open_tiles(
    info: DatasetInfo, *, split: str | None, data_dir: str | None, radiometry: str | None, offline: bool
) -> Tiles:
    """Open EuroSAT RGB.

    Args:
        info: Its static facts.
        split: `all`, `spatial-train|val|test`, `random-train|val|test`, or a file of tile names; None: `all`.
        data_dir: Folder with `2750/`, `EuroSAT_RGB/` or `EuroSAT.zip`, one of these itself, or `hf:REPO_OR_FOLDER`;
            None for the folder below SENBENCH_HOME, with a download if necessary.
        radiometry: None or `native-jpeg`, since the tiles are already 8-bit.
        offline: Open no socket.

    Returns:
        The existing tiles of the split; `n_expected` is the number that the split should have.

    Raises:
        UsageError: The split or a name in the split file is unknown, or a radiometry is given.
    UnavailableError: The data are missing or damaged.
    """
    if radiometry not in (None, NATIVE):
        raise UsageError(
            f"radiometry {radiometry!r} does not apply to {info.id}: its tiles are 8-bit JPEGs; "
            "run --dataset eurosat to render digital numbers"
        )
    split = split or info.default_split
    if data_dir is not None and data_dir.startswith("hf:"):
        from senbench.datasets.eurosat import huggingface

        source: Source = huggingface.open_source(data_dir.removeprefix("hf:"), offline=offline)
        look_in: list[Path] = []
    else:
        root = Path(data_dir).expanduser() if data_dir is not None else _default(offline=offline)
        source = _source(root)
        look_in = [root, root.parent] if data_dir is not None else [root]
    tiles_there = find_tiles(source, SUFFIXES)
    if not tiles_there:
        raise UnavailableError(
            f"{source.title}: no EuroSAT tiles in it; expected <Class>/<Class>_<n>.jpg for classes such as "
            f"{EUROSAT[0]}; get {FILE} with `{FETCH}`"
        )
    listed = None
    if split in LISTS:
        listed = published(LISTS[split], look_in=look_in, place="eurosat", offline=offline, dataset=info.id)

    return open_split(
        info,
        split,
        listed,
        source,
        tiles_there,
        lambda names: PictureReader(source, names, side=info.tile_size),
        (NATIVE, PictureReader.facts),
    )


def prepare(info: DatasetInfo, *, offline: bool) -> Path:
    """Download the archive and the split lists unless they exist.

    Returns:
        The folder of the archive.
    """
    for spec in LISTS.values():
        published(spec, look_in=(), place="eurosat", offline=offline, dataset=info.id)
    return _default(offline=offline)


def _default(*, offline: bool) -> Path:
    root = home() / "data" / "eurosat-rgb"
    if not any((root / name).exists() for name in (*FOLDERS, *ARCHIVES)):
        origin = hub.RepoFile(REPO, FILE, "dataset", REVISION)
        order = download.Fetch(origin, root / FILE, what="EuroSAT RGB", md5=MD5, size_hint=SIZE, command=FETCH)
        download.fetch(order, offline=offline)
    return root


def _source(root: Path) -> Source:
    again = f"get it with `{FETCH}`, or point --data-dir to a whole one"
    if root.is_file():
        return Archive(root, again)
    for folder in (*(root / name for name in FOLDERS), root):
        if any((folder / key).is_dir() for key in EUROSAT):
            return Folder(folder)
    if (path := file_of(root, ARCHIVES)) is not None:
        return Archive(path, again)
    state = "contains no EuroSAT data" if root.is_dir() else "does not exist"
    place = home() / "data" / "eurosat-rgb"
    raise UnavailableError(
        f"--data-dir {root} {state}: expected a folder with 2750/, EuroSAT_RGB/ or {FILE}; `{FETCH}` puts "
        f"{FILE} ({download.megabytes(SIZE)}) into {place}, where it is found without --data-dir"
    )
