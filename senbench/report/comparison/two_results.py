"""Compares two results on the same images: differing settings, changed figures, and flipped images."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.audit.leaves import ROUNDING
from senbench.datasets.distances import by_size
from senbench.errors import UsageError
from senbench.results import predictions, store
from senbench.results.qualifications import qualifications
from senbench.results.settings_diff import SettingDifference, differences
from senbench.scoring.comparison.changes import Change, accuracy_change, precision_changes, recall_changes
from senbench.scoring.multi_label.ranking import top_k_hits
from senbench.scoring.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.results.predictions import Predictions
    from senbench.schema.result import RunResult


@dataclass(frozen=True)
class Flip:
    """An image whose answer changed.

    Attributes:
        id: Tile id.
        label: Class key; for a multi-label dataset several, separated by `; `.
        before: Predicted class of the first run; for a multi-label dataset the true labels among the k best.
        after: The same of the second run.
        kind: `gained`, `lost`, or `other` if both are wrong.
    """

    id: str
    label: str
    before: str
    after: str
    kind: str


@dataclass(frozen=True)
class Comparison:
    """The second run compared with the first, on the same images.

    Attributes:
        before: First result.
        after: Second result.
        settings: Every setting that differs.
        metric: `top1` or `map_macro`.
        n: Number of images.
        change: Change of the metric.
        classes: Class key -> change of its recall or average precision.
        flips: Images whose answer changed, sorted by id.
        notes: Caveats for the reader.
    """

    before: RunResult
    after: RunResult
    settings: list[SettingDifference]
    metric: str
    n: int
    change: Change
    classes: dict[str, Change]
    flips: list[Flip]
    notes: list[str]

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as plain values for JSON; differences are second minus first."""
        return {
            "before": self.before.run_id,
            "after": self.after.run_id,
            "qualifications": {
                run.run_id: [one._asdict() for one in qualifications(run)] for run in (self.before, self.after)
            },
            "settings": [difference._asdict() for difference in self.settings],
            "metric": self.metric,
            "n": self.n,
            "change": _plain(self.change),
            "classes": {key: _plain(change) for key, change in self.classes.items()},
            "flips": [asdict(flip) for flip in self.flips],
            "notes": self.notes,
        }


def _plain(change: Change) -> dict[str, Any]:
    values = asdict(change)
    paired = values.pop("paired")
    del paired["p"], values["counts"]
    paired["by_size"] = [one.model_dump() for one in change.paired.by_size]
    if np.isnan(paired["difference"]):
        paired["difference"] = None
    return {**values, **paired}


def compare(first: Path, second: Path) -> Comparison:
    """Compare two result folders.

    Args:
        first: Folder of the first result.
        second: Folder of the second.

    Raises:
        UsageError: A result is malformed, or the two differ in images, labels or clusters; the message says which.
    """
    before, after = store.load(first), store.load(second)
    for run in (before, after):
        images_named(run)
    if before.dataset.task != after.dataset.task:
        raise UsageError(f"the runs are {before.dataset.task} and {after.dataset.task}: they cannot be compared")
    if before.dataset.classes != after.dataset.classes:
        missing = sorted(set(before.dataset.classes) ^ set(after.dataset.classes))
        odd = missing[0] if missing else "in another order"
        raise UsageError(f"the runs have other classes ({odd}): they cannot be compared")
    a, b = (in_order(predictions.read(path, run)) for path, run in ((first, before), (second, after)))
    same_images(before, a, after, b)
    clusters, notes = _clusters(a, b)
    keys = before.dataset.classes
    sample = Sample(a.labels, keys, clusters, by_size=None if clusters is None else by_size(clusters, a.ids))
    if before.dataset.task == "multi-label":
        metric = "map_macro"
        change, per_class = precision_changes(a.scores, b.scores, sample)
    else:
        metric, first_right, second_right = "top1", right(a), right(b)
        change = accuracy_change(first_right, second_right, sample.clusterings)
        per_class = recall_changes(first_right, second_right, sample)
    if before.access_level != after.access_level:
        notes.append(
            f"access levels differ ({before.access_level} and {after.access_level}): ranks never mix them, see "
            "docs/methods.md"
        )
    if max(before.access_level, after.access_level) >= 2:
        notes.append("the interval takes answers that depend on the evaluated images as given: it is too narrow")
    for run, recomputed in ((before, change.before), (after, change.after)):
        stated = run.metrics[metric].value if metric in run.metrics else None
        if stated is not None and recomputed is not None and abs(stated - recomputed) > ROUNDING:
            notes.append(
                f"{run.run_id} states {metric} {100 * stated:.2f} %, its predictions give {100 * recomputed:.2f} %, "
                "which is what is compared: `senbench results validate` says what else is wrong"
            )
    return Comparison(
        before=before,
        after=after,
        settings=differences(before, after),
        metric=metric,
        n=len(a.ids),
        change=change,
        classes=dict(zip(keys, per_class, strict=True)),
        flips=_flips(keys, a, b),
        notes=notes,
    )


def images_named(run: RunResult) -> None:
    """Raise UsageError for a result whose images have no names.

    Raises:
        UsageError: The result was made from a confusion matrix.
    """
    if run.recorded is not None and run.recorded.given == "confusion":
        raise UsageError(f"{run.run_id} holds a confusion matrix, which names no images: nothing can be paired with it")


def right(table: Predictions) -> NDArray[np.bool_]:
    """Return whether each image of a single-label result is classified correctly, bool (N,)."""
    return np.asarray(table.predicted == table.labels)


def in_order(table: Predictions) -> Predictions:
    """Sort the rows by id, so that those of two runs correspond.

    Raises:
        UsageError: An id occurs twice.
    """
    order = sorted(range(len(table.ids)), key=table.ids.__getitem__)
    ids = tuple(table.ids[i] for i in order)
    if twice := next((a for a, b in pairwise(ids) if a == b), None):
        raise UsageError(f"predictions.parquet: tile {twice} occurs twice")

    arrays = {name: rows[order] for name, rows in vars(table).items() if isinstance(rows, np.ndarray)}
    return replace(table, ids=ids, **arrays)


def same_images(before: RunResult, a: Predictions, after: RunResult, b: Predictions) -> None:
    """Check that two results have the same images with the same labels.

    Raises:
        UsageError: They differ; the message states how many, and the first.
    """
    if a.ids != b.ids:
        raise UsageError(
            f"the runs saw other images (index {before.dataset.index_hash[:12]} and "
            f"{after.dataset.index_hash[:12]}): {_only(a.ids, b.ids)} only in the first, {_only(b.ids, a.ids)} "
            "only in the second; run both on one split"
        )
    differ = a.labels != b.labels
    rows = np.flatnonzero(differ.any(axis=1) if differ.ndim > 1 else differ)
    if len(rows):
        raise UsageError(f"{len(rows):,} of the images have other labels in the second run, {a.ids[rows[0]]} the first")


def _only(ours: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    rest = sorted(set(ours) - set(theirs))
    return f"{len(rest):,}" + (f" ({', '.join(rest[:3])}{', ...' if len(rest) > 3 else ''})" if rest else "")


def _clusters(a: Predictions, b: Predictions) -> tuple[NDArray[Any] | None, list[str]]:
    """Return the clusters of the images, which only one of the runs may know."""
    if a.clusters is None or b.clusters is None:
        known = b.clusters if a.clusters is None else a.clusters
        return known, [] if known is None else ["only one of the runs knows the clusters: they are used for both"]
    if rows := int((a.clusters != b.clusters).sum()):
        raise UsageError(f"{rows:,} of the images are in other clusters in the second run: no paired interval")
    return a.clusters, []


def _flips(keys: Sequence[str], a: Predictions, b: Predictions) -> list[Flip]:
    if a.predicted is not None and b.predicted is not None:
        rows = np.flatnonzero(a.predicted != b.predicted)
        return [_flip(a.ids[i], keys[a.labels[i]], keys[a.predicted[i]], keys[b.predicted[i]]) for i in rows]
    first, second = (top_k_hits(table.scores, a.labels)[0] for table in (a, b))
    of = a.labels.sum(axis=1)
    return [
        Flip(
            a.ids[i],
            a.label_text(int(i), keys),
            f"{first[i]} of {of[i]}",
            f"{second[i]} of {of[i]}",
            "gained" if second[i] > first[i] else "lost",
        )
        for i in np.flatnonzero(first != second)
    ]


def _flip(name: str, label: str, before: str, after: str) -> Flip:
    kind = "gained" if after == label else "lost" if before == label else "other"
    return Flip(name, label, before, after, kind)
