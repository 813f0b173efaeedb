"""What paired tests need of a run, and all pairs of a family of runs at once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.distances import by_size, own_size
from senbench.errors import UsageError
from senbench.results.store import columns
from senbench.scoring.comparison.all_pairs import Pairwise, by_largest, clustered, mean_replicates, unclustered
from senbench.scoring.intervals.block_sizes import BlockSizes
from senbench.scoring.intervals.clustered import effective_clusters

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.schema.result import RunResult

CLOSE = 1e-6
"""Figures of float64 sums over the same images."""


@dataclass(frozen=True)
class Paired:
    """One run's part in a paired test.

    Attributes:
        value: Headline figure; NaN where it is undefined.
        images: Digest of the tile ids and their clusters; only runs with the same can be paired.
        correct: Whether each image is right, in the order of the ids, bool (N,); where there are no clusters.
        replicates: Size of the clusters -> the figure without each of them, (G,); from small to large.
        effective: Size of the clusters -> their effective number.
        own: Size of the result's own clusters.
        why: Why there is no paired test; empty where there is one.
    """

    value: float = np.nan
    images: str = ""
    correct: NDArray[np.bool_] | None = None
    replicates: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    effective: dict[str, float] = field(default_factory=dict)
    own: str = ""
    why: str = ""


def read(result: RunResult, folder: Path | None) -> Paired:
    """One run's part in paired tests, from its predictions or, for a multi-label figure, its replicates.

    Args:
        result: The result.
        folder: Its folder; None: it has no predictions.

    Raises:
        UsageError: The predictions are not those of the result.
        UnavailableError: The predictions are damaged.
    """
    value = result.metrics[result.headline].value
    if folder is None or not (file := folder / "predictions.parquet").is_file():
        return Paired(why="no per-image predictions")
    if result.recorded is not None and result.recorded.given == "confusion":
        return Paired(why="a confusion matrix names no images")
    if value is None:
        return Paired(why=f"{result.headline} is undefined")
    if result.access_level == 2:
        # fixed predictions would leave out that a column mean or p(t) is itself drawn with the sample
        return Paired(why="at level 2 predictions depend on one another: a paired test of them would be too sure")
    if result.dataset.task == "multi-label":
        return _replicated(result, value)
    if result.headline != "top1":
        return Paired(why=f"no paired test of {result.headline}")
    names, labels, answers, places = columns(file, ("id", "label", "prediction", "cluster"), "predictions")
    ids = names.to_numpy(zero_copy_only=False).astype(str)
    order, images = _order(ids.tobytes(), ids.itemsize)
    correct = _equal(labels, answers)[order]
    if len(correct) != result.dataset.n_evaluated or abs(correct.mean() - value) > CLOSE:
        raise UsageError(
            f"result {result.run_id}: predictions.parquet has {len(correct)} images, {100 * correct.mean():.3f} % "
            f"right, result.json says {result.dataset.n_evaluated} and {100 * value:.3f} %: files of two runs?"
        )
    if places.null_count:
        return Paired(value, images, correct=correct)
    clusters = places.to_numpy(zero_copy_only=False).astype(str)[order]
    images = hashlib.sha256("\0".join([images, *clusters]).encode()).hexdigest()
    blocks = _blocks(ids[order].tobytes(), ids.itemsize, clusters.tobytes(), clusters.itemsize)
    sizes = {size: np.bincount(codes) for size, codes in blocks.codes.items()}
    left_out = {
        size: mean_replicates(np.bincount(codes, weights=correct), sizes[size]) for size, codes in blocks.codes.items()
    }
    effective = {size: effective_clusters(counts) for size, counts in sizes.items()}
    return Paired(value, images, replicates=left_out, effective=effective, own=blocks.own)


def _replicated(result: RunResult, value: float) -> Paired:
    found, clusters = result.replicates.get(result.headline), result.clustering
    if not found or clusters is None or set(found) != set(clusters.sizes):
        return Paired(why="no clusters: the figure without each of them was not kept")
    names = sorted(found)
    sizes = np.array([clusters.sizes[name] for name in names], np.float64)
    digest = hashlib.sha256(repr((result.dataset.index_hash, names, sizes.tolist())).encode()).hexdigest()
    own = own_size(names) or ""
    left_out = {one.size: np.array(one.replicates) for one in clusters.by_size if one.replicates}
    effective = {one.size: one.effective for one in clusters.by_size if one.replicates}
    left_out[own], effective[own] = np.array([found[name] for name in names]), effective_clusters(sizes)
    return Paired(value, digest, replicates=left_out, effective=effective, own=own)


@lru_cache(maxsize=16)
def _blocks(ids: bytes, width: int, clusters: bytes, breadth: int) -> BlockSizes:
    """Clusters of all sizes that follow from the names of tiles and clusters; runs on the same images share them.

    Args:
        ids: The ids as for `_order`, in their order.
        width: Bytes per id.
        clusters: The clusters likewise.
        breadth: Bytes per cluster.
    """
    places = np.frombuffer(clusters, f"U{breadth // 4}")
    found = by_size(places, np.frombuffer(ids, f"U{width // 4}").tolist())
    return BlockSizes.of(places if found is None else found)


def _equal(a: Any, b: Any) -> NDArray[np.bool_]:
    from pyarrow import compute

    return np.asarray(compute.equal(a, b).fill_null(fill_value=False).to_numpy(zero_copy_only=False))


@lru_cache(maxsize=256)
def _order(ids: bytes, width: int) -> tuple[NDArray[np.int64], str]:
    """Order of the ids and digest of the sorted ids; runs on the same images share it.

    Args:
        ids: The ids as fixed-width Unicode, the memory of a NumPy array.
        width: Bytes per id.
    """
    names = np.frombuffer(ids, f"U{width // 4}")
    order = np.argsort(names, kind="stable")
    return order, hashlib.sha256("\0".join(names[order]).encode()).hexdigest()


def all_pairs(family: Sequence[Paired]) -> Pairwise | None:
    """All pairs of runs that can be paired.

    Args:
        family: Runs on the same images, none with a `why`.

    Returns:
        All pairs; None for fewer than two runs.
    """
    if len(family) < 2:
        return None
    first = family[0]
    if first.correct is not None:
        return unclustered(np.stack([p.correct for p in family if p.correct is not None]))
    values = np.array([p.value for p in family])
    common = [size for size in first.replicates if all(size in p.replicates for p in family)]
    found = {
        size: clustered(values, np.stack([p.replicates[size] for p in family]), first.effective[size], size)
        for size in common
    }
    return by_largest(found, first.own)
