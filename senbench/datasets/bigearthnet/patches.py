"""BigEarthNet v1 and v2 (reBEN): 120x120 Sentinel-2 L2A patches with several labels each, read band by band.

TorchGeo's classes open 12 files per patch (v2: also Sentinel-1 and the reference maps); here only the requested
bands are opened. The values are the same, as tests check.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.bands import RGB
from senbench.datasets.bigearthnet import v1 as bigearthnet_v1
from senbench.datasets.bigearthnet import v2
from senbench.datasets.bigearthnet.corine import CLASSES_19
from senbench.datasets.catalog import S2_BANDS
from senbench.datasets.channel_statistics import sample
from senbench.datasets.readers import geotiff
from senbench.datasets.readers.left_out import beside, left_out
from senbench.datasets.readers.pixel_rules import DIGITAL_RULES
from senbench.datasets.readers.sources import SIDECARS, TileFile, stamp
from senbench.datasets.synthetic.generate import once
from senbench.datasets.tiles import OR_SKIP, Reader, TileError, Tiles
from senbench.errors import UnavailableError
from senbench.io.plain_text import composed
from senbench.runtime.lookup import unknown
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from senbench.datasets.bigearthnet.table import PatchTable
    from senbench.schema.blocks import LeftOut
    from senbench.schema.dataset import DatasetInfo

SIDES = dict.fromkeys(S2_BANDS, 60) | dict.fromkeys(("B02", "B03", "B04", "B08"), 120) | {"B01": 20, "B09": 20}
"""Pixels per side of each band's file."""


CAPITALS = (".TIF", ".tiff", ".TIFF", ".Tif")
"""Suffixes of a band's file besides `.tif`."""
LISTED = 20
"""Number of patches whose folders are listed to find files other than bands."""
DEMO_SEED = 7
"""Seed of the demo's patches."""


@dataclass(frozen=True)
class Patches(Reader):
    """Stateless reader of the patches of `rows` below `root`, which threads and processes can share.

    Attributes:
        root: Folder of all patches.
        rows: The patches.
        policy: Rendering of digital numbers, a key of `radiometry.POLICIES`.
        sidecars: Whether to look for files with `sources.SIDECARS` next to each band, which takes 20 % of the time.
    """

    root: Path
    rows: PatchTable
    policy: str
    sidecars: bool = False
    digital = key_per_band = located = portable = True

    def __reduce__(self) -> tuple[Any, ...]:  # only what decoding needs is sent to another process
        rows = replace(self.rows, labels=self.rows.labels[:, :0], mgrs=(), meta={})
        return Patches, (self.root, rows, self.policy, self.sidecars)

    def bands(self, i: int, names: tuple[str, ...]) -> NDArray[np.uint16]:
        """Return digital numbers of the named bands of patch i, uint16 (120, 120, B); raises TileError."""
        return np.stack(
            [geotiff.band(file, SIDES[name], what, name) for name, file, what in self._files(i, names)], axis=-1
        )

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Return the rendered patch i, uint8 (120, 120, 3); raises TileError."""
        return radiometries.render(self.bands(i, RGB), self.policy)

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Return the joined XXH3-128 of the files of the named bands (None: red, green and blue) of patch i."""
        return b"".join(_digest(file) for _, file, _ in self._files(i, RGB if names is None else names))

    def keyed(self, i: int, names: tuple[str, ...] | None) -> tuple[bytes, NDArray[Any]]:
        """Return `key` and `bands` of the named bands (None: `key` and `rgb`) from one read; raises TileError."""
        files = list(self._files(i, RGB if names is None else names))
        planes = np.stack([geotiff.band(file, SIDES[name], what, name) for name, file, what in files])
        dn = planes.transpose(1, 2, 0)  # a view: each band stays contiguous for code that processes it band by band
        key = b"".join(_digest(file) for _, file, _ in files)
        return key, dn if names is not None else radiometries.render(dn, self.policy)

    def stamp(self, indices: Sequence[int], names: tuple[str, ...]) -> str:
        """Return the sha256 over sizes and times of the files of the named bands of these patches."""
        root, ids, folders = str(self.root), self.rows.ids, self.rows.folders
        suffixes = ("", *SIDECARS) if self.sidecars else ("",)
        return stamp(f"{root}/{folders[i]}/{ids[i]}_{name}.tif{s}" for i in indices for name in names for s in suffixes)

    def beginning(self, i: int, size: int) -> bytes | None:
        """First bytes of the file of patch i's blue band."""
        return next(file.data[:size] if size >= 0 else file.data for _, file, _ in self._files(i, ("B02",)))

    def locate(self, indices: Sequence[int]) -> list[str]:
        """Return the MGRS tile of each patch."""
        return [self.rows.mgrs[i] for i in indices]

    def _files(self, i: int, names: Sequence[str]) -> Iterator[tuple[str, TileFile, str]]:
        """Name, file and description of each band."""
        patch = self.rows.ids[i]
        if i in self.rows.faults:
            raise TileError(f"patch {patch}: {self.rows.faults[i]}; {OR_SKIP}")
        folder = self.root / self.rows.folders[i]
        for name in names:
            path = folder / f"{patch}_{name}.tif"
            try:
                yield name, _file(path, sidecars=self.sidecars), f"patch {patch}, {path.name}"
            except FileNotFoundError as error:
                what = f"{path.name} is not there" if folder.is_dir() else "listed, but its folder is not there"
                if others := sorted(other.name for other in folder.glob(f"{patch}_{name}.*")):
                    what += f" ({others[0]} is, which is not read)"
                raise TileError(f"patch {patch}: {what}; {OR_SKIP}") from error
            except OSError as error:
                raise TileError(f"patch {patch}: {path.name} cannot be read: {error.strerror}; {OR_SKIP}") from error


def _file(path: Path, *, sidecars: bool) -> TileFile:
    """Return a band's file, whose suffix may be in capitals or `.tiff`, with its sidecar files."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        path = next((other for end in CAPITALS if (other := path.with_suffix(end)).is_file()), path)
        data = path.read_bytes()
    if not sidecars:
        return TileFile(data)
    others = {end: other for end in SIDECARS if (other := path.with_name(path.name + end)).is_file()}
    return TileFile(data, {end: other.read_bytes() for end, other in others.items()})


def _digest(file: TileFile) -> bytes:
    import xxhash  # 2 microseconds per band instead of blake2b's 40: 5 % of decoding it, not half

    if file.beside:
        return xxhash.xxh3_128_digest(
            b"".join([file.data, *(f"{s} {len(d)} ".encode() + d for s, d in file.beside.items())])
        )
    return xxhash.xxh3_128_digest(file.data)


def _strangers(folder: Path, rows: PatchTable) -> tuple[bool, tuple[LeftOut, ...]]:
    """Return whether masks or metadata lie next to bands, and the files of bands that are not read.

    Evenly spaced patches are checked, and all patches only if one of these has such a file.
    """
    every = range(len(rows.ids))
    listed = _listed(folder, rows, sample(len(every), LISTED))
    if not any(listed):
        return False, ()
    sidecars, others = _listed(folder, rows, every)
    return bool(sidecars), left_out(others)


def _listed(folder: Path, rows: PatchTable, chosen: Iterable[int]) -> tuple[list[str], list[str]]:
    """Return files of bands in addition to those that are read: sidecars, and others."""
    sidecars: list[str] = []
    others: list[str] = []
    for i in chosen:
        begins = tuple(f"{rows.ids[i]}_{band}." for band in S2_BANDS)
        try:
            names = [entry.name for entry in os.scandir(folder / rows.folders[i]) if entry.name.startswith(begins)]
        except OSError:  # reading its bands will report it
            continue
        for name in names:
            if name.lower().endswith(SIDECARS):
                sidecars.append(name)
            elif PurePosixPath(name).suffix not in (".tif", *CAPITALS) and not beside(name):
                others.append(name)
    return sidecars, others


def open_tiles(
    info: DatasetInfo, *, split: str | None, data_dir: str | None, radiometry: str | None, offline: bool
) -> Tiles:
    """Open BigEarthNet v1 or v2, or the synthetic multi-label demo.

    Missing patches are not looked for: reading one raises TileError, so that a run stops or skips it. Datasets of
    this size are downloaded only on request, by `senbench datasets fetch`.

    Args:
        info: Its static facts.
        split: `train`, `val`, `test`, or a file of patch names; None: the dataset's default.
        data_dir: Folder with TorchGeo's layout, of which only `BigEarthNet-v1.0/` with the split lists (v1)
            or `BigEarthNet-S2/` with `metadata.parquet` (v2) are needed, any part of it; None: below SENBENCH_HOME.
        radiometry: Key of `radiometry.POLICIES`; None: the dataset's default.
        offline: Has no effect, since only `prepare` downloads.

    Returns:
        The listed patches, labels bool (N, C), in the order of the list; `n_expected` is the number that the
        published split has.

    Raises:
        UsageError: The split, the radiometry or a name in the split file is unknown.
        UnavailableError: The data are missing or damaged.
    """
    del offline
    policy = radiometries.check(radiometry or info.radiometry)
    split = split or info.default_split
    if split not in info.splits and not Path(split).expanduser().is_file():
        raise unknown(f"split of {info.id} (and no such file)", split, info.splits)
    layout = _layout(info)
    if info.synthetic:
        root = _demo(info)
    else:
        root = Path(data_dir).expanduser() if data_dir is not None else home() / "data" / layout.PLACE
    folder = root / layout.FOLDER
    if not folder.is_dir():
        raise UnavailableError(
            f"{'--data-dir ' if data_dir is not None else ''}{root}: no {layout.FOLDER}/ in it; `senbench datasets "
            f"fetch {info.id}` puts it into {home() / 'data' / layout.PLACE}, where it is found without --data-dir"
        )
    rows = layout.rows(root, split, info)
    expected = info.splits.get(split, len(rows.ids))
    if len(rows.ids) > expected:
        raise UnavailableError(
            f"{root / layout.listing(split)} lists {len(rows.ids):,} patches, split {split} of {info.id} has "
            f"{expected:,}: this is another dataset, or pass the names to use as --split FILE"
        )
    sidecars, unread = _strangers(folder, rows)
    pixels: dict[str, Any] = {"decisions": DIGITAL_RULES | {"bands": "one file each: its name"}}
    if unread:
        pixels["left_out"] = [one.model_dump(mode="json") for one in unread]
    return Tiles(
        info=info,
        split=split if split in info.splits else f"file:{composed(Path(split).name)}",
        source=f"{layout.FOLDER}/",
        ids=rows.ids,
        labels=rows.labels,
        reader=Patches(folder, rows, policy, sidecars),
        n_expected=expected,
        radiometry=policy,
        meta=rows.meta,
        facts_of_source={"pixels": pixels},
    )


def prepare(info: DatasetInfo, *, offline: bool) -> Path:
    """Download and unpack archives and lists, or make the demo's scenes, unless they exist.

    Returns:
        Their folder.
    """
    if info.synthetic:
        return _demo(info)
    from senbench.datasets.bigearthnet import archives as fetching

    layout = _layout(info)
    parcel = fetching.version_1() if layout is bigearthnet_v1 else fetching.version_2()
    return fetching.bring(info, parcel, layout.PLACE, offline=offline)


def relabel(tiles: Tiles, v1: Path | None) -> Tiles:
    """Return the same v2 patches with the labels of v1 (`--labels v1`).

    Args:
        tiles: Tiles of v2, or a view of them, before `paired`.
        v1: Folder with v1's `BigEarthNet-v1.0/` (only its label files are read), or that folder itself.

    Returns:
        Tiles with other labels; `source` says so.

    Raises:
        UnavailableError: No folder is given, the table does not name the v1 patches, or labels are missing or damaged;
            the message names the first patch and their number.
    """
    needs = "labels of v1 are read from the label files of BigEarthNet v1"
    names = tiles.meta.get("s2v1_name")
    if names is None:
        raise UnavailableError(f"{needs}: the table of {tiles.info.id} has no column 's2v1_name' that says which")
    if v1 is None:
        raise UnavailableError(f"{needs}: give the folder that holds {bigearthnet_v1.FOLDER}/")
    folder = v1 if v1.name == bigearthnet_v1.FOLDER else v1 / bigearthnet_v1.FOLDER
    if not folder.is_dir():
        raise UnavailableError(f"{needs}: {folder} is not there; `senbench datasets fetch bigearthnet-v1` fetches it")
    chosen = [names[i] for i in tiles.index]
    labels, faults = bigearthnet_v1.read_labels(folder, chosen, CLASSES_19)
    if faults:
        first = min(faults)
        raise UnavailableError(
            f"labels of v1 for {len(faults):,} of {len(chosen):,} patches cannot be read from {folder}, the first is "
            f"{chosen[first]}: {faults[first]}"
        )
    every = np.zeros((len(tiles.ids), len(CLASSES_19)), dtype=bool)
    every[tiles.index] = labels
    return replace(tiles, labels=every, source=f"{tiles.source} with labels of v1")


def _layout(info: DatasetInfo) -> Any:
    """Return the module that reads the lists of a version."""
    return bigearthnet_v1 if info.id.startswith("bigearthnet-v1") else v2


def _demo(info: DatasetInfo) -> Path:
    """Return the folder of the demo's patches, which are made on the first call."""
    from senbench.datasets.synthetic.multilabel import write_bigearthnet

    sources = (
        "bigearthnet/corine",
        *(f"synthetic/{m}" for m in ("bigearthnet_covers", "landcover", "multilabel", "textures")),
    )
    n = info.splits[info.default_split]
    return once(f"{info.id}-{n}-{DEMO_SEED}", sources, lambda folder: write_bigearthnet(folder, n, DEMO_SEED))
