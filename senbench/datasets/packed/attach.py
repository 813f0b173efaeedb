"""Where a run finds packed stores, which of them belong to its tiles, and what they take over from the source."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from senbench.datasets import radiometry as radiometries
from senbench.datasets.bands import RGB, positions
from senbench.datasets.eurosat.splits import read_names
from senbench.datasets.packed.format import HEADER, STAMPS, Store, blocks, is_store, read_header, state
from senbench.datasets.radiometry import DIGITAL
from senbench.datasets.tiles import TileError, Tiles
from senbench.errors import UnavailableError, UsageError
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from senbench.schema.dataset import DatasetInfo


def slug(text: str) -> str:
    """Text as part of a file name."""
    return "".join(c if c.isalnum() or c in "-._" else "-" for c in text)[:60]


def find(info: DatasetInfo) -> list[Path]:
    """Folders of the packed stores below SENBENCH_HOME that may hold tiles of a dataset, 8-bit ones first.

    These are all stores of its collection, for `eurosat` also those of `eurosat-spatial`: ids and content
    keys decide. Of users' own images they are those of a folder of the same name.

    Args:
        info: The dataset.

    Raises:
        UnavailableError: One that by its name is of this dataset has a damaged header.
    """
    found = []
    for path in sorted((home() / "packed").glob(f"*/{HEADER}")):
        try:
            header = read_header(path.parent)
        except UnavailableError:
            if path.parent.name.startswith(f"{slug(info.id)}-"):
                raise
            continue  # another dataset's, whose own runs refuse it
        its = header.dataset
        if its.id == info.id or (its.collection == info.collection != "user" and its.unit == info.unit):
            found.append((header.radiometry == DIGITAL, path.parent))
    return [folder for _, folder in sorted(found)]


class View:
    """A store as the tiles of an opened split see it.

    Args:
        store: The store.
        rows: Its row for each tile of the split, (N,).
    """

    def __init__(self, store: Store, rows: NDArray[np.int64]) -> None:
        self.store = store
        self.rows: list[int] = rows.tolist()
        self._positions = lru_cache(maxsize=8)(lambda bands: positions(store.header.bands, bands))

    def tile(self, i: int, bands: tuple[str, ...]) -> NDArray[Any]:
        """Tile at index i of the split as it is stored, (H, W, B), the bands in the order of their names."""
        tile = self.store.tile(self.rows[i])
        return tile if bands == self.store.header.bands else np.ascontiguousarray(tile[..., self._positions(bands)])

    def rgb(self, i: int, radiometry: str) -> NDArray[np.uint8]:
        """Tile at index i of the split in 8-bit RGB, uint8 (H, W, 3)."""
        tile = self.tile(i, RGB)
        if not self.store.digital:
            return tile
        table = radiometries.table(radiometry)
        return radiometries.render(tile, radiometry) if table is None else table.take(tile, mode="wrap")

    def key(self, i: int, bands: tuple[str, ...] = RGB) -> bytes:
        """Content key of these bands at index i of the split."""
        return self.store.key(self.rows[i], bands)

    def locate(self, indices: Sequence[int]) -> list[str]:
        """Spatial clusters at indices of the split."""
        return [str(self.store.clusters[self.rows[i]]) for i in indices]


def attach(tiles: Tiles, stores: Sequence[Store], say: Callable[[str], None]) -> Tiles:
    """The same tiles, read from packed stores where these hold what is read.

    Args:
        tiles: An opened split.
        stores: Stores, preferred ones first.
        say: Told why a store that has these tiles is not used.

    Returns:
        Tiles with the same ids, labels and content keys; `packed` tells what they are read from.
    """
    views = []
    for store in stores:
        if (rows := store.find(tiles.ids)) is None:
            continue
        if (why := differs(tiles, store, rows)) is not None:
            say(f"packed store {store.folder.name} is not used: {why}; pack again, and delete it")
            continue
        views.append(View(store, rows))
    return _reading(tiles, views) if views else tiles


def differs(tiles: Tiles, store: Store, rows: NDArray[np.int64]) -> str | None:
    """Why a store does not hold these tiles; None if it does.

    All content keys are compared. Where the source can tell the state of its files for less, a state that was
    found equal once is noted in the store and not compared again.

    Args:
        tiles: The opened source.
        store: A store that has all their ids.
        rows: Its row for each tile.
    """
    bands = store.header.bands
    stamp = None if tiles.stamp is None else state(tiles.stamp(part, bands) for part in blocks(len(tiles.ids)))
    with contextlib.suppress(OSError):
        if stamp is not None and stamp in (store.folder / STAMPS).read_text(encoding="utf-8").split():
            return None
    if store.header.band_keys and tiles.band_keys is None:
        return f"the tiles of {tiles.source} are kept in another form"
    by_band = tiles.band_keys if store.header.band_keys else None
    keys = tiles.keys if by_band is None else lambda i: by_band(i, bands)
    for i, row in enumerate(rows.tolist()):
        if _key(keys, i) != _key(lambda row: store.key(row, bands), row):
            return f"tile {tiles.ids[i]} of {tiles.source} has other content, or is kept in another form"
    if stamp is not None:
        with contextlib.suppress(OSError), (store.folder / STAMPS).open("a", encoding="utf-8") as stream:
            stream.write(f"{stamp}\n")
    return None


def _key(keys: Callable[[int], bytes], i: int) -> bytes | None:
    try:
        return keys(i)
    except TileError:
        return None


def _reading(tiles: Tiles, views: Sequence[View]) -> Tiles:
    policy = tiles.radiometry
    rgb = next((view for view in views if view.store.serves(policy, RGB)), None)
    keyed = next((view for view in views if not view.store.header.band_keys or view.store.serves(DIGITAL, RGB)), None)
    placed = next((view for view in views if None not in view.store.clusters), None)

    def holding(bands: tuple[str, ...]) -> View | None:
        return next((view for view in views if view.store.serves(DIGITAL, bands)), None)

    def read_bands(i: int, bands: tuple[str, ...]) -> NDArray[np.uint16]:
        if (view := holding(bands)) is not None:
            return view.tile(i, bands)
        if tiles.bands_reader is None:
            raise _lacking(tiles.info, DIGITAL, bands, views)
        return tiles.bands_reader(i, bands)

    def band_keys(i: int, bands: tuple[str, ...]) -> bytes:
        if (view := holding(bands)) is not None:
            return view.key(i, bands)
        if tiles.band_keys is None:
            raise _lacking(tiles.info, DIGITAL, bands, views)
        return tiles.band_keys(i, bands)

    by_band = tiles.band_keys is not None or any(view.store.header.band_keys for view in views)
    return replace(
        tiles,
        reader=tiles.reader if rgb is None else lambda i: rgb.rgb(i, policy),
        bands_reader=read_bands if tiles.info.unit == "dn" else None,
        keys=tiles.keys if keyed is None else keyed.key,
        band_keys=band_keys if by_band else None,
        locate=tiles.locate if placed is None else placed.locate,
        stores=tuple(view.store for view in views),
    )


def alone(store: Store, info: DatasetInfo, radiometry: str | None, others: Sequence[Store] = ()) -> Tiles:
    """Tiles of a store whose source is not here.

    Args:
        store: The store, which tells ids, labels and order.
        info: The dataset as senbench knows it.
        radiometry: As passed; None: the dataset's default.
        others: Further stores, read where this one lacks something.

    Raises:
        UnavailableError: It was packed under other classes than the dataset has here.
    """
    header = store.header
    if (header.dataset.classes, header.dataset.task) != (info.classes, info.task):
        raise UnavailableError(
            f"packed store {store.folder} has the {len(header.dataset.classes)} classes of {header.dataset.id}, "
            f"{info.id} has {len(info.classes)}: the labels of {info.id} are in the source, bring that too"
        )
    policy = radiometry or info.radiometry
    views = [View(store, np.arange(len(store)))]

    def missing(i: int) -> NoReturn:
        raise _lacking(info, policy, RGB, views)

    keys: Callable[[int], bytes] = views[0].key
    if header.band_keys and not store.serves(DIGITAL, RGB):
        keys = missing
    plain = Tiles(
        info=info,
        split=header.split,
        source=header.source,
        ids=store.ids,
        labels=store.labels,
        reader=missing,
        keys=keys,
        n_expected=header.n_expected,
        radiometry=policy,
        meta=store.meta,
        facts_of_source=header.facts_of_source,
    )
    only = _reading(plain, views)
    for other in others:
        rows = None if other is store else other.find(store.ids)
        if rows is not None and differs(only, other, rows) is None:
            views.append(View(other, rows))
    return _reading(plain, views)


def _lacking(info: DatasetInfo, radiometry: str, bands: Sequence[str], views: Sequence[View]) -> UnavailableError:
    has = "; ".join(f"{view.store.header.radiometry} {','.join(view.store.header.bands)}" for view in views)
    return UnavailableError(
        f"{info.id}: its source is not here, and the packed stores hold {has}, not {radiometry} {','.join(bands)}: "
        "bring the source, or pack that too where the source is"
    )


def open_dataset(
    info: DatasetInfo,
    source: Callable[[bool], Tiles],
    *,
    split: str | None,
    radiometry: str | None,
    given: Path | None,
    offline: bool,
    say: Callable[[str], None],
) -> Tiles:
    """Open a data set, from its packed stores where there are any.

    A source that was named, or that is here, decides ids, labels and order, and a store of other content is
    not used. Where there is no source, a store of that split is enough.

    Args:
        info: The dataset.
        source: Opens the source; True: open no socket.
        split: As passed.
        radiometry: As passed.
        given: The folder that was named, of a source or of a store; None: the place below SENBENCH_HOME.
        offline: Open no socket.
        say: Shows a line.

    Raises:
        UsageError: As the source; or the store that was named is of another dataset, split or radiometry.
        UnavailableError: As the source; or a store is damaged.
    """
    named, how = given is not None and is_store(given), ""
    stores = [] if named else [Store(folder) for folder in find(info)]
    if given is not None and named:
        tiles = _named(Store(given), info, split, radiometry)
    elif not stores or given is not None:
        tiles = attach(source(offline), stores, say)
    else:
        try:
            tiles = attach(source(True), stores, say)
        except UnavailableError:
            found = _without(info, stores, split, radiometry)
            how = "" if found is None else ", without the source"
            tiles = found or attach(source(offline), stores, say)
    if tiles.stores:
        names = " and ".join(store.folder.name for store in tiles.stores)
        say(f"{info.id}: read from the packed store{'s' * (len(tiles.stores) > 1)} {names}{how}")
    return tiles


def _without(info: DatasetInfo, stores: Sequence[Store], split: str | None, radiometry: str | None) -> Tiles | None:
    """Tiles of the stores alone; None if none holds the split."""
    policy = radiometry or info.radiometry
    own = [store for store in stores if store.header.dataset.id == info.id]
    fit = [store for store in own if _holds(store, split or info.default_split)]
    fit.sort(key=lambda store: not store.serves(policy, RGB))
    return alone(fit[0], info, radiometry, stores) if fit else None


def _holds(store: Store, split: str) -> bool:
    """Whether a store is of a split, or of the names in a file."""
    path = Path(split).expanduser()
    if store.header.split == f"file:{path.name}" and path.is_file():
        return set(read_names(path)) == set(store.ids)
    return store.header.split == split


def _named(store: Store, info: DatasetInfo, split: str | None, radiometry: str | None) -> Tiles:
    header = store.header
    if header.dataset.id != info.id:
        raise UsageError(f"packed store {store.folder} is of {header.dataset.id}, not of {info.id}: pass --dataset so")
    if split is not None and not _holds(store, split):
        raise UsageError(f"packed store {store.folder} holds split {header.split}, not {split}: pass --split so")
    policy = radiometry or info.radiometry
    if not store.digital and not store.serves(policy, RGB):
        raise UsageError(
            f"packed store {store.folder} holds {header.radiometry}, not {policy}: pass --radiometry so, or pack "
            "--bands B02,B03,B04, which every radiometry is rendered from"
        )
    return alone(store, info, radiometry)
