"""Matches recorded outputs to images: to a dataset's tiles by name, or to the images that the file lists."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from senbench.datasets.catalog import BUILTIN
from senbench.datasets.distances import by_size
from senbench.datasets.open import open_dataset
from senbench.datasets.tiles import index_hash
from senbench.errors import UsageError
from senbench.prompts.vocabulary import vocabulary_for
from senbench.runtime import lookup
from senbench.scoring.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.schema.dataset import DatasetInfo


class Place(NamedTuple):
    """The dataset and split to which the images of a file belong."""

    dataset: str
    """Id of a dataset of senbench, or any other name."""
    split: str | None
    """Split, or a file of tile names; None for the dataset's default, or `all` if senbench does not know it."""
    data_dir: str | None
    """Folder of the data; None for the one below SENBENCH_HOME."""

    @property
    def info(self) -> DatasetInfo | None:
        """Return the dataset's description, or None if senbench does not know it."""
        return BUILTIN[self.dataset][1] if self.dataset in BUILTIN else None


class Rows(NamedTuple):
    """What a file states about its images, row by row."""

    labels: NDArray[Any] | None
    """Class indices int (N,), names str (N,), or multi-hot bool (N, C); None if missing."""
    ids: tuple[str, ...] | None
    """Names of the images; None if missing."""
    clusters: NDArray[Any] | None
    """Spatial clusters; None if missing."""


@dataclass(frozen=True)
class Classes:
    """Classes of a file in the label order of a dataset.

    Attributes:
        keys: Class keys in label order.
        names: The file's class names, in label order.
        given: The class names in the order of the file.
        place: Label index of each entry of `given`.
    """

    keys: tuple[str, ...]
    names: tuple[str, ...]
    given: tuple[str, ...]
    place: NDArray[np.int64]

    @cached_property
    def whole(self) -> bool:
        """Return whether the file names every class."""
        return len(self.given) == len(self.keys)

    def indices(self, values: NDArray[Any], what: str) -> NDArray[np.int64]:
        """Convert the file's indices or names to label indices, (N,).

        Raises:
            UsageError: A value is out of range or not a class; the message states its row.
        """
        c = len(self.given)
        if values.dtype.kind in "iu":
            if len(bad := np.flatnonzero((values < 0) | (values >= c))):
                raise UsageError(f"{what} is {values[bad[0]]} in row {bad[0]}; expected 0..{c - 1}")
            return self.place[values.astype(np.int64)]
        of = dict(zip(self.given, self.place.tolist(), strict=True))
        positions = [of.get(name, -1) for name in values.tolist()]
        if -1 in positions:
            row = positions.index(-1)
            raise UsageError(f"{what} is {str(values[row])!r} in row {row}, which is none of the {c} classes")
        return np.array(positions, np.int64)

    def columns(self, values: NDArray[Any], what: str) -> NDArray[Any]:
        """Return the columns (N, C) in label order.

        Raises:
            UsageError: There are fewer columns than classes.
        """
        if not self.whole:
            raise UsageError(f"{what} has {len(self.given)} columns, the dataset {len(self.keys)} classes")
        return np.ascontiguousarray(values[:, np.argsort(self.place)])


@dataclass(frozen=True)
class Images:
    """The evaluated images, in order.

    Attributes:
        ids: Ids, N.
        sample: Labels, clusters, countries.
        rows: Row of the file for each image, (N,).
        info: The dataset's description, or None if senbench does not know it.
        n_expected: Number of images of the split.
        split: Its name.
        joined: Whether they were matched to tiles by name.
    """

    ids: tuple[str, ...]
    sample: Sample
    rows: NDArray[np.int64]
    info: DatasetInfo | None
    n_expected: int
    split: str
    joined: bool = False

    @property
    def index_hash(self) -> str:
        """Return a hash of the images and their labels."""
        return index_hash(self.ids, self.sample.labels, tuple(map(str, self.sample.class_keys)))


def classes(info: DatasetInfo | None, names: tuple[str, ...]) -> Classes:
    """Match the classes of a file to the label order of a dataset.

    Args:
        info: The dataset; None if senbench does not know it, so that the order of the file holds.
        names: Names in the order of the file; if the file has none, numbers in the order of the dataset.

    Raises:
        UsageError: They are neither class keys of the dataset nor one of its sets of names, or too many.
    """
    if len(names) < 2:
        raise UsageError("there is a single class; a classification needs two")
    if info is None:
        return Classes(names, names, names, np.arange(len(names)))
    keys = info.classes
    if all(name.isdecimal() for name in names):
        if len(names) > len(keys):
            raise UsageError(f"class indices go to {len(names) - 1}, {info.id} has {len(keys)} classes")
        return Classes(keys, keys, names, np.arange(len(names)))
    vocabulary, _ = vocabulary_for(info, None)
    known = [list(keys), *([e.names[s] for e in vocabulary.classes] for s in vocabulary.classes[0].names)]
    for name_set in known:
        if set(names) <= set(name_set):
            return Classes(keys, tuple(name_set), names, np.array([name_set.index(name) for name in names]))
    odd = next((name for name in names if name not in keys), names[0])
    raise UsageError(
        f"class {odd!r} is none of {info.id}; give its class keys ({', '.join(keys[:3])}, ...) or one of its sets of "
        "names"
    )


def found(where: Place, named: Classes, rows: Rows) -> Images:
    """Return the images of a file with one row per image.

    Args:
        where: Dataset and split.
        named: The classes.
        rows: What the file states about them.

    Raises:
        UsageError: Names do not match or occur twice, labels differ from the dataset's, or there are none at all.
        UnavailableError: The data of the dataset are missing.
    """
    if where.info is not None:
        return _joined(where, named, rows)
    if rows.labels is None:
        raise UsageError("labels are missing: only those of a dataset of senbench (--dataset ID) are known")
    labels = _labels(named, rows.labels)
    n = len(labels)
    ids = rows.ids or tuple(f"row-{k:0{len(str(n - 1))}}" for k in range(n))
    sizes = None if rows.clusters is None else by_size(rows.clusters, ids)
    sample = Sample(labels, named.keys, rows.clusters, by_size=sizes)
    return Images(ids, sample, np.arange(n), None, n, where.split or "all")


def counted(where: Place, named: Classes, labels: NDArray[np.int64]) -> Images:
    """Return the images counted by a confusion matrix, which have no names.

    Args:
        where: Dataset and split.
        named: The classes.
        labels: Label index of each, (N,).

    Raises:
        UsageError: The split is unknown, or has another number of images.
    """
    n, info = len(labels), where.info
    split = where.split or ("all" if info is None else info.default_split)
    if info is not None:
        if split not in info.splits:
            raise lookup.unknown(f"split of {info.id}", split, info.splits)
        if not named.whole:
            raise UsageError(f"confusion has {len(named.given)} classes, {info.id} has {len(named.keys)}")
        if n != (expected := info.splits[split]):
            raise UsageError(
                f"confusion counts {n:,} images, {split} of {info.id} has {expected:,}: a wrong total, or another "
                "--split"
            )
    ids = tuple(f"counted-{k:0{len(str(n - 1))}}" for k in range(n))
    return Images(ids, Sample(labels, named.keys), np.arange(n), info, n, split)


def _labels(named: Classes, labels: NDArray[Any]) -> NDArray[Any]:
    return named.columns(labels, "labels") if labels.ndim == 2 else named.indices(labels, "labels")


def _joined(where: Place, named: Classes, rows: Rows) -> Images:
    """Match rows to the tiles of a dataset, in the order of the tiles."""
    if rows.ids is None:
        raise UsageError(f"ids are missing: without names, rows cannot be joined to the tiles of {where.dataset}")
    tiles = open_dataset(where.dataset, split=where.split, data_dir=where.data_dir, offline=True)
    at = _matched(tiles, rows.ids)
    order = np.argsort(at, kind="stable")
    view = tiles.take(at[order])
    expected = view.tile_labels
    if rows.labels is not None:
        stated = _labels(named, rows.labels)[order]
        if stated.shape != expected.shape:
            raise UsageError(
                f"labels have shape {stated.shape}, those of {where.dataset} {expected.shape}: another task"
            )
        differ = stated != expected
        wrong = np.flatnonzero(differ.any(axis=1) if differ.ndim > 1 else differ).tolist()
        if wrong:
            raise UsageError(
                f"{len(wrong):,} of {len(expected):,} labels are not those of {where.dataset}, "
                f"{view.tile_ids[wrong[0]]} the first: labels of another set, or classes in another order"
            )
    located = view.clusters(lambda n: None) if view.reader.located else None
    clusters = None if located is None else np.array(located)
    sizes = None if clusters is None else by_size(clusters, view.tile_ids)
    countries = view.facts("country")
    sample = Sample(expected, named.keys, clusters, None if countries is None else np.array(countries), sizes)
    return Images(view.tile_ids, sample, order, view.info, tiles.n_expected, tiles.split, joined=True)


def _matched(tiles: Tiles, ids: Sequence[str]) -> NDArray[np.int64]:
    """Return the position of each id among the tiles, matched by name or by its last part without suffix."""
    exact: Mapping[str, int] = {name: k for k, name in enumerate(tiles.tile_ids)}
    names = list(ids)
    if not all(name in exact for name in names):
        stems = Counter(map(stem, tiles.tile_ids))
        exact = {stem(name): k for name, k in exact.items() if stems[stem(name)] == 1}
        names = [stem(name) for name in ids]
    if lost := [one_id for one_id, name in zip(ids, names, strict=True) if name not in exact]:
        shown = ", ".join(lost[:3]) + (", ..." if len(lost) > 3 else "")
        raise UsageError(
            f"{len(lost):,} of {len(ids):,} ids are no tiles of {tiles.info.id} {tiles.split}: {shown}; give the "
            "--split that they are of, or another --dataset"
        )
    at = np.array([exact[name] for name in names])
    if len(np.unique(at)) < len(at):
        twice = tiles.tile_ids[Counter(at.tolist()).most_common(1)[0][0]]
        raise UsageError(f"two ids are the same tile {twice}: an image would count twice")
    return at


def stem(name: str) -> str:
    """Last part of a path, without a suffix that names a format of images."""
    base = name.replace("\\", "/").rsplit("/", 1)[-1]
    stem, _, suffix = base.rpartition(".")
    return stem if stem and suffix.lower() in ("jpg", "jpeg", "png", "tif", "tiff") else base
