"""What every dataset hands over: tiles with ids, labels, content keys and a thread-safe reader."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.bands import RGB, positions
from senbench.datasets.radiometry import DIGITAL
from senbench.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.datasets.bands import Pairing
    from senbench.datasets.packed.format import Store
    from senbench.schema.dataset import DatasetInfo


class TileError(UnavailableError):
    """A tile that cannot be decoded, or has the wrong size; the message names it."""


def _reordered(read: Callable[[int], NDArray[Any]], order: list[int], i: int) -> NDArray[Any]:
    return np.ascontiguousarray(read(i)[..., order])


def _of_bands(read: Callable[[int, tuple[str, ...]], NDArray[Any]], bands: tuple[str, ...], i: int) -> NDArray[Any]:
    return read(i, bands)


_ALL: NDArray[np.int64] = np.full(1, -1)  # stands for every position


@dataclass(frozen=True)
class Tiles:
    """One opened split: what to evaluate, in a fixed order.

    Attributes:
        info: Static facts of the dataset.
        split: Name of the split as recorded in results.
        source: What was opened, for people (`EuroSAT.zip`, `2750/`, a repository); no absolute path.
        ids: Tile ids, unique, in order.
        labels: Class index per tile, int64, shape (N,); for task `multi-label` multi-hot, bool, shape (N, C).
        reader: Index -> tile as a model gets it, uint8 (H, W, 3) RGB unless this is a view of `paired`;
            thread-safe; raises TileError.
        keys: Index -> content key of the tile's bytes (any hashable bytes); thread-safe. Two tiles
            with the same key have the same pixels.
        n_expected: Tiles the split must have to be complete.
        radiometry: Named rendering that `reader` applies (`native-jpeg` where tiles are uint8 on disk,
            `native` for digital numbers).
        band_order: `rgb`, or the bands by name with commas between.
        limited: Number asked for with `--limit`, None where all were.
        locate: Indices -> spatial cluster name per tile; None where positions are unknown.
        index: Positions in the opened source that this view shows; all of them by default.
        bands_reader: Index and band names -> digital numbers, uint16 (H, W, B), in the order of the names;
            thread-safe; raises TileError. None where there are none.
        rendered: The tiles in 8-bit RGB that a view of `paired` was made from; None: these are it.
        band_keys: Index and band names -> content key of these bands alone, where each band is a file of its
            own and `keys` covers those of the rendering: 16 bytes per band, joined in the order of the names;
            None: `keys` covers whatever is read.
        meta: Facts of the tiles by name (`date`, `country`), one text per tile, aligned with `ids`.
        keyed_reader: Index -> what `keys` and `reader` give, or with band names what `band_keys` and
            `bands_reader` give, from one reading of the files; None: they are called one after the other.
        stamp: Indices and band names -> a text that changes when a file of one of them does (its size or
            time), for less than reading the files; None: unknown, or not to be had.
        stores: Packed stores that are read in place of the source, where they have what is read.
        facts_of_source: What a result tells of the values besides (offset of a user's own digital numbers).
        portable: Whether `reader` and `bands_reader` can be pickled, small, and used in another process, and tiles
            are small ones.
    """

    info: DatasetInfo
    split: str
    source: str
    ids: tuple[str, ...]
    labels: NDArray[np.int64] | NDArray[np.bool_]
    reader: Callable[[int], NDArray[Any]]
    keys: Callable[[int], bytes]
    n_expected: int
    radiometry: str
    band_order: str = "rgb"
    limited: int | None = None
    locate: Callable[[Sequence[int]], list[str]] | None = None
    index: NDArray[np.int64] = field(default_factory=lambda: _ALL)
    bands_reader: Callable[[int, tuple[str, ...]], NDArray[np.uint16]] | None = None
    rendered: Tiles | None = None
    band_keys: Callable[[int, tuple[str, ...]], bytes] | None = None
    meta: Mapping[str, Sequence[str]] = field(default_factory=dict)
    keyed_reader: Callable[[int, tuple[str, ...] | None], tuple[bytes, NDArray[Any]]] | None = None
    stamp: Callable[[Sequence[int], tuple[str, ...]], str | None] | None = None
    stores: tuple[Store, ...] = ()
    facts_of_source: Mapping[str, Any] = field(default_factory=dict)
    portable: bool = False

    def __post_init__(self) -> None:
        if self.index is _ALL:
            object.__setattr__(self, "index", np.arange(len(self.ids)))

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def tile_ids(self) -> tuple[str, ...]:
        """Ids of the tiles in this view, in order."""
        return tuple(map(self.ids.__getitem__, self.index.tolist()))

    @property
    def tile_labels(self) -> NDArray[Any]:
        """Labels of the tiles in this view: class indices, int64 (N,), or multi-hot, bool (N, C)."""
        return np.asarray(self.labels[self.index])

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands in `band_order`."""
        return RGB if self.band_order == "rgb" else tuple(self.band_order.split(","))

    @property
    def packed(self) -> str | None:
        """Content hash of the packed store that this view is read from, None where it is read from the source."""
        return next((s.header.content_hash for s in self.stores if s.serves(self.radiometry, self.bands)), None)

    def facts(self, name: str) -> list[str] | None:
        """One fact of `meta` for the tiles in this view, in order; None where the data set does not have it."""
        return [self.meta[name][i] for i in self.index] if name in self.meta else None

    def unlabelled(self) -> NDArray[np.int64]:
        """Positions in this view of tiles without any label, int64; none can be in a single-label data set."""
        labels = self.tile_labels
        return np.flatnonzero(~labels.any(axis=1)) if labels.ndim == 2 else np.zeros(0, dtype=np.int64)

    def read(self, i: int) -> NDArray[Any]:
        """Tile at position i of this view: uint8 (H, W, 3), or what `paired` made of it."""
        return self.reader(int(self.index[i]))

    def picture(self, i: int) -> NDArray[np.uint8]:
        """Tile at position i of this view as people see it, uint8 RGB (H, W, 3)."""
        plain = self if self.rendered is None else self.rendered
        return plain.reader(int(self.index[i]))

    def paired(self, pairing: Pairing) -> Tiles:
        """View of the same tiles as a model takes them.

        Args:
            pairing: Bands in the model's order, and whether as digital numbers: what `bands.pair` found.

        Returns:
            Tiles whose `read` gives uint16 digital numbers (H, W, B) under the radiometry `native`, or
            uint8 (H, W, B) of the rendering.

        Raises:
            UsageError: Digital numbers are wanted of tiles that were opened without a reader of them.
        """
        plain = self if self.rendered is None else replace(self.rendered, index=self.index, limited=self.limited)
        bands, rendering, native = pairing.bands, plain.reader, plain.bands_reader
        if not pairing.native:
            if bands == RGB:
                return plain
            order = positions(RGB, bands)
            return replace(
                plain,
                reader=partial(_reordered, rendering, order),
                band_order=",".join(bands),
                rendered=plain,
            )
        if native is None:
            raise UsageError(f"tiles of {self.info.id} were opened without digital numbers: give Tiles a bands_reader")
        by_band = plain.band_keys
        return replace(
            plain,
            reader=partial(_of_bands, native, bands),
            keys=plain.keys if by_band is None else lambda i: by_band(i, bands),
            radiometry=DIGITAL,
            band_order=",".join(bands),
            rendered=plain,
        )

    def key(self, i: int) -> bytes:
        """Content key of the tile at position i of this view."""
        return self.keys(int(self.index[i]))

    def clusters(self, advance: Callable[[int], None] | None = None) -> list[str] | None:
        """Spatial cluster per tile of this view, None where positions are unknown.

        Args:
            advance: Called with the number of tiles looked at.
        """
        if self.locate is None:
            return None
        found: list[str] = []
        for start in range(0, len(self), 100):
            part = [int(i) for i in self.index[start : start + 100]]
            found += self.locate(part)
            if advance is not None:
                advance(len(part))
        return found

    def take(self, positions: Sequence[int] | NDArray[np.int64], *, limited: int | None = None) -> Tiles:
        """View of the given positions of this view; `limited` records the `--limit` it comes from."""
        chosen = self.index[np.asarray(positions, dtype=np.int64)]
        return replace(self, index=chosen, limited=limited if limited is not None else self.limited)

    def index_hash(self) -> str:
        """Which images, which labels: see the function of this name."""
        return index_hash(self.tile_ids, self.tile_labels, self.info.classes)


def index_hash(ids: Sequence[str], labels: NDArray[Any], classes: Sequence[str]) -> str:
    """Hash of a set of labelled images, whatever their order.

    Args:
        ids: Tile ids, N.
        labels: Class index, (N,), or multi-hot, bool (N, C).
        classes: Class keys in label order, C.

    Returns:
        sha256 over the sorted lines `id<TAB>class key` (several keys, several tabs).
    """
    seen: dict[bytes, str] = {}  # combinations of labels recur

    def keys(own: NDArray[np.bool_]) -> str:
        found = seen.get(same := own.tobytes())
        if found is None:
            found = seen[same] = "\t".join(classes[k] for k in np.flatnonzero(own).tolist())
        return found

    if labels.ndim == 1:
        lines = [f"{name}\t{classes[k]}" for name, k in zip(ids, labels.tolist(), strict=True)]
    else:
        lines = [f"{name}\t{keys(own)}".rstrip("\t") for name, own in zip(ids, labels, strict=True)]
    lines.sort()
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def covering(labels: NDArray[np.bool_], limit: int, seed: int) -> NDArray[np.int64]:
    """Positions of a random subset that holds a tile of every label, sorted.

    The rarest label not yet held chooses first; what is left of `limit` is a plain random sample. Labels with few
    tiles are therefore more frequent than in the whole, the more so the smaller the subset: it is for trying things
    out. Where `limit` is below the number of labels, the rarest are held.

    Args:
        labels: Multi-hot, bool (N, C).
        limit: Size of the subset, 1..N.
        seed: Seed of the draw.

    Returns:
        Sorted positions, int64 (min(limit, N),).
    """
    n = len(labels)
    if limit >= n:
        return np.arange(n)
    order = np.random.default_rng(seed).permutation(n)
    support = labels.sum(axis=0)
    held = np.zeros(labels.shape[1], dtype=bool)
    chosen: list[int] = []
    for label in np.argsort(support, kind="stable"):
        if support[label] and not held[label] and len(chosen) < limit:
            position = int(order[np.argmax(labels[order, label])])
            chosen.append(position)
            held |= labels[position]
    rest = order[~np.isin(order, chosen)][: limit - len(chosen)]
    return np.sort(np.concatenate([np.array(chosen, dtype=np.int64), rest]))


def stratified(labels: NDArray[np.int64] | NDArray[np.bool_], limit: int, seed: int) -> NDArray[np.int64]:
    """Positions of a class-stratified random subset, sorted; of a covering one (see `covering`) for several labels.

    Classes get shares proportional to their support (largest remainder), at least one tile each where
    `limit` allows it.

    Args:
        labels: Class index per tile, int64 (N,), or multi-hot, bool (N, C).
        limit: Size of the subset, 1..N.
        seed: Seed of the draw.

    Returns:
        Sorted positions, int64 (min(limit, N),).
    """
    if labels.ndim == 2:
        return covering(labels.astype(bool), limit, seed)
    n = len(labels)
    if limit >= n:
        return np.arange(n)
    classes, counts = np.unique(labels, return_counts=True)
    quota = counts * limit / n
    take = np.floor(quota).astype(int)
    if limit >= len(classes):
        take = np.maximum(take, 1)
    order = np.argsort(-(quota - take), kind="stable")
    step = 0
    while take.sum() < limit:
        k = order[step % len(order)]
        take[k] += take[k] < counts[k]
        step += 1
    while take.sum() > limit:
        take[np.argmax(take)] -= 1
    rng = np.random.default_rng(seed)
    chosen = [
        rng.choice(np.flatnonzero(labels == c), size=k, replace=False) for c, k in zip(classes, take, strict=True)
    ]
    return np.sort(np.concatenate(chosen)).astype(np.int64)
