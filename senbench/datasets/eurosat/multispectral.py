"""EuroSAT multispectral as published by TorchGeo: 13-band GeoTIFFs of 64x64 pixels, read as 8-bit RGB or as DN.

Addresses, checksums, split lists and band order are those of TorchGeo's classes, and tiles have the same values, as
tests check. Unlike TorchGeo, the zip is read in place (TorchGeo unpacks it, and accepts an incomplete unpacking), a
folder that lacks a whole class keeps its labels, and no run waits for TorchGeo's import (3 to 12 s).
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.bands import RGB, positions
from senbench.datasets.catalog import BANDS, EUROSAT
from senbench.datasets.distances import block_at
from senbench.datasets.eurosat.splits import LISTS, REPO, REVISION, Listed, find_tiles, open_split, published
from senbench.datasets.readers import geotiff
from senbench.datasets.readers.pixel_rules import (
    DIGITAL_RULES,
    SIDECAR,
    VERSION,
    agrees,
    bands_by_name,
    bands_of_sidecar,
)
from senbench.datasets.readers.sources import Archive, Folder, MemberReader, Source, file_of
from senbench.datasets.synthetic.generate import once
from senbench.datasets.tiles import OR_SKIP, TileError
from senbench.errors import UnavailableError, UsageError
from senbench.io import download, hub
from senbench.io.plain_text import decode
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.schema.dataset import DatasetInfo

SUFFIXES = (".tif", ".tiff")
ARCHIVES = ("EuroSAT_MS.zip", "EuroSATallBands.zip")
"""Other names under which the archive of all bands was published: Zenodo's, and the first release's."""
FOLDER = "ds/images/remote_sensing/otherDatasets/sentinel_2/tif"
"""Folder of the class folders in the archives."""


class Published(NamedTuple):
    """One of TorchGeo's datasets."""

    archive: str
    """File name in `REPO`."""
    md5: str
    size: int
    """Approximate bytes of the archive, for messages."""
    lists: str
    """Key of its split lists, `splits.LISTS`, before the split's name."""


ALL_BANDS = Published("EuroSATallBands.zip", "5ac12b3b2557aa56e1826e981e8e200e", 2_070_000_000, "random")
PUBLISHED = {
    "eurosat": ALL_BANDS,
    "eurosat-spatial": ALL_BANDS._replace(lists="spatial"),
    "eurosat-100": Published("EuroSAT100.zip", "c21c649ba747e86eda813407ef17d596", 7_700_000, "100"),
}

DEMO_SEED = 7
"""Seed of the demo's scenes, never used to train anything."""
DEMO_PER_CLASS = 40


def open_tiles(
    info: DatasetInfo, *, split: str | None, data_dir: str | None, radiometry: str | None, offline: bool
) -> Tiles:
    """Open one of TorchGeo's EuroSAT datasets, or the demo's scenes.

    Args:
        info: Its static facts.
        split: `train`, `val`, `test`, `all`, or a file of tile names; None: `test`.
        data_dir: Folder with TorchGeo's layout (`ds/images/...`), `EuroSAT_MS/`, class folders or the zip, or the zip
            itself; None for the folder below SENBENCH_HOME, with a download if necessary.
        radiometry: Key of `radiometry.POLICIES`; None: the dataset's default.
        offline: Open no socket.

    Returns:
        The existing tiles of the split; `n_expected` is the number that the split should have.

    Raises:
        UsageError: The split, the radiometry or a name in the split file is unknown.
    UnavailableError: The data are missing or damaged.
    """
    policy = radiometries.check(radiometry or info.radiometry)
    split = split or info.default_split
    root = Path(data_dir).expanduser() if data_dir is not None else home() / "data" / _place(info.id)
    listed = None
    if split in info.splits and split != "all" and not info.synthetic:
        look_in = [root, root.parent] if data_dir is not None else [root]
        listed = _list(split, look_in, info.id, offline=offline)
    if info.synthetic:
        root = _scenes()
    elif data_dir is None:
        _fetch_archive(root, info.id, offline=offline)
    source = _source(root, info.id)
    tiles_there = find_tiles(source, SUFFIXES)
    if not tiles_there:
        raise UnavailableError(f"{source.title}: no <Class>/<Class>_<n>.tif for EuroSAT's classes in it")
    order = _named_order(source)
    decisions = DIGITAL_RULES | ({"bands": f"{', '.join(order)}: {SIDECAR}"} if order else {})
    return open_split(
        info,
        split,
        listed,
        source,
        tiles_there,
        lambda names: TiffReader(source, names, policy, order),
        (policy, lambda _: {"pixels": {"decisions": decisions}}),
    )


def _named_order(source: Source) -> tuple[str, ...]:
    """Return the bands in file order from a `bands.txt` among the tiles; empty if there is none."""
    name = next((name for name in source.names if name.endswith(SIDECAR) and name.rpartition("/")[2] == SIDECAR), None)
    if name is None:
        return ()
    where = f"{source.title}: {SIDECAR}"
    try:
        order = bands_of_sidecar(decode(source.read(name), where))
    except ValueError as error:
        raise UsageError(f"{source.title}: {error}") from error
    if sorted(order) != sorted(BANDS):
        raise UsageError(f"{where} names {', '.join(order)}: name each of {', '.join(BANDS)} once, in file order")
    return order


def prepare(info: DatasetInfo, *, offline: bool) -> Path:
    """Download the archive and the split lists, or make the demo's scenes, unless they exist.

    Returns:
        Their folder.
    """
    if info.synthetic:
        return _scenes()
    root = home() / "data" / _place(info.id)
    for split in ("train", "val", "test"):
        _list(split, [root], info.id, offline=offline)
    _fetch_archive(root, info.id, offline=offline)
    return root


def _place(dataset: str) -> str:
    return "eurosat" if dataset == "eurosat-spatial" else dataset


def _list(split: str, look_in: list[Path], dataset: str, *, offline: bool) -> Listed:
    wanted = LISTS[f"{PUBLISHED[dataset].lists}-{split}"]
    return published(wanted, look_in=look_in, place=_place(dataset), offline=offline, dataset=dataset)


def _fetch_archive(root: Path, dataset: str, *, offline: bool) -> None:
    known = PUBLISHED[dataset]
    if _folder(root) is None:
        order = download.Fetch(
            hub.RepoFile(REPO, known.archive, "dataset", REVISION),
            root / known.archive,
            what=f"dataset {dataset}",
            md5=known.md5,
            size_hint=known.size,
            command=f"senbench datasets fetch {dataset}",
        )
        download.fetch(order, offline=offline)


def _folder(root: Path) -> Path | None:
    """Return the folder of the class folders below `root`, or None."""
    for folder in (root / FOLDER, root / "EuroSAT_MS", root):
        if any((folder / key).is_dir() for key in EUROSAT):
            return folder
    return None


def _source(root: Path, dataset: str) -> Source:
    if (folder := _folder(root)) is not None:
        return Folder(folder, title=f"{folder.name}/")
    known, command = PUBLISHED[dataset], f"senbench datasets fetch {dataset}"
    path = root if root.is_file() else _archive(root, known)
    if path is None:
        raise UnavailableError(
            f"--data-dir {root}: neither {FOLDER} nor {known.archive} in it; `{command}` "
            f"puts {known.archive} ({download.megabytes(known.size)}) into "
            f"{home() / 'data' / _place(dataset)}, where it is found without --data-dir"
        )
    return Archive(path, f"get it with `{command}`, or point --data-dir to a whole one")


def _archive(root: Path, known: Published) -> Path | None:
    """Return the archive below `root`, under any of its published names, in upper or lower case."""
    wanted = [known.archive, *(ARCHIVES if known.archive == ALL_BANDS.archive else ())]
    return file_of(root, wanted)


class TiffReader(MemberReader):
    """Reads EuroSAT's GeoTIFFs of 13 bands.

    Args:
        source: Folder or archive.
        names: Member of each tile.
        policy: Rendering of digital numbers, a key of `radiometry.POLICIES`.
        order: Bands in file order if the user named them; empty if the files do.
    """

    digital = True

    def __init__(self, source: Source, names: tuple[str, ...], policy: str, order: tuple[str, ...] = ()) -> None:
        super().__init__(source, names)
        self.policy, self.order = policy, order
        self._form = f" rules {VERSION} {','.join(order)}".rstrip().encode()
        self._projections: dict[bytes, str | None] = {}  # few distinct values for all tiles
        # decided by the first readable tile, so that a damaged one does not change the intervals
        self.located = any(self._cluster(i) is not None for i in range(min(len(names), 20)))

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Rendered tile."""
        return radiometries.render(self.bands(i, RGB), self.policy)

    def bands(self, i: int, names: tuple[str, ...]) -> NDArray[np.uint16]:
        """Return the digital numbers of the named bands."""
        what = f"tile {self.title(i)}"
        file = self.file(i)
        geotiff.upright(file.data, what)
        with geotiff.opened(file, what) as tile:
            if (tile.height, tile.width, tile.count) != (64, 64, len(BANDS)):
                raise TileError(
                    f"{what}: {tile.width}x{tile.height} pixels, {tile.count} bands, expected 64x64 and "
                    f"{len(BANDS)}; {OR_SKIP}"
                )
            order = positions(self._order(tile, what), names)
            return np.ascontiguousarray(geotiff.numbers(tile, order, what).transpose(1, 2, 0))

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Return the content key, which includes the rules that turn bytes into pixels."""
        return super().key(i) + self._form

    def stamp(self, indices: Sequence[int], names: tuple[str, ...]) -> str:
        """Return the state of the files with the rules applied to them."""
        return f"{super().stamp(indices, names)}{self._form.decode()}"

    def _order(self, tile: Any, what: str) -> tuple[str, ...]:
        """Return the bands in file order, named by the user or the file, else EuroSAT's order."""
        named = tile.descriptions
        if self.order and agrees(geotiff.header(tile), self.order):
            return self.order
        if (
            not self.order
            and (named_bands := bands_by_name(named)) is not None
            and sorted(named_bands) == sorted(BANDS)
        ):
            return named_bands
        if not self.order and agrees(geotiff.header(tile), BANDS):
            return BANDS
        has, expected = ", ".join(name or "no name" for name in named), ", ".join(self.order or BANDS)
        by = f" by {SIDECAR}" if self.order else ""
        raise TileError(f"{what}: bands are {has}, expected{by} {expected}; {OR_SKIP}")

    def locate(self, indices: Sequence[int]) -> list[str]:
        """Return the block of 5 km of the projection's grid that contains each tile's centre."""
        return [self._cluster(i) or f"unlocated/{PurePosixPath(self.names[i]).stem}" for i in indices]

    def _open(self, i: int) -> AbstractContextManager[Any]:
        return geotiff.opened(self.file(i), f"tile {self.title(i)}")

    def _cluster(self, i: int) -> str | None:
        """Return the cluster of a tile, None if it cannot be read, which reading its pixels reports."""
        try:
            plain = geotiff.centre(self.source.head(self.names[i], geotiff.HEAD))
            if plain is not None and plain[0] in self._projections:
                projection, x, y = self._projections[plain[0]], *plain[1:]
            else:
                with self._open(i) as tile:
                    projection = None if tile.crs is None else _crs_name(tile.crs.to_wkt())
                    x, y = sum(tile.bounds[::2]) / 2, sum(tile.bounds[1::2]) / 2  # left, bottom, right, top
                if plain is not None:
                    self._projections[plain[0]] = projection
        except TileError:
            return None
        return None if projection is None else block_at(projection, x, y)


@lru_cache(maxsize=64)
def _crs_name(wkt: str) -> str:
    from rasterio.crs import CRS

    code = CRS.from_wkt(wkt).to_epsg()
    return f"EPSG:{code}" if code is not None else wkt.split('"')[1]


def _scenes() -> Path:
    """Return the folder of the demo's scenes, which is made on the first call and never incomplete."""
    from senbench.datasets.synthetic.scenes import write_eurosat

    def write(folder: Path) -> None:
        write_eurosat(folder, DEMO_PER_CLASS, DEMO_SEED, split=(0, 0))

    return once(f"demo-{DEMO_SEED}", ("synthetic/landcover", "synthetic/scenes", "synthetic/textures"), write)
