"""The common interface of all datasets: tiles with ids, labels, and a thread-safe reader of pixels and content keys."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
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
    from senbench.schema.dataset import DatasetInfo

OR_SKIP = "replace the file, or carry on without it: --on-error skip"
"""What to do about a tile that cannot be decoded."""


class TileError(UnavailableError):
    """A tile that cannot be decoded, or has the wrong size; the message names it."""


class Reader(ABC):
    """Reads the tiles of an opened source by their index in it; thread-safe.

    A dataset implements `rgb` and `key`, and what else its source has: `digital` says whether `bands` gives digital
    numbers, `located` whether `locate` knows positions.
    """

    digital: bool = False
    """Whether `bands` returns digital numbers."""
    key_per_band: bool = False
    """Whether `key` of named bands covers these alone: 16 bytes per band, joined in the order of the names."""
    located: bool = False
    """Whether `locate` knows positions."""
    portable: bool = False
    """Whether the reader can be pickled cheaply and used in another process, and tiles are small."""

    @abstractmethod
    def rgb(self, i: int) -> NDArray[np.uint8]:
        """Return the tile in 8-bit RGB, uint8 (H, W, 3); raises TileError."""

    @abstractmethod
    def key(self, i: int, names: tuple[str, ...] | None = None) -> bytes:
        """Return the content key (any bytes): tiles with equal keys have equal pixels; raises TileError.

        Args:
            i: The tile.
            names: Bands that are read as digital numbers; None: the tile in 8-bit RGB.
        """

    def bands(self, i: int, names: tuple[str, ...]) -> NDArray[np.uint16]:
        """Return digital numbers, uint16 (H, W, B), in the order of the names; raises TileError."""
        raise NotImplementedError

    def keyed(self, i: int, names: tuple[str, ...] | None) -> tuple[bytes, NDArray[Any]]:
        """Return `key`, and `bands` of these names (None: `rgb`), from one read of the files if possible."""
        return self.key(i, names), self.rgb(i) if names is None else self.bands(i, names)

    def stamp(self, indices: Sequence[int], names: tuple[str, ...]) -> str | None:
        """Return a text that changes with the files of these tiles and bands, without reading them; None if unknown."""
        return None

    def locate(self, indices: Sequence[int]) -> list[str]:
        """Return the spatial cluster of each tile."""
        raise NotImplementedError

    def beginning(self, i: int, size: int) -> bytes | None:
        """First bytes of the file that may say where a tile lies, all of them where `size` is -1; None: there is none.

        Raises:
            TileError: It cannot be read.
        """
        return None

    def packed(self, radiometry: str, names: Sequence[str]) -> str | None:
        """Return the hash of the packed store from which these bands are read; None for the source."""
        return None


def _reordered(read: Callable[[int], NDArray[Any]], order: list[int], i: int) -> NDArray[Any]:
    return np.ascontiguousarray(read(i)[..., order])


_ALL: NDArray[np.int64] = np.full(1, -1)  # stands for every position


@dataclass(frozen=True)
class Tiles:
    """One opened split: the tiles to evaluate, in a fixed order.

    Attributes:
        info: Static facts of the dataset.
        split: Name of the split as recorded in results.
        source: What was opened, for people (`EuroSAT.zip`, `2750/`, a repository); no absolute path.
        ids: Tile ids, unique, in order.
        labels: Class index per tile, int64, shape (N,); for task `multi-label` multi-hot, bool, shape (N, C).
        reader: Reads pixels and content keys by the position in `ids`.
        n_expected: Tiles the split must have to be complete.
        radiometry: Named rendering of what `read` gives (`native-jpeg` where tiles are uint8 on disk, `native` for
            digital numbers).
        band_order: `rgb`, or the bands by name with commas between.
        limited: Number asked for with `--limit`, None where all were.
        index: Positions in the opened source that this view shows; all of them by default.
        rendering: Radiometry of the tiles in 8-bit RGB, where this is a view that `paired` made of them.
        meta: Facts of the tiles by name (`date`, `country`), one text per tile, aligned with `ids`.
        facts_of_source: What a result tells of the values besides (offset of a user's own digital numbers).
    """

    info: DatasetInfo
    split: str
    source: str
    ids: tuple[str, ...]
    labels: NDArray[np.int64] | NDArray[np.bool_]
    reader: Reader
    n_expected: int
    radiometry: str
    band_order: str = "rgb"
    limited: int | None = None
    index: NDArray[np.int64] = field(default_factory=lambda: _ALL)
    rendering: str | None = None
    meta: Mapping[str, Sequence[str]] = field(default_factory=dict)
    facts_of_source: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.index is _ALL:
            object.__setattr__(self, "index", np.arange(len(self.ids)))

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def tile_ids(self) -> tuple[str, ...]:
        """Return the ids of the tiles in this view, in order."""
        return tuple(map(self.ids.__getitem__, self.index.tolist()))

    @property
    def tile_labels(self) -> NDArray[Any]:
        """Return the labels of the tiles in this view: class indices, int64 (N,), or multi-hot, bool (N, C)."""
        return np.asarray(self.labels[self.index])

    @property
    def bands(self) -> tuple[str, ...]:
        """Return the names of the bands in `band_order`."""
        return RGB if self.band_order == "rgb" else tuple(self.band_order.split(","))

    @property
    def packed(self) -> str | None:
        """Return the content hash of the packed store from which this view is read; None for the source."""
        return self.reader.packed(self.radiometry, self.bands)

    def facts(self, name: str) -> list[str] | None:
        """Return one fact of `meta` for the tiles in this view, in order; None if the dataset lacks it."""
        return [self.meta[name][i] for i in self.index] if name in self.meta else None

    @cached_property
    def decode(self) -> Callable[[int], NDArray[Any]]:
        """Return a function from a position in `ids` to the result of `read`; picklable if the reader is portable."""
        if self.radiometry == DIGITAL:
            return partial(self.reader.bands, names=self.bands)
        if self.band_order == "rgb":
            return self.reader.rgb
        return partial(_reordered, self.reader.rgb, positions(RGB, self.bands))

    @cached_property
    def keys(self) -> Callable[[int], bytes]:
        """Return a function from a position in `ids` to the content key of the result of `read`."""
        return partial(self.reader.key, names=self.bands) if self.radiometry == DIGITAL else self.reader.key

    def read(self, i: int) -> NDArray[Any]:
        """Return the tile at position i of this view: uint8 RGB (H, W, 3), or as chosen by `paired`."""
        return self.decode(int(self.index[i]))

    def picture(self, i: int) -> NDArray[np.uint8]:
        """Return the tile at position i of this view as RGB for display, uint8 (H, W, 3)."""
        return self.reader.rgb(int(self.index[i]))

    def paired(self, pairing: Pairing) -> Tiles:
        """Return a view of the same tiles with the bands and unit of a model.

        Args:
            pairing: Bands in the model's order, and whether as digital numbers: what `bands.pair` found.

        Returns:
            Tiles whose `read` gives uint16 digital numbers (H, W, B) under the radiometry `native`, or
            uint8 (H, W, B) of the rendering.

        Raises:
            UsageError: Digital numbers are wanted of tiles that were opened without a reader of them.
        """
        if pairing.native and not self.reader.digital:
            raise UsageError(f"tiles of {self.info.id} were opened without digital numbers: their reader has none")
        rendering = self.rendering or self.radiometry
        if pairing == (RGB, False) and self.rendering is None:
            return self
        return replace(
            self,
            radiometry=DIGITAL if pairing.native else rendering,
            band_order="rgb" if pairing == (RGB, False) else ",".join(pairing.bands),
            rendering=rendering,
        )

    def key(self, i: int) -> bytes:
        """Return the content key of the tile at position i of this view."""
        return self.keys(int(self.index[i]))

    def clusters(self, advance: Callable[[int], None] | None = None) -> list[str] | None:
        """Return the spatial cluster per tile of this view, None if positions are unknown.

        Args:
            advance: Called with the number of tiles looked at.
        """
        if not self.reader.located:
            return None
        names: list[str] = []
        for start in range(0, len(self), 100):
            part = self.index[start : start + 100].tolist()
            names += self.reader.locate(part)
            if advance is not None:
                advance(len(part))
        return names

    def take(self, positions: Sequence[int] | NDArray[np.int64], *, limited: int | None = None) -> Tiles:
        """Return a view of these positions of this view; `limited` records its `--limit`."""
        chosen = self.index[np.asarray(positions, dtype=np.int64)]
        return replace(self, index=chosen, limited=limited if limited is not None else self.limited)

    def index_hash(self) -> str:
        """Return the hash of images and labels; see the function of this name."""
        return index_hash(self.tile_ids, self.tile_labels, self.info.classes)


def index_hash(ids: Sequence[str], labels: NDArray[Any], classes: Sequence[str]) -> str:
    """Return a hash of a set of labelled images, independent of their order.

    Args:
        ids: Tile ids, N.
        labels: Class index, (N,), or multi-hot, bool (N, C).
        classes: Class keys in label order, C.

    Returns:
        sha256 over the sorted lines `id<TAB>class key` (several keys, several tabs).
    """
    if labels.ndim == 1:
        keys = [classes[k] for k in labels.tolist()]
    else:
        row_bytes = [row.tobytes() for row in labels]
        kinds = dict(zip(row_bytes, labels, strict=True)).items()  # combinations of labels recur
        named = {kind: "\t".join(classes[k] for k in np.flatnonzero(row).tolist()) for kind, row in kinds}
        keys = [named[kind] for kind in row_bytes]
    lines = [f"{name}\t{key}".rstrip("\t") for name, key in zip(ids, keys, strict=True)]
    lines.sort()
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def covering(labels: NDArray[np.bool_], limit: int, seed: int) -> NDArray[np.int64]:
    """Return the sorted positions of a random subset that contains a tile of every label.

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
    order = np.random.default_rng(seed).permutation(len(labels))
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
    """Return the sorted positions of a class-stratified random subset; for several labels, of a `covering` one.

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
