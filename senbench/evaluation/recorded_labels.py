"""Labels beside embeddings that were recorded elsewhere: where few of them are drawn from."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.open import open_dataset
from senbench.errors import UsageError
from senbench.evaluation.outcome import LabelledSplit
from senbench.evaluation.recorded_images import stem
from senbench.io import recorded_outputs
from senbench.io.plain_text import composed, decode
from senbench.runtime.paths import base_name
from senbench.scoring.classifier import unit
from senbench.scoring.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from senbench.evaluation.recorded_images import Classes, Place

    Arrays = Mapping[str, NDArray[Any]]

HALVES = "halves"
"""Stands for labels of the evaluated images themselves."""
MAX_SHOTS = 1000
"""Most labelled images per class."""
OF_IMAGES = ("images", "labels", "ids", "clusters")
"""Arrays with one row per image."""


@dataclass(frozen=True)
class FewLabels:
    """What is asked of few labels.

    Attributes:
        shots: Labelled images per class.
        anchors: A second file with images and labels; a list of ids of the first; or a split of the dataset, whose
            tiles are rows of the first. None: labels of either half of the evaluated images predict the other.
    """

    shots: tuple[int, ...]
    anchors: str | None = None

    def __post_init__(self) -> None:
        """Sort the numbers.

        Raises:
            UsageError: One is out of range.
        """
        if odd := [k for k in self.shots if not 1 <= k <= MAX_SHOTS]:
            raise UsageError(f"--shots {odd[0]}: give 1 to {MAX_SHOTS:,} labelled images per class")
        object.__setattr__(self, "shots", tuple(sorted(set(self.shots))))

    @property
    def told(self) -> str:
        """Name of the anchors in a result: `file:NAME` of a file, `HALVES` where there are none."""
        if self.anchors is None:
            return HALVES
        return f"file:{base_name(self.anchors)}" if _is_file(self.anchors) else self.anchors


def parted(arrays: Arrays, asked: FewLabels, where: Place) -> tuple[Arrays, Arrays | None]:
    """The arrays to evaluate, and those that labels are drawn from; None: halves of the evaluated.

    Args:
        arrays: Embeddings of a file, by name.
        asked: Where labels come from.
        where: Dataset of the file.

    Raises:
        UsageError: The anchors do not exist, hold nothing of the file, or share an image with the evaluated ones.
        UnavailableError: A file is damaged, or the dataset is not here.
    """
    given = asked.anchors
    if given is None:
        return arrays, None
    if _is_file(given) and Path(given).suffix.lower() in (".npz", ".csv", ".parquet"):
        pool = recorded_outputs.load(Path(given).expanduser())
        name = base_name(given)
        if missing := [array for array in ("images", "labels") if array not in pool]:
            raise UsageError(f"--anchors {name}: it holds no {missing[0]}; give embeddings with their labels")
        _apart(arrays, pool, name)
        return arrays, pool
    if "ids" not in arrays:
        raise UsageError(
            f"--anchors {base_name(given)}: names of rows, but the file has no ids; give them, or leave it out"
        )
    own = [stem(composed(str(name))) for name in arrays["ids"].tolist()]
    wanted = dict.fromkeys(map(stem, _listed(given, where)))
    if lost := list(wanted.keys() - set(own)):
        raise UsageError(
            f"--anchors {base_name(given)}: {len(lost):,} of {len(wanted):,} names are no ids of the file, "
            f"{min(lost)} the first; its rows that are named are drawn from, and the others evaluated"
        )
    drawn = np.array([name in wanted for name in own])
    if not wanted or drawn.all():
        which = "all rows of the file: none is left to evaluate" if wanted else "no row of the file"
        raise UsageError(f"--anchors {base_name(given)} names {which}")
    return _rows(arrays, ~drawn), _rows(arrays, drawn)


def pool_of(arrays: Arrays, named: Classes, width: int, asked: FewLabels) -> LabelledSplit:
    """Embeddings with labels as images to draw from.

    Args:
        arrays: `images` and `labels`, and perhaps `class_names` of its own, `clusters`.
        named: Classes of the evaluated file.
        width: Columns of its embeddings.
        asked: What they are, for messages and the result.

    Raises:
        UsageError: Another width, several labels, labels of another set, or values that are no embeddings.
    """
    name, images, labels = asked.told.removeprefix("file:"), arrays["images"], arrays["labels"]
    if images.ndim != 2 or images.dtype.kind not in "fiu" or images.shape[1] != width or not len(images):
        raise UsageError(f"--anchors {name}: images have shape {images.shape}, expected (N, {width}) real numbers")
    if labels.shape != (len(images),) or labels.dtype.kind not in "iuU":
        raise UsageError(f"--anchors {name}: labels have shape {labels.shape}, expected {len(images):,} classes")
    if "class_names" in arrays and labels.dtype.kind != "U":
        own = np.array([unicodedata.normalize("NFC", str(one)) for one in arrays["class_names"].tolist()])
        if len(bad := np.flatnonzero((labels < 0) | (labels >= len(own)))):
            raise UsageError(
                f"--anchors {name}: labels is {labels[bad[0]]} in row {bad[0]}; expected 0..{len(own) - 1}"
            )
        labels = own[labels]
    if (clusters := arrays.get("clusters")) is not None and clusters.shape != labels.shape:
        raise UsageError(f"--anchors {name}: clusters have shape {clusters.shape}, expected one per image")
    try:
        rows, places = unit(images, "images"), named.indices(labels, "labels")
    except UsageError as error:
        raise UsageError(f"--anchors {name}: {error}") from error
    located = None if clusters is None else np.array([str(one) for one in clusters.tolist()])
    return LabelledSplit(rows, Sample(places, named.keys, located), asked.told, len(rows), "")


def _apart(arrays: Arrays, pool: Arrays, name: str) -> None:
    """Refuse an image that is in both files: by its name where both have names, else by its embedding."""
    if "ids" in arrays and "ids" in pool:
        own = {stem(str(one)) for one in arrays["ids"].tolist()}
        shared = [str(one) for one in pool["ids"].tolist() if stem(str(one)) in own]
    else:
        held = {row.tobytes() for row in arrays["images"].astype(np.float32)}
        shared = [f"row {k}" for k, row in enumerate(pool["images"].astype(np.float32)) if row.tobytes() in held]
    if shared:
        raise UsageError(
            f"--anchors {name} overlaps: {len(shared):,} of its images are evaluated, {shared[0]} the first; "
            "labels are drawn from other images only"
        )


def _listed(given: str, where: Place) -> Sequence[str]:
    """Names of a list or of the tiles of a split."""
    if _is_file(given):
        path = Path(given).expanduser()
        text = composed(decode(path.read_bytes(), f"--anchors {path.name}"))
        return [line.strip() for line in text.splitlines() if line.strip()]
    if where.info is None:
        raise UsageError(f"--anchors {given}: no such file, and {where.dataset} has no splits that senbench knows")
    return open_dataset(where.dataset, split=given, data_dir=where.data_dir, offline=True).tile_ids


def _rows(arrays: Arrays, chosen: NDArray[np.bool_]) -> dict[str, NDArray[Any]]:
    n = len(chosen)
    return {
        name: array[chosen] if name in OF_IMAGES and array.ndim and len(array) == n else array
        for name, array in arrays.items()
    }


def _is_file(given: str) -> bool:
    return Path(given).expanduser().is_file()
