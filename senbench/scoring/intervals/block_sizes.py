"""Standard errors by block size: the same images in clusters of several sizes, and the correlation between blocks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.schema.result import BlockError
from senbench.scoring.intervals.clustered import MIN_CLUSTERS, effective_clusters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.scoring import Index
    from senbench.scoring.intervals.interval import Interval

_BLOCK = re.compile(r"(.+)/(-?\d+)_(-?\d+)")
_NEIGHBOURS = ((0, 1), (1, -1), (1, 0), (1, 1))  # each pair of the eight directions once


@dataclass(frozen=True)
class BlockSizes:
    """Several clusterings of the same images.

    Attributes:
        own: Block size of the replicates and paired tests, a key of `clusters`.
        clusters: Size (`5 km`, `25 km`, `100 km`, `scene`) -> cluster of each image, (N,), from small to large.
    """

    own: str
    clusters: Mapping[str, NDArray[Any]]

    @classmethod
    def of(cls, clusters: NDArray[Any] | BlockSizes) -> BlockSizes:
        """Wrap clusters of a single, unnamed size; clusterings of several sizes are returned unchanged."""
        return clusters if isinstance(clusters, BlockSizes) else cls("", {"": np.asarray(clusters)})

    def take(self, rows: NDArray[Any] | slice) -> BlockSizes:
        """Select images by row."""
        return BlockSizes(self.own, {size: names[rows] for size, names in self.clusters.items()})

    @cached_property
    def codes(self) -> dict[str, Index]:
        """Return for each size the cluster of each image, 0..G-1 in the order of the names, (N,)."""
        return {size: np.unique(names, return_inverse=True)[1] for size, names in self.clusters.items()}

    def usable(self) -> dict[str, Index]:
        """Return the cluster codes of the own size and of the sizes with enough clusters for an interval."""
        enough = {size for size, codes in self.codes.items() if codes.max() + 1 >= MIN_CLUSTERS}
        return {size: codes for size, codes in self.codes.items() if size == self.own or size in enough}

    def largest(self, by_size: Mapping[str, Sequence[Interval]]) -> list[Interval]:
        """Choose for each metric the interval with the largest standard error, with the errors of all sizes.

        Args:
            by_size: Size -> interval of each metric by clusters of that size, for the sizes of `usable`.

        Returns:
            One interval per metric; none if the own size gives none. The label names the sizes without an interval,
            since errors correlated over such distances are not included.
        """
        if len(self.clusters) == 1:
            return list(by_size[self.own])
        out = []
        for j, interval in enumerate(by_size[self.own]):
            if interval.ci is None:
                out.append(interval)
                continue
            errors = {size: by_size[size][j].error for size in by_size}
            taken, table = by_size[largest_of(errors)][j], self.table(errors)
            label = f"{taken.label.removesuffix(')')}{none_by(table)})"
            out.append(taken._replace(label=label, by_size=table))
        return out

    def table(self, errors: Mapping[str, float | None]) -> tuple[BlockError, ...]:
        """Return the standard errors by size; None also for sizes that are missing in `errors`."""
        if len(self.clusters) == 1:
            return ()
        counts = {size: np.bincount(codes) for size, codes in self.codes.items()}
        return tuple(
            BlockError(size=size, clusters=len(n), effective=effective_clusters(n), error=errors.get(size))
            for size, n in counts.items()
        )

    def morans_i(self, errors: NDArray[Any]) -> float | None:
        """Return Moran's I of the images' errors, (N,), over blocks of 5 km; None if there are no such blocks."""
        blocks = self.clusters.get("5 km")
        return None if blocks is None else morans_i(np.asarray(errors, np.float64), blocks)


def largest_of(errors: Mapping[str, float | None]) -> str:
    """Return the size with the largest standard error; of equal errors (two names of the same clusters) the last."""
    return max((round(error, 12), k, size) for k, (size, error) in enumerate(errors.items()) if error is not None)[2]


def none_by(by_size: Sequence[BlockError]) -> str:
    """Return `, none by <size> or <size>`, the sizes without a standard error, for labels; empty if there are none."""
    without = [one.size for one in by_size if one.error is None]
    return f", none by {' or '.join(without)}" if without else ""


def size_warnings(by_size: Sequence[BlockError]) -> list[str]:
    """Return warnings about sizes without a standard error."""
    few = [f"{one.clusters} by {one.size}" for one in by_size if one.clusters < MIN_CLUSTERS]
    if not few:
        return []
    return [
        f"too few clusters for a standard error ({', '.join(few)}; {MIN_CLUSTERS} are needed): errors shared over such "
        "distances are not in the intervals"
    ]


def morans_i(errors: NDArray[Any], blocks: NDArray[Any]) -> float | None:
    """Moran's I of the mean errors of blocks, which measures whether neighbouring blocks have similar errors.

    I = (B / W) Σ_{a,b} w_ab z_a z_b / Σ_a z_a² (Moran 1950, Biometrika 37:17), with z_a a block's mean error minus the
    mean over blocks, w_ab = 1 for blocks that touch and 0 otherwise, and W = Σ w. Without autocorrelation it is
    -1 / (B - 1) on average.

    Args:
        errors: Error of each image, (N,); NaN if undefined.
        blocks: Block of each image, `GRID/COLUMN_ROW`, (N,); images with other names are left out.

    Returns:
        About -1..1; None if no blocks touch, or all have the same error.
    """
    kept = ~np.isnan(errors)
    names, codes = np.unique(blocks[kept], return_inverse=True)
    if not len(names):
        return None
    means = np.bincount(codes, errors[kept]) / np.bincount(codes)
    matches = [_BLOCK.fullmatch(str(name)) for name in names]
    at = {(m[1], int(m[2]), int(m[3])): k for k, m in enumerate(matches) if m is not None}
    placed = list(at.values())
    pairs = [
        (k, other)
        for (grid, column, row), k in at.items()
        for right, up in _NEIGHBOURS
        if (other := at.get((grid, column + right, row + up))) is not None
    ]
    z = np.zeros(len(names))
    if pairs:
        z[placed] = means[placed] - means[placed].mean()
    if not pairs or not (spread := float(np.square(z).sum())):
        return None
    first, second = np.array(pairs).T
    return float(len(placed) / len(pairs) * (z[first] @ z[second]) / spread)
