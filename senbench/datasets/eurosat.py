"""EuroSAT multispectral through TorchGeo's classes: 13-band GeoTIFFs of 64x64 pixels, as 8-bit RGB or as DN.

TorchGeo holds the addresses, checksums, split lists and band table and selects the bands; where the tiles
lie is answered here, so that the zip is read in place (TorchGeo unpacks it, and takes a broken unpacking
for data) and a folder that lacks a whole class keeps its labels.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench import hub
from senbench.datasets import radiometry as radiometries
from senbench.datasets.archive import Archive, Folder, Source
from senbench.datasets.bands import RGB, positions
from senbench.datasets.base import TileError, Tiles
from senbench.datasets.decode import OR_SKIP
from senbench.datasets.registry import BANDS, EUROSAT
from senbench.datasets.splits import (
    REPO,
    Entry,
    SplitList,
    choose,
    find_tiles,
    published,
    wanted_by_file,
)
from senbench.errors import UnavailableError
from senbench.paths import home

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from senbench.spec import DatasetInfo

SUFFIXES = (".tif", ".tiff")
SIZES = {"EuroSATallBands.zip": 2_070_000_000, "EuroSAT100.zip": 7_700_000}
"""Approximate bytes of the archives, for messages."""

BLOCK = 5000.0
"""Side of a spatial cluster in metres. Tiles are 640 m wide and lie in patches cut from one scene; 5 km keeps
direct neighbours together. How many clusters that leaves in the real test split is not measured yet."""

DEMO_SEED = 7
"""Seed of the demo's scenes, never used to train anything."""
DEMO_PER_CLASS = 40

_CLASS = {
    "eurosat": "EuroSAT",
    "eurosat-spatial": "EuroSATSpatial",
    "eurosat-100": "EuroSAT100",
    "demo": "EuroSAT",
}


def open_tiles(
    info: DatasetInfo, *, split: str | None, data_dir: str | None, radiometry: str | None, offline: bool
) -> Tiles:
    """Open one of TorchGeo's EuroSAT data sets, or the demo's scenes.

    Args:
        info: Its static facts.
        split: `train`, `val`, `test`, `all`, or a file of tile names; None: `test`.
        data_dir: Folder that holds TorchGeo's layout (`ds/images/...`), `EuroSAT_MS/`, class folders, or the
            zip, or the zip itself; None: below SENBENCH_HOME, fetched if it is not there.
        radiometry: Key of `radiometry.POLICIES`; None: the data set's default.
        offline: Open no socket.

    Returns:
        The tiles of the split that are there; `n_expected` is the number that the split has.

    Raises:
        UsageError: Unknown split or radiometry, unknown names in the split file.
        UnavailableError: The data are missing or damaged.
    """
    policy = radiometries.check(radiometry or info.radiometry)
    split = split or info.default_split
    torchgeo = _torchgeo(info.id)
    place = _place(info.id)
    root = Path(data_dir).expanduser() if data_dir is not None else home() / "data" / place
    expected = info.splits.get(split)
    ids: tuple[str, ...] | None = None
    if expected is not None and split != "all" and not info.synthetic:
        look_in = [root, root.parent] if data_dir is not None else [root]
        ids = _list(torchgeo, split, expected, look_in, place, offline, info.id)
    if info.synthetic:
        root = _scenes()
    elif data_dir is None:
        _fetch_archive(torchgeo, root, info.id, offline)
    source = _source(torchgeo, root, info.id)
    entries = find_tiles(source, SUFFIXES)
    if expected is None:
        ids = wanted_by_file(split, info.splits, info.id, {e.id for e in entries})
        expected, split = len(ids), f"file:{Path(split).name}"
    entries = choose(entries, ids, source=source.title, split=split, expected=expected)
    reader, bands_reader, locate = _readers(torchgeo, source, entries, policy)
    return Tiles(
        info=info,
        split=split,
        source=source.title,
        ids=tuple(e.id for e in entries),
        labels=np.array([e.label for e in entries], dtype=np.int64),
        reader=reader,
        keys=lambda i: source.key(entries[i].name),
        n_expected=expected,
        radiometry=policy,
        locate=locate,
        bands_reader=bands_reader,
        stamp=lambda indices, bands: source.stamp(entries[i].name for i in indices),
    )


def prepare(info: DatasetInfo, *, offline: bool) -> Path:
    """Fetch the archive and the split lists, or make the demo's scenes, unless they are here.

    Returns:
        The folder that holds them.
    """
    if info.synthetic:
        return _scenes()
    torchgeo, place = _torchgeo(info.id), _place(info.id)
    root = home() / "data" / place
    for split in ("train", "val", "test"):
        _list(torchgeo, split, info.splits[split], [root], place, offline, info.id)
    _fetch_archive(torchgeo, root, info.id, offline)
    return root


def _torchgeo(dataset: str) -> Any:
    """TorchGeo's class of a data set, with the band order that everything here relies on."""
    from torchgeo import datasets

    cls = getattr(datasets, _CLASS[dataset])
    if tuple(cls.all_band_names) != BANDS:
        raise UnavailableError(f"this TorchGeo lists EuroSAT's bands as {cls.all_band_names}, the files have {BANDS}")
    return cls


def _place(dataset: str) -> str:
    return "eurosat" if dataset == "eurosat-spatial" else dataset


def _revision(torchgeo: Any) -> str:
    match = re.search(rf"{REPO}/resolve/([0-9a-f]{{40}})", torchgeo.url)
    if match is None:
        raise UnavailableError(f"this TorchGeo has EuroSAT at an unknown address: {torchgeo.url}")
    return match[1]


def _list(
    torchgeo: Any, split: str, n: int, look_in: list[Path], place: str, offline: bool, dataset: str
) -> tuple[str, ...]:
    spec = SplitList(torchgeo.split_filenames[split], torchgeo.split_md5s[split], n)
    revision = _revision(torchgeo)
    return published(spec, look_in=look_in, place=place, offline=offline, dataset=dataset, revision=revision)


def _fetch_archive(torchgeo: Any, root: Path, dataset: str, offline: bool) -> None:
    if _folder(torchgeo, root) is None:
        hub.fetch(
            REPO,
            torchgeo.filename,
            repo_type="dataset",
            revision=_revision(torchgeo),
            dest=root,
            md5=torchgeo.md5,
            size_hint=SIZES[torchgeo.filename],
            offline=offline,
            what=f"data set {dataset}",
            command=f"senbench datasets fetch {dataset}",
        )


def _folder(torchgeo: Any, root: Path) -> Path | None:
    """Folder of the class folders below `root`, None if there is none."""
    for folder in (root / torchgeo.base_dir, root / "EuroSAT_MS", root):
        if any((folder / key).is_dir() for key in EUROSAT):
            return folder
    return None


def _source(torchgeo: Any, root: Path, dataset: str) -> Source:
    command = f"senbench datasets fetch {dataset}"
    if (folder := _folder(torchgeo, root)) is not None:
        source: Source = Folder(folder, title=f"{folder.name}/")
    else:
        path = root if root.is_file() else root / torchgeo.filename
        if not path.is_file():
            raise UnavailableError(
                f"--data-dir {root}: neither {torchgeo.base_dir} nor {torchgeo.filename} in it; `{command}` "
                f"puts {torchgeo.filename} ({hub.megabytes(SIZES[torchgeo.filename])}) into "
                f"{home() / 'data' / _place(dataset)}, where it is found without --data-dir"
            )
        source = Archive(path, f"get it with `{command}`, or point --data-dir to a whole one")
    if not find_tiles(source, SUFFIXES):
        raise UnavailableError(f"{source.title}: no <Class>/<Class>_<n>.tif for EuroSAT's classes in it")
    return source


def _readers(
    torchgeo: Any, source: Source, entries: list[Entry], policy: str
) -> tuple[
    Callable[[int], NDArray[np.uint8]],
    Callable[[int, tuple[str, ...]], NDArray[np.uint16]],
    Callable[[Sequence[int]], list[str]] | None,
]:
    """Readers of rendered tiles and of DN, and the lookup of spatial clusters (None without positions)."""
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.io import MemoryFile

    warnings.filterwarnings("ignore", category=NotGeoreferencedWarning)

    def read_bytes(name: str) -> bytes:
        data = source.read(name)
        if not data:  # MemoryFile would take it for a file to be written
            raise TileError(f"tile {name} in {source.title}: the file is empty; {OR_SKIP}")
        return data

    def load(name: str) -> NDArray[np.int32]:
        what = f"tile {name} in {source.title}"
        data = read_bytes(name)
        try:
            with MemoryFile(data) as memory, memory.open(driver="GTiff") as tile:
                if (tile.height, tile.width, tile.count) != (64, 64, len(BANDS)):
                    raise TileError(
                        f"{what}: {tile.width}x{tile.height} pixels, {tile.count} bands, expected 64x64 and "
                        f"{len(BANDS)}; {OR_SKIP}"
                    )
                if set(tile.dtypes) != {"uint16"}:
                    raise TileError(f"{what}: values are {tile.dtypes[0]}, expected uint16 DN; {OR_SKIP}")
                named = tile.descriptions
                if all(d in BANDS for d in named) and named != BANDS:
                    raise TileError(f"{what}: bands are {', '.join(named)}, expected {', '.join(BANDS)}; {OR_SKIP}")
                return np.asarray(tile.read().astype(np.int32).transpose(1, 2, 0))
        except TileError:
            raise
        except Exception as error:  # rasterio and GDAL raise many kinds on damage
            reason = " ".join(str(error).split())[:120]
            raise TileError(f"{what}: cannot be decoded: {reason}; {OR_SKIP}") from error

    adapted = type(
        torchgeo.__name__,
        (torchgeo,),
        {
            "_verify": lambda self: None,
            "split_filenames": {"test": os.devnull},  # the tiles of the split are chosen already
            "find_classes": lambda self, directory: (list(EUROSAT), {k: i for i, k in enumerate(EUROSAT)}),
            "make_dataset": staticmethod(lambda directory, **_: [(e.name, e.label) for e in entries]),
        },
    )
    dataset = adapted(split="test", bands=RGB)
    dataset.loader = load
    if tuple(BANDS[int(i)] for i in dataset.band_indices) != RGB:
        raise UnavailableError(f"this TorchGeo selects bands {dataset.band_indices.tolist()} for {RGB}")

    def read(i: int) -> NDArray[np.uint8]:
        return radiometries.render(dataset[i]["image"].numpy(), policy)

    def read_bands(i: int, bands: tuple[str, ...]) -> NDArray[np.uint16]:
        return load(entries[i].name)[..., positions(BANDS, bands)].astype(np.uint16)

    def cluster(i: int) -> str | None:
        with MemoryFile(read_bytes(entries[i].name)) as memory, memory.open(driver="GTiff") as tile:
            if tile.crs is None:
                return None
            x, y = sum(tile.bounds[::2]) / 2, sum(tile.bounds[1::2]) / 2  # left, bottom, right, top
            return f"{_crs_name(tile.crs.to_wkt())}/{int(x // BLOCK)}_{int(y // BLOCK)}"

    def locate(indices: Sequence[int]) -> list[str]:
        return [_quietly(cluster, i) or f"unlocated/{entries[i].id}" for i in indices]

    # one damaged tile must not decide how intervals are made: the first readable one tells
    known = any(_quietly(cluster, i) is not None for i in range(min(len(entries), 20)))
    return read, read_bands, locate if known else None


def _quietly(cluster: Callable[[int], str | None], i: int) -> str | None:
    """Cluster of a tile, None where it cannot be read: reading it for its pixels reports that."""
    from rasterio.errors import RasterioError

    try:
        return cluster(i)
    except (TileError, RasterioError):
        return None


@lru_cache(maxsize=64)
def _crs_name(wkt: str) -> str:
    from rasterio.crs import CRS

    code = CRS.from_wkt(wkt).to_epsg()
    return f"EPSG:{code}" if code is not None else wkt.split('"')[1]


def _generator() -> str:
    """Short hash of the generator's sources: changed scenes never hide behind older files."""
    here = Path(__file__).resolve().parent
    sources = b"".join((here / f"{name}.py").read_bytes() for name in ("landcover", "scenes", "textures"))
    return hashlib.sha256(sources).hexdigest()[:8]


def _scenes() -> Path:
    """Folder of the demo's scenes, made on the first call and complete whenever it exists."""
    root = home() / "data" / f"demo-{DEMO_SEED}-{_generator()}"
    if not root.is_dir():
        from senbench.datasets.scenes import write_eurosat

        try:
            root.parent.mkdir(parents=True, exist_ok=True)
            making = Path(tempfile.mkdtemp(prefix=".demo-", dir=root.parent))
            try:
                write_eurosat(making, DEMO_PER_CLASS, DEMO_SEED, split=(0, 0))
                making.replace(root)
            finally:
                shutil.rmtree(making, ignore_errors=True)
        except OSError as error:
            if not root.is_dir():  # otherwise another process was faster
                raise UnavailableError(
                    f"demo scenes cannot be written to {root}: {error.strerror or error}; set SENBENCH_HOME"
                ) from error
    return root
