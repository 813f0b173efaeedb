"""What every dataset hands over: tiles with ids, labels, content keys and a thread-safe reader."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from senbench.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from senbench.spec import DatasetInfo


class TileError(UnavailableError):
    """A tile that cannot be decoded, or has the wrong size; the message names it."""


_ALL: NDArray[np.int64] = np.full(1, -1)  # stands for every position


@dataclass(frozen=True)
class Tiles:
    """One opened split: what to evaluate, in a fixed order.

    Attributes:
        info: Static facts of the dataset.
        split: Name of the split as recorded in results.
        source: What was opened, for people (`EuroSAT.zip`, `2750/`, a repository); no absolute path.
        ids: Tile ids, unique, in order.
        labels: Class index per tile, int64, shape (N,).
        reader: Index -> tile, uint8 (H, W, 3) RGB or DN (H, W, C); thread-safe; raises TileError.
        keys: Index -> content key of the tile's bytes (any hashable bytes); thread-safe. Two tiles
            with the same key have the same pixels.
        n_expected: Tiles the split must have to be complete.
        radiometry: Named rendering that `reader` applies (`native-jpeg` where tiles are uint8 on disk).
        band_order: `rgb` or `bgr`.
        limited: Number asked for with `--limit`, None where all were.
        locate: Indices -> spatial cluster name per tile; None where positions are unknown.
        index: Positions in the opened source that this view shows; all of them by default.
    """

    info: DatasetInfo
    split: str
    source: str
    ids: tuple[str, ...]
    labels: NDArray[np.int64]
    reader: Callable[[int], NDArray[np.uint8]]
    keys: Callable[[int], bytes]
    n_expected: int
    radiometry: str
    band_order: str = "rgb"
    limited: int | None = None
    locate: Callable[[Sequence[int]], list[str]] | None = None
    index: NDArray[np.int64] = field(default_factory=lambda: _ALL)

    def __post_init__(self) -> None:
        if self.index is _ALL:
            object.__setattr__(self, "index", np.arange(len(self.ids)))

    def __len__(self) -> int:
        return len(self.index)

    @property
    def tile_ids(self) -> tuple[str, ...]:
        """Ids of the tiles in this view, in order."""
        return tuple(self.ids[i] for i in self.index)

    @property
    def tile_labels(self) -> NDArray[np.int64]:
        """Class index of the tiles in this view, int64 (N,)."""
        return np.asarray(self.labels[self.index])

    def read(self, i: int) -> NDArray[np.uint8]:
        """Tile at position i of this view, uint8 (H, W, 3)."""
        return self.reader(int(self.index[i]))

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
        """sha256 over the sorted `id<TAB>class key` lines: which images, with which labels."""
        lines = sorted(f"{self.ids[i]}\t{self.info.classes[self.labels[i]]}" for i in self.index)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def stratified(labels: NDArray[np.int64], limit: int, seed: int) -> NDArray[np.int64]:
    """Positions of a class-stratified random subset, sorted.

    Classes get shares proportional to their support (largest remainder), at least one tile each where
    `limit` allows it.

    Args:
        labels: Class index per tile, (N,).
        limit: Size of the subset, 1..N.
        seed: Seed of the draw.

    Returns:
        Sorted positions, int64 (min(limit, N),).
    """
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
