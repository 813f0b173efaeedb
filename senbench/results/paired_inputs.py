"""Extracts from runs the inputs of paired tests, and tests all pairs of a family of runs."""

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
"""Absolute tolerance between float64 figures of the same images."""


@dataclass(frozen=True)
class Paired:
    """The inputs of a paired test from one run.

    Attributes:
        value: Headline figure; NaN if undefined.
        images: Digest of the tile ids and their clusters; only runs with equal digests can be paired.
        correct: Whether each image is right, sorted by id, bool (N,); used if there are no clusters.
        replicates: Block size of the clusters -> the figure without each cluster, (G,); from small to large.
        effective: Block size of the clusters -> their effective number.
        own: Block size of the clusters stored in the result.
        why: Reason why no paired test is possible; empty otherwise.
    """

    value: float = np.nan
    images: str = ""
    correct: NDArray[np.bool_] | None = None
    replicates: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    effective: dict[str, float] = field(default_factory=dict)
    own: str = ""
    why: str = ""


def read(result: RunResult, folder: Path | None) -> Paired:
    """Read the inputs of paired tests from a run's predictions or, for a multi-label figure, its replicates.

    Args:
        result: The result.
        folder: Its folder; None if it has no predictions.

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
        # with fixed predictions, the sampling error of the column mean or of p(t) would be missing
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
    replicates, clusters = result.replicates.get(result.headline), result.clustering
    if not replicates or clusters is None or set(replicates) != set(clusters.sizes):
        return Paired(why="no clusters: the figure without each of them was not kept")
    names = sorted(replicates)
    sizes = np.array([clusters.sizes[name] for name in names], np.float64)
    digest = hashlib.sha256(repr((result.dataset.index_hash, names, sizes.tolist())).encode()).hexdigest()
    own_block = own_size(names) or ""
    left_out = {one.size: np.array(one.replicates) for one in clusters.by_size if one.replicates}
    effective = {one.size: one.effective for one in clusters.by_size if one.replicates}
    left_out[own_block] = np.array([replicates[name] for name in names])
    effective[own_block] = effective_clusters(sizes)
    return Paired(value, digest, replicates=left_out, effective=effective, own=own_block)


@lru_cache(maxsize=16)
def _blocks(ids: bytes, width: int, clusters: bytes, breadth: int) -> BlockSizes:
    """Return the clusters of all block sizes, derived from tile and cluster names; cached for runs on the same images.

    Args:
        ids: The ids as in `_order`, in that order.
        width: Bytes per id.
        clusters: The clusters in the same form.
        breadth: Bytes per cluster.
    """
    places = np.frombuffer(clusters, f"U{breadth // 4}")
    sizes = by_size(places, np.frombuffer(ids, f"U{width // 4}").tolist())
    return BlockSizes.of(places if sizes is None else sizes)


def _equal(a: Any, b: Any) -> NDArray[np.bool_]:
    from pyarrow import compute

    return np.asarray(compute.equal(a, b).fill_null(fill_value=False).to_numpy(zero_copy_only=False))


@lru_cache(maxsize=256)
def _order(ids: bytes, width: int) -> tuple[NDArray[np.int64], str]:
    """Return the sort order of the ids and the digest of the sorted ids; cached for runs on the same images.

    Args:
        ids: The ids as fixed-width Unicode, the memory of a NumPy array.
        width: Bytes per id.
    """
    names = np.frombuffer(ids, f"U{width // 4}")
    order = np.argsort(names, kind="stable")
    return order, hashlib.sha256("\0".join(names[order]).encode()).hexdigest()


def all_pairs(family: Sequence[Paired]) -> Pairwise | None:
    """Test all pairs of a family of runs.

    Args:
        family: Runs on the same images, none with a `why`.

    Returns:
        The tests of all pairs; None for fewer than two runs.
    """
    if len(family) < 2:
        return None
    first = family[0]
    if first.correct is not None:
        return unclustered(np.stack([p.correct for p in family if p.correct is not None]))
    values = np.array([p.value for p in family])
    common = [size for size in first.replicates if all(size in p.replicates for p in family)]
    pairs = {
        size: clustered(values, np.stack([p.replicates[size] for p in family]), first.effective[size], size)
        for size in common
    }
    return by_largest(pairs, first.own)
