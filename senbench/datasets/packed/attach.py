"""Finds packed stores, checks that they match the opened tiles, and reads from them in place of the source."""

from __future__ import annotations

import contextlib
from copy import copy
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.bands import RGB, positions
from senbench.datasets.eurosat.splits import read_names
from senbench.datasets.packed.format import HEADER, STAMPS, PackedStore, blocks, read_header, state
from senbench.datasets.radiometry import DIGITAL
from senbench.datasets.tiles import Reader, TileError, Tiles
from senbench.errors import UnavailableError, UsageError
from senbench.io.plain_text import composed
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from senbench.schema.dataset import DatasetInfo


def slug(text: str) -> str:
    """Convert text to a part of a file name."""
    return "".join(c if c.isalnum() or c in "-._" else "-" for c in text)[:60]


def find(info: DatasetInfo) -> list[Path]:
    """Return the packed stores below SENBENCH_HOME that may contain tiles of a dataset, 8-bit ones first.

    These are all stores of its collection, e.g. for `eurosat` also those of `eurosat-spatial`, since ids and content
    keys decide. For users' images they are those of a folder with the same name.

    Args:
        info: The dataset.

    Raises:
        UnavailableError: A store with this dataset's name has a damaged header.
    """
    stores = []
    for path in sorted((home() / "packed").glob(f"*/{HEADER}")):
        try:
            header = read_header(path.parent)
        except UnavailableError:
            if path.parent.name.startswith(f"{slug(info.id)}-"):
                raise
            continue  # belongs to another dataset, whose runs will report it
        its = header.dataset
        if its.id == info.id or (its.collection == info.collection != "user" and its.unit == info.unit):
            stores.append((header.radiometry == DIGITAL, path.parent))
    return [folder for _, folder in sorted(stores)]


class View:
    """The rows of a store that correspond to the tiles of an opened split.

    Args:
        store: The store.
        rows: Its row for each tile of the split, (N,).
    """

    def __init__(self, store: PackedStore, rows: NDArray[np.int64]) -> None:
        self.store = store
        self.rows: list[int] = rows.tolist()
        self._positions = lru_cache(maxsize=8)(lambda bands: positions(store.header.bands, bands))

    def tile(self, i: int, bands: tuple[str, ...]) -> NDArray[Any]:
        """Return the stored tile at index i of the split, (H, W, B), with bands in the requested order."""
        tile = self.store.tile(self.rows[i])
        return tile if bands == self.store.header.bands else np.ascontiguousarray(tile[..., self._positions(bands)])

    def rgb(self, i: int, radiometry: str) -> NDArray[np.uint8]:
        """Return the tile at index i of the split in 8-bit RGB, uint8 (H, W, 3)."""
        tile = self.tile(i, RGB)
        if not self.store.digital:
            return tile
        table = radiometries.table(radiometry)
        return radiometries.render(tile, radiometry) if table is None else table.take(tile, mode="wrap")

    def key(self, i: int, bands: tuple[str, ...] = RGB) -> bytes:
        """Return the content key of these bands at index i of the split."""
        return self.store.key(self.rows[i], bands)


class StoreReader(Reader):
    """Reads from packed stores if they contain the requested bands, otherwise from the source.

    Args:
        tiles: An opened split, with the reader of its source.
        views: The stores, preferred ones first.
    """

    def __init__(self, tiles: Tiles, views: Sequence[View]) -> None:
        self.source, self.views, self.policy = tiles.reader, views, tiles.radiometry
        self.digital = tiles.info.unit == "dn"
        self.key_per_band = self.source.key_per_band or any(view.store.header.band_keys for view in views)
        self._rgb = self._serving(self.policy, RGB)
        self._keys = next((v for v in views if not v.store.header.band_keys or v.store.serves(DIGITAL, RGB)), None)
        self._places = next((view for view in views if None not in view.store.clusters), None)
        self.located = self._places is not None or self.source.located
        self.portable = self.source.portable

    def __reduce__(self) -> tuple[Any, ...]:  # other processes decode only what no store contains
        return copy, (self.source,)

    def _serving(self, radiometry: str, names: Sequence[str]) -> View | None:
        return next((view for view in self.views if view.store.serves(radiometry, names)), None)

    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Return the tile from the first store that supports this rendering."""
        return self.source.rgb(i) if self._rgb is None else self._rgb.rgb(i, self.policy)

    def bands(self, i: int, names: tuple[str, ...]) -> NDArray[np.uint16]:
        """Return digital numbers from the first store that has these bands."""
        view = self._serving(DIGITAL, names)
        return self.source.bands(i, names) if view is None else view.tile(i, names)

    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Return the content key of the source."""
        view = self._keys if names is None or not self.key_per_band else self._serving(DIGITAL, names)
        return self.source.key(i, names) if view is None else view.key(i, names or RGB)

    def stamp(self, indices: Sequence[int], names: tuple[str, ...]) -> str | None:
        """Return the state of the source."""
        return self.source.stamp(indices, names)

    def beginning(self, i: int, size: int) -> bytes | None:
        """As of the source: stores keep clusters, no positions."""
        return self.source.beginning(i, size)

    def locate(self, indices: Sequence[int]) -> list[str]:
        """Return the clusters from the first store that has them."""
        if (view := self._places) is None:
            return self.source.locate(indices)
        return [str(view.store.clusters[view.rows[i]]) for i in indices]

    def packed(self, radiometry: str, names: Sequence[str]) -> str | None:
        """Return the content hash of the store that is read."""
        view = self._serving(radiometry, names)
        return None if view is None else view.store.header.content_hash


class MissingSource(Reader):
    """Replaces a missing source; every access raises an error.

    Args:
        info: The dataset.
        policy: Rendering of the tiles in 8-bit RGB.
        views: The existing packed stores, for the message.
    """

    def __init__(self, info: DatasetInfo, policy: str, views: Sequence[View]) -> None:
        self.info, self.policy, self.views = info, policy, views

    def rgb(self, i: int) -> NoReturn:
        """Refuse."""
        self.key(i)

    def bands(self, i: int, names: tuple[str, ...]) -> NoReturn:
        """Refuse."""
        self.key(i, names)

    def key(self, i: int, names: tuple[str, ...] | None = None) -> NoReturn:
        """Refuse."""
        has = "; ".join(f"{v.store.header.radiometry} {','.join(v.store.header.bands)}" for v in self.views)
        wanted = f"{self.policy if names is None else DIGITAL} {','.join(names or RGB)}"
        raise UnavailableError(
            f"{self.info.id}: its source is missing, and the packed stores contain {has}, not {wanted}: "
            "provide the source, or pack that too where the source is"
        )


def attach(tiles: Tiles, stores: Sequence[PackedStore], say: Callable[[str], None]) -> Tiles:
    """Return the same tiles, read from packed stores as far as these contain them.

    Args:
        tiles: An opened split.
        stores: Stores, preferred ones first.
        say: Called with a line that says why a store with these tiles is not used.

    Returns:
        Tiles with the same ids, labels and content keys; `packed` states the stores that are read.
    """
    views = []
    for store in stores:
        if (rows := store.find(tiles.ids)) is None:
            continue
        if (why := differs(tiles, store, rows)) is not None:
            say(f"packed store {store.folder.name} is not used: {why}; pack again, and delete it")
            continue
        views.append(View(store, rows))
    return replace(tiles, reader=StoreReader(tiles, views)) if views else tiles


def differs(tiles: Tiles, store: PackedStore, rows: NDArray[np.int64]) -> str | None:
    """Return why a store does not match these tiles; None if it does.

    All content keys are compared. If the state of the source's files is cheaper to get, a state that matched once is
    recorded in the store and not compared again.

    Args:
        tiles: The opened source.
        store: A store that has all their ids.
        rows: Its row for each tile.
    """
    bands, reader, per_band = store.header.bands, tiles.reader, store.header.band_keys
    stamp = state(reader.stamp(part, bands) for part in blocks(len(tiles.ids)))
    with contextlib.suppress(OSError):
        if stamp is not None and stamp in (store.folder / STAMPS).read_text(encoding="utf-8").split():
            return None
    if per_band and not reader.key_per_band:
        return f"the tiles of {tiles.source} are kept in another form"
    for i, row in enumerate(rows.tolist()):
        if _key(reader.key, i, bands if per_band else None) != _key(store.key, row, bands):
            return f"tile {tiles.ids[i]} of {tiles.source} has other content, or is kept in another form"
    if stamp is not None:
        with contextlib.suppress(OSError), (store.folder / STAMPS).open("a", encoding="utf-8") as stream:
            stream.write(f"{stamp}\n")
    return None


def _key(keys: Callable[..., bytes], i: int, bands: Sequence[str] | None) -> bytes | None:
    try:
        return keys(i, bands)
    except TileError:
        return None


def alone(store: PackedStore, info: DatasetInfo, policy: str, others: Sequence[PackedStore] = ()) -> Tiles:
    """Return the tiles of a store whose source is missing.

    Args:
        store: The store, which determines ids, labels and order.
        info: The dataset.
        policy: Rendering of the tiles in 8-bit RGB.
        others: Further stores, read for what this one lacks.

    Raises:
        UnavailableError: The store has other classes than the dataset.
    """
    header = store.header
    if (header.dataset.classes, header.dataset.task) != (info.classes, info.task):
        raise UnavailableError(
            f"packed store {store.folder} has the {len(header.dataset.classes)} classes of {header.dataset.id}, "
            f"{info.id} has {len(info.classes)}: the labels of {info.id} are in the source, provide that too"
        )
    views = [View(store, np.arange(len(store)))]

    plain = Tiles(
        info=info,
        split=header.split,
        source=header.source,
        ids=store.ids,
        labels=store.labels,
        reader=MissingSource(info, policy, views),
        n_expected=header.n_expected,
        radiometry=policy,
        meta=store.meta,
        facts_of_source=header.facts_of_source,
    )
    only = replace(plain, reader=StoreReader(plain, views))
    for other in others:
        rows = None if other is store else other.find(store.ids)
        if rows is not None and differs(only, other, rows) is None:
            views.append(View(other, rows))
    return replace(plain, reader=StoreReader(plain, views))


def without_source(
    info: DatasetInfo, stores: Sequence[PackedStore], split: str | None, radiometry: str | None
) -> Tiles | None:
    """Return the tiles of a dataset's stores alone; None if none contains the split (None: the default one)."""
    policy = radiometry or info.radiometry
    same_dataset = [store for store in stores if store.header.dataset.id == info.id]
    fit = [store for store in same_dataset if _holds(store, split or info.default_split)]
    fit.sort(key=lambda store: not store.serves(policy, RGB))
    return alone(fit[0], info, policy, stores) if fit else None


def _holds(store: PackedStore, split: str) -> bool:
    """Return whether a store contains a split, or the names in a file."""
    path = Path(split).expanduser()
    if store.header.split == f"file:{composed(path.name)}" and path.is_file():
        return set(read_names(path)) == set(store.ids)
    return store.header.split == split


def named(store: PackedStore, info: DatasetInfo, split: str | None, radiometry: str | None) -> Tiles:
    """Return the tiles of a store that was passed by its folder.

    Raises:
        UsageError: The store has another dataset, split or radiometry than requested.
    """
    header = store.header
    if header.dataset.id != info.id:
        raise UsageError(
            f"packed store {store.folder} contains {header.dataset.id}, not {info.id}: "
            f"pass --dataset {header.dataset.id}"
        )
    if split is not None and not _holds(store, split):
        raise UsageError(
            f"packed store {store.folder} contains split {header.split}, not {split}: pass --split {header.split}"
        )
    policy = radiometry or info.radiometry
    if not store.digital and not store.serves(policy, RGB):
        raise UsageError(
            f"packed store {store.folder} contains {header.radiometry}, not {policy}: pass --radiometry "
            f"{header.radiometry}, or "
            "pack --bands B02,B03,B04, from which every radiometry is rendered"
        )
    return alone(store, info, policy)
