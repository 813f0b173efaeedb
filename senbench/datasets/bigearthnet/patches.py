"""BigEarthNet v1 and v2 (reBEN): 120x120 Sentinel-2 L2A patches with several labels each, read band by band.

TorchGeo's classes open 12 files per patch (v2: Sentinel-1 and the reference maps besides); here only the bands
that are asked for are opened, with the same values (tests hold both against each other).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.bands import RGB
from senbench.datasets.bigearthnet import v1 as bigearthnet_v1
from senbench.datasets.bigearthnet import v2
from senbench.datasets.bigearthnet.corine import CLASSES_19
from senbench.datasets.catalog import S2_BANDS
from senbench.datasets.readers import geotiff
from senbench.datasets.readers.pixel_rules import DIGITAL_RULES
from senbench.datasets.readers.sources import stamp
from senbench.datasets.synthetic.generate import once
from senbench.datasets.tiles import OR_SKIP, Reader, TileError, Tiles
from senbench.errors import UnavailableError
from senbench.runtime.lookup import unknown
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from senbench.datasets.bigearthnet.table import PatchTable
    from senbench.schema.dataset import DatasetInfo

SIDES = dict.fromkeys(S2_BANDS, 60) | dict.fromkeys(("B02", "B03", "B04", "B08"), 120) | {"B01": 20, "B09": 20}
"""Pixels per side of each band's file."""


DEMO_SEED = 7
"""Seed of the demo's patches."""


@dataclass(frozen=True)
class Patches(Reader):
    """Reader of the patches of `rows` below `root`; without state, so that threads and processes share it.

    Attributes:
        root: Folder of all patches.
        rows: The patches.
        policy: Rendering of digital numbers, a key of `radiometry.POLICIES`.
    """

    root: Path
    rows: PatchTable
    policy: str
    digital = key_per_band = located = portable = True

    def __reduce__(self) -> tuple[Any, ...]:  # what decoding needs, and no more, goes to another process
        return Patches, (self.root, replace(self.rows, labels=self.rows.labels[:, :0], mgrs=(), meta={}), self.policy)

    def bands(self, i: int, names: tuple[str, ...]) -> NDArray[np.uint16]:
        """Digital numbers of the named bands of patch i, uint16 (120, 120, B); raises TileError."""
        return np.stack([geotiff.band(data, SIDES[name], what) for name, data, what in self._files(i, names)], axis=-1)

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Rendered patch i, uint8 (120, 120, 3); raises TileError."""
        return radiometries.render(self.bands(i, RGB), self.policy)

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """XXH3-128 of the file of each named band (None: of red, green and blue) of patch i, joined."""
        return b"".join(_digest(data) for _, data, _ in self._files(i, RGB if names is None else names))

    def keyed(self, i: int, names: tuple[str, ...] | None) -> tuple[bytes, NDArray[Any]]:
        """`key` and `bands` of the named bands (None: `key` and `rgb`) from one reading; raises TileError."""
        files = list(self._files(i, RGB if names is None else names))
        planes = np.stack([geotiff.band(data, SIDES[name], what) for name, data, what in files])
        dn = planes.transpose(1, 2, 0)  # a view: each band stays in one piece for what reads it band by band
        key = b"".join(_digest(data) for _, data, _ in files)
        return key, dn if names is not None else radiometries.render(dn, self.policy)

    def stamp(self, indices: Sequence[int], names: tuple[str, ...]) -> str:
        """sha256 over size and time of the files of the named bands of these patches."""
        root, ids, folders = str(self.root), self.rows.ids, self.rows.folders
        return stamp(f"{root}/{folders[i]}/{ids[i]}_{name}.tif" for i in indices for name in names)

    def locate(self, indices: Sequence[int]) -> list[str]:
        """MGRS tile of each patch."""
        return [self.rows.mgrs[i] for i in indices]

    def _files(self, i: int, names: Sequence[str]) -> Iterator[tuple[str, bytes, str]]:
        """Name, bytes and description of each band's file."""
        patch = self.rows.ids[i]
        if i in self.rows.faults:
            raise TileError(f"patch {patch}: {self.rows.faults[i]}; {OR_SKIP}")
        folder = self.root / self.rows.folders[i]
        for name in names:
            path = folder / f"{patch}_{name}.tif"
            try:
                yield name, _bytes(path), f"patch {patch}, {path.name}"
            except FileNotFoundError as error:
                what = f"{path.name} is not there" if folder.is_dir() else "listed, but its folder is not there"
                raise TileError(f"patch {patch}: {what}; {OR_SKIP}") from error
            except OSError as error:
                raise TileError(f"patch {patch}: {path.name} cannot be read: {error.strerror}; {OR_SKIP}") from error


def _bytes(path: Path) -> bytes:
    """Bytes of a band's file, whose suffix may be in capitals, or `.tiff`."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        for suffix in (".TIF", ".tiff", ".TIFF", ".Tif"):
            if (other := path.with_suffix(suffix)).is_file():
                return other.read_bytes()
        raise


def _digest(data: bytes) -> bytes:
    import xxhash  # 2 microseconds a band where blake2b takes 40: a twentieth of decoding it, not a half

    return xxhash.xxh3_128_digest(data)


def open_tiles(
    info: DatasetInfo, *, split: str | None, data_dir: str | None, radiometry: str | None, offline: bool
) -> Tiles:
    """Open BigEarthNet v1 or v2, or the synthetic multi-label demo.

    Missing patches are not looked for: reading one raises TileError, so that a run stops there or leaves it out.
    Nothing of this size is fetched without being asked for; `senbench datasets fetch` does it.

    Args:
        info: Its static facts.
        split: `train`, `val`, `test`, or a file of patch names; None: the dataset's default.
        data_dir: Folder that holds TorchGeo's layout, of which only `BigEarthNet-v1.0/` with the split lists (v1)
            or `BigEarthNet-S2/` with `metadata.parquet` (v2) are needed, any part of it; None: below SENBENCH_HOME.
        radiometry: Key of `radiometry.POLICIES`; None: the dataset's default.
        offline: Open no socket: there is none to open here, `prepare` fetches.

    Returns:
        The listed patches, labels bool (N, C), in the order of the list; `n_expected` is the number that the
        published split has.

    Raises:
        UsageError: Unknown split or radiometry, unknown names in the split file.
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
            f"{expected:,}: this is another data set, or pass the names to use as --split FILE"
        )
    return Tiles(
        info=info,
        split=split if split in info.splits else f"file:{Path(split).name}",
        source=f"{layout.FOLDER}/",
        ids=rows.ids,
        labels=rows.labels,
        reader=Patches(folder, rows, policy),
        n_expected=expected,
        radiometry=policy,
        meta=rows.meta,
        facts_of_source={"pixels": {"decisions": DIGITAL_RULES | {"bands": "one file each: its name"}}},
    )


def prepare(info: DatasetInfo, *, offline: bool) -> Path:
    """Fetch archives and lists and unpack them, or make the demo's scenes, unless they are here.

    Returns:
        The folder that holds them.
    """
    if info.synthetic:
        return _demo(info)
    from senbench.datasets.bigearthnet import archives as fetching

    layout = _layout(info)
    parcel = fetching.version_1() if layout is bigearthnet_v1 else fetching.version_2()
    return fetching.bring(info, parcel, layout.PLACE, offline=offline)


def relabel(tiles: Tiles, v1: Path | None) -> Tiles:
    """The same v2 patches under the labels that v1 gave to their pixels (`--labels v1`).

    Args:
        tiles: Tiles of v2, or a view of them, before `paired`.
        v1: Folder that holds v1's `BigEarthNet-v1.0/` (only its label files are read), or that folder itself.

    Returns:
        Tiles with other labels; `source` says so.

    Raises:
        UnavailableError: No folder is given, the table does not name the v1 patches, or labels are missing or
            damaged: names the first patch and their number.
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
    """The module that knows how a version lists its patches."""
    return bigearthnet_v1 if info.id.startswith("bigearthnet-v1") else v2


def _demo(info: DatasetInfo) -> Path:
    """Folder of the demo's patches, made on the first call."""
    from senbench.datasets.synthetic.multilabel import write_bigearthnet

    sources = (
        "bigearthnet/corine",
        *(f"synthetic/{m}" for m in ("bigearthnet_covers", "landcover", "multilabel", "textures")),
    )
    n = info.splits[info.default_split]
    return once(f"{info.id}-{n}-{DEMO_SEED}", sources, lambda folder: write_bigearthnet(folder, n, DEMO_SEED))
