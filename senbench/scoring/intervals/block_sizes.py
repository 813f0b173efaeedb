"""Standard errors by block size: the same images in clusters of several sizes, and whether errors reach beyond them."""

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
    """Clusterings of the same images.

    Attributes:
        own: Size of the clusters that replicates and paired tests are made of, a key of `clusters`.
        clusters: Size (`5 km`, `25 km`, `100 km`, `scene`) -> cluster of each image, (N,), from small to large.
    """

    own: str
    clusters: Mapping[str, NDArray[Any]]

    @classmethod
    def of(cls, clusters: NDArray[Any] | BlockSizes) -> BlockSizes:
        """Clusters of one size without a name, unless there are several sizes already."""
        return clusters if isinstance(clusters, BlockSizes) else cls("", {"": np.asarray(clusters)})

    def take(self, rows: NDArray[Any] | slice) -> BlockSizes:
        """The images of these rows."""
        return BlockSizes(self.own, {size: names[rows] for size, names in self.clusters.items()})

    @cached_property
    def codes(self) -> dict[str, Index]:
        """Size -> cluster of each image, 0..G-1 in the order of the names, (N,)."""
        return {size: np.unique(names, return_inverse=True)[1] for size, names in self.clusters.items()}

    def usable(self) -> dict[str, Index]:
        """Size -> codes of the images, of the own size and of those with enough clusters for an interval."""
        enough = {size for size, codes in self.codes.items() if codes.max() + 1 >= MIN_CLUSTERS}
        return {size: codes for size, codes in self.codes.items() if size == self.own or size in enough}

    def largest(self, found: Mapping[str, Sequence[Interval]]) -> list[Interval]:
        """Of each metric the interval with the largest standard error, with the errors of all sizes.

        Args:
            found: Size -> interval of each metric by clusters of that size, of the sizes of `usable`.

        Returns:
            One interval per metric. Where it has none by the own clusters it has none. Its label names the sizes that
            give none, since errors shared over such distances are not in it.
        """
        if len(self.clusters) == 1:
            return list(found[self.own])
        out = []
        for j, own in enumerate(found[self.own]):
            if own.ci is None:
                out.append(own)
                continue
            errors = {size: found[size][j].error for size in found}
            taken, table = found[largest_of(errors)][j], self.table(errors)
            label = f"{taken.label.removesuffix(')')}{none_by(table)})"
            out.append(taken._replace(label=label, by_size=table))
        return out

    def table(self, errors: Mapping[str, float | None]) -> tuple[BlockError, ...]:
        """The standard errors by size; None also for a size that is not among them."""
        if len(self.clusters) == 1:
            return ()
        counts = {size: np.bincount(codes) for size, codes in self.codes.items()}
        return tuple(
            BlockError(size=size, clusters=len(n), effective=effective_clusters(n), error=errors.get(size))
            for size, n in counts.items()
        )

    def morans_i(self, errors: NDArray[Any]) -> float | None:
        """Moran's I over the blocks of 5 km of the images' errors, (N,); None where there are no such blocks."""
        blocks = self.clusters.get("5 km")
        return None if blocks is None else morans_i(np.asarray(errors, np.float64), blocks)


def largest_of(errors: Mapping[str, float | None]) -> str:
    """Size with the largest standard error; of equal errors, as of the same clusters under two names, the last."""
    return max((round(error, 12), k, size) for k, (size, error) in enumerate(errors.items()) if error is not None)[2]


def none_by(by_size: Sequence[BlockError]) -> str:
    """`, none by <size> or <size>`: sizes without a standard error, for labels; empty where there are none."""
    without = [one.size for one in by_size if one.error is None]
    return f", none by {' or '.join(without)}" if without else ""


def size_warnings(by_size: Sequence[BlockError]) -> list[str]:
    """What a reader must know of sizes that give no standard error."""
    few = [f"{one.clusters} by {one.size}" for one in by_size if one.clusters < MIN_CLUSTERS]
    if not few:
        return []
    return [
        f"too few clusters for a standard error ({', '.join(few)}; {MIN_CLUSTERS} are needed): errors shared over such "
        "distances are not in the intervals"
    ]


def morans_i(errors: NDArray[Any], blocks: NDArray[Any]) -> float | None:
    """Moran's I of the mean errors of blocks: whether neighbouring blocks err alike.

    I = (B / W) Σ_{a,b} w_ab z_a z_b / Σ_a z_a² (Moran 1950, Biometrika 37:17), with z_a a block's mean error less the
    mean over blocks, w_ab = 1 for blocks that touch and 0 otherwise, and W = Σ w. Without any relation it is
    -1 / (B - 1) on average.

    Args:
        errors: Error of each image, (N,); NaN where it has none.
        blocks: Block of each image, `GRID/COLUMN_ROW`, (N,); images with other names are left out.

    Returns:
        About -1..1; None where no blocks touch, or all err alike.
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
