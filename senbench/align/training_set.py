"""What is trained on: tiles, embeddings of their photos, and which photo belongs to which tile."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from senbench.align.recipe import MOST_VIEWS
from senbench.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

NONE = -1
"""In `TrainingSet.photo_rows`: no photo."""
AT_ONCE = 8192
"""RowSource that are read at once where all are looked at."""


class RowSource(Protocol):
    """RowSource of an array, in memory or in a file: a numpy array is one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of rows, and shape of each."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values."""

    def __getitem__(self, rows: Any, /) -> Any:
        """RowSource by their numbers, as an array of its own."""


class StoredRows:
    """RowSource of a file that numpy wrote (`.npy`), mapped for each access alone.

    Pages of a mapping count as this process's memory as long as it is there: those of hundreds of thousands of tiles
    and photos would be more than all else.

    Attributes:
        sha256: Hash of the file as its index states it; empty: not stated.
    """

    def __init__(self, path: Any, sha256: str = "") -> None:
        """Read the header.

        Args:
            path: The file.
            sha256: As the attribute.
        """
        mapped = np.load(path, mmap_mode="r", allow_pickle=False)
        self.path, self.sha256 = path, sha256
        self._shape: tuple[int, ...] = mapped.shape
        self._dtype: np.dtype[Any] = mapped.dtype
        self._offset: int = mapped.offset

    @property
    def shape(self) -> tuple[int, ...]:
        """As `RowSource`."""
        return self._shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """As `RowSource`."""
        return self._dtype

    def __getitem__(self, rows: Any) -> NDArray[Any]:
        """As `RowSource`."""
        mapped = np.memmap(self.path, self._dtype, "r", self._offset, self._shape)
        return np.array(mapped[rows])


class Batch(NamedTuple):
    """Some tiles with their photos."""

    tiles: NDArray[np.uint8]
    """uint8 (B, S, S, 3)."""
    photos: NDArray[np.float32]
    """Embeddings of up to K photos each, float32 (B, K, D), not normalised; 0 where there is none."""
    there: NDArray[np.bool_]
    """Which photos there are, (B, K)."""


@dataclass(frozen=True)
class TrainingSet:
    """Pairs of tiles and photos, the photos as embeddings of the frozen base.

    Attributes:
        ids: Name of each of N tiles.
        tiles: RGB, uint8 (N, S, S, 3).
        photos: Embeddings, float (P, D), finite and not normalised.
        photo_rows: RowSource of `photos` that belong to each tile, int (N, K), `NONE` at the end of a row with fewer;
            every tile has one at least.
        latitude: Degrees, float64 (N,); NaN where it is not known.
        longitude: As `latitude`.
        held: Which tiles the manifest holds out, bool (N,); None: it does not say.
        embedded_by: sha256 of the weights that embedded the photos; empty: not known.
        facts: What the run records of the data: files, hashes, counts.
    """

    ids: Sequence[str]
    tiles: RowSource
    photos: RowSource
    photo_rows: NDArray[Any]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    held: NDArray[np.bool_] | None = None
    embedded_by: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of tiles."""
        return len(self.ids)

    def batch(self, rows: NDArray[np.int64], views: int = MOST_VIEWS) -> Batch:
        """Tiles with the first photos of each, at most `views`."""
        return Batch(self.tiles[rows], *self.seen(rows, views))

    def seen(self, rows: NDArray[np.int64], views: int = MOST_VIEWS) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Photos of some tiles and which there are, as in `Batch`."""
        wanted = np.asarray(self.photo_rows[rows])[:, :views]
        there = wanted != NONE
        photos = np.zeros((*wanted.shape, self.photos.shape[1]), np.float32)
        photos[there] = self.photos[wanted[there]]
        return photos, there

    def check_base(self, weights_sha256: str, base: str) -> None:
        """Refuse photos that other weights than the base's embedded.

        Args:
            weights_sha256: Hash of the base's file.
            base: The base, for messages.

        Raises:
            UsageError: They are of other weights.
        """
        if self.embedded_by and self.embedded_by != weights_sha256:
            raise UsageError(
                f"the photos were embedded by other weights ({self.embedded_by[:12]}) than those of {base} "
                f"({weights_sha256[:12]}); embed them with `senbench align embed --model {base}`"
            )

    def check(self, dim: int, base: str) -> None:
        """Refuse data that cannot be trained on, before anything is computed.

        Args:
            dim: Dimension of the base's embeddings.
            base: The base, for messages.

        Raises:
            UsageError: Shapes, types or values are wrong; says where.
        """
        n, tiles = len(self), self.tiles
        if n == 0:
            raise UsageError("the pairs hold no tile")
        if tiles.dtype != np.uint8 or len(tiles.shape) != 4 or tiles.shape[1] != tiles.shape[2] or tiles.shape[3] != 3:
            raise UsageError(f"tiles are {tiles.dtype} {tiles.shape}, expected uint8 (N, S, S, 3)")
        if len(self.photos.shape) != 2 or self.photos.dtype.kind != "f":
            raise UsageError(f"embeddings of photos are {self.photos.dtype} {self.photos.shape}, expected float (P, D)")
        if self.photos.shape[1] != dim:
            raise UsageError(
                f"embeddings of photos have {self.photos.shape[1]} dimensions, those of {base} have {dim}: they are of "
                f"another model; embed the photos with `senbench align embed --model {base}`"
            )
        rows = np.asarray(self.photo_rows)
        lengths = {len(tiles.shape) and tiles.shape[0], len(rows), len(self.latitude), len(self.longitude)}
        if lengths != {n} or rows.ndim != 2:
            raise UsageError(f"tiles, photo rows and positions of {n:,} tiles have other lengths: {sorted(lengths)}")
        if not 1 <= rows.shape[1] <= MOST_VIEWS:
            raise UsageError(f"{rows.shape[1]} photos a tile; 1 to {MOST_VIEWS} are taken")
        if rows.min() < NONE or rows.max() >= self.photos.shape[0]:
            raise UsageError(f"photo rows reach from {rows.min()} to {rows.max()}, of {self.photos.shape[0]:,} photos")
        if (bare := np.flatnonzero(rows[:, 0] == NONE)).size:
            raise UsageError(f"tile {self.ids[bare[0]]} has no photo ({bare.size:,} such tiles); leave it out")
        self._check_positions()
        self._check_finite()

    def _check_positions(self) -> None:
        for name, values, most in (("latitude", self.latitude, 90), ("longitude", self.longitude, 180)):
            if (wrong := np.flatnonzero(np.abs(values) > most)).size:
                raise UsageError(
                    f"tile {self.ids[wrong[0]]} has {name} {values[wrong[0]]:g}, beyond {most} degrees; are latitude "
                    "and longitude exchanged?"
                )

    def _check_finite(self) -> None:
        for start in range(0, self.photos.shape[0], AT_ONCE):
            part = self.photos[slice(start, start + AT_ONCE)]
            sums = np.abs(np.asarray(part, np.float32)).sum(1)
            if (wrong := np.flatnonzero(~np.isfinite(sums) | (sums == 0))).size:
                what = "only zeros" if sums[wrong[0]] == 0 else "a value that is not finite"
                raise UsageError(
                    f"the embedding of photo {start + wrong[0]:,} holds {what}; embed or import the photos anew"
                )

    def digest(self) -> dict[str, str]:
        """sha256 of tiles, photos and of which belongs to which."""
        pairs = hashlib.sha256("\n".join(self.ids).encode())
        for values in (self.photo_rows, self.latitude, self.longitude, self.held):
            pairs.update(b"" if values is None else np.ascontiguousarray(values).tobytes())
        return {"tiles": _sha256(self.tiles), "photos": _sha256(self.photos), "pairs": pairs.hexdigest()}


def _sha256(rows: RowSource) -> str:
    """Hash of all rows; of a file, that of its index, which was made when it was written."""
    if isinstance(rows, StoredRows) and rows.sha256:
        return rows.sha256
    digest = hashlib.sha256(f"{rows.dtype} {tuple(rows.shape)}".encode())
    for start in range(0, rows.shape[0], AT_ONCE):
        digest.update(np.ascontiguousarray(rows[slice(start, start + AT_ONCE)]).tobytes())
    return digest.hexdigest()
