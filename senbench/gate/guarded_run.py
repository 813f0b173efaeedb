"""Reduces a result to what the baseline stores (figures, answers, inputs of paired tests), and compares two."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from senbench.datasets.distances import by_size
from senbench.errors import UsageError
from senbench.gate import baseline
from senbench.report.comparison.two_results import in_order, right
from senbench.results import predictions, store
from senbench.scoring.comparison.changes import accuracy_change, precisions
from senbench.scoring.comparison.paired import PairedDifference, by_largest
from senbench.scoring.intervals.average_precision import MAX_CLUSTERS
from senbench.scoring.intervals.block_sizes import BlockSizes
from senbench.scoring.multi_label.ranking import top_k_hits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.gate.baseline import BaselineRun
    from senbench.results.predictions import Predictions
    from senbench.schema.result import RunResult


class Moved(NamedTuple):
    """A figure that changed."""

    name: str
    before: float | None
    after: float | None

    @property
    def size(self) -> float:
        """Return the change as a share (relative if above 1, as NLL may be); infinite if one side is undefined."""
        if self.before is None or self.after is None:
            return float("inf")
        change = abs(self.after - self.before) / max(1.0, abs(self.before), abs(self.after))
        return change if change == change else float("inf")


@dataclass(frozen=True)
class Guarded:
    """One result with its predictions, sorted by id.

    Attributes:
        result: The result.
        table: Its predictions.
    """

    result: RunResult
    table: Predictions

    @property
    def single(self) -> bool:
        """Return whether each image has exactly one label."""
        return self.table.predicted is not None

    @property
    def metric(self) -> Literal["top1", "map_macro"]:
        """Return the name of the guarded figure."""
        return "top1" if self.single else "map_macro"

    def answers(self) -> NDArray[np.uint16]:
        """Return the predicted class, or number of true labels among the k best, of each image, (N,)."""
        predicted = self.table.predicted
        return (top_k_hits(self.table.scores, self.table.labels)[0] if predicted is None else predicted).astype(
            np.uint16
        )

    def figures(self) -> dict[str, baseline.GuardedFigure]:
        """Return all metrics with their intervals."""
        return {name: baseline.GuardedFigure(value=m.value, ci=m.ci) for name, m in self.result.metrics.items()}

    def classes(self) -> dict[str, float | None]:
        """Return recall or average precision by class."""
        if self.single:
            return {entry.key: entry.recall for entry in self.result.per_class}
        return {entry.key: entry.average_precision for entry in self.result.per_label}

    def clusters_hash(self) -> str | None:
        """Return a hash of the assignment of images to clusters."""
        clusters = self.table.clusters
        if clusters is None:
            return None
        lines = (f"{name}\t{cluster}" for name, cluster in zip(self.table.ids, clusters, strict=True))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def kept(self, noise: float, *, measured: bool) -> BaselineRun:
        """Return the result as an entry of a baseline, with its numeric noise and whether that was measured."""
        left_out = {} if self.single else self._left_out()[1]
        packed = {size: baseline.pack(values.astype(np.float32)) for size, values in left_out.items()}
        own_replicates = packed.pop(self.blocks.own, None)
        model, prompts, dataset, protocol = baseline.key_of(self.result)
        return baseline.BaselineRun(
            model=model,
            prompts=prompts,
            dataset=dataset,
            protocol=protocol,
            passed=baseline.passed_of(self.result),
            settings=baseline.settings_of(self.result),
            run_id=self.result.run_id,
            senbench_version=self.result.senbench_version,
            n=len(self.table.ids),
            index_hash=self.result.dataset.index_hash,
            clusters_hash=self.clusters_hash(),
            metric=self.metric,
            metrics=self.figures(),
            classes=self.classes(),
            answers=baseline.pack(self.answers()),
            left_out=own_replicates,
            left_out_by_size={size: text for size, text in packed.items() if len(left_out[size]) <= MAX_CLUSTERS},
            noise=noise,
            noise_measured=measured,
        )

    def difference(self, kept: BaselineRun) -> PairedDifference:
        """Return this result minus the one in the baseline, paired on the same images.

        Raises:
            UsageError: The answers in the baseline do not give its figure.
        """
        stated, images = kept.metrics[kept.metric].value, self.table.clusters is None
        if self.single:
            before = baseline.unpack(kept.answers, "u2", kept.n) == self.table.labels
            if stated is None or abs(before.mean() - stated) > baseline.ROUNDING:
                raise UsageError(f"baseline is malformed: its answers give top1 {before.mean():.6f}, it says {stated}")
            return accuracy_change(np.asarray(before), right(self.table), None if images else self.blocks).paired
        now, after = self._left_out()
        own_block = self.blocks.own
        if not after or kept.left_out is None or stated is None:
            nothing = np.full(int(self.blocks.codes[own_block].max()) + 1, np.nan)
            difference = now - (float("nan") if stated is None else stated)
            return by_largest(difference, {own_block: nothing}, self.blocks, images=images)
        before_by_size = {own_block: kept.left_out, **kept.left_out_by_size}
        left_out = {
            size: values - baseline.unpack(before_by_size[size], "f4", len(values))
            for size, values in after.items()
            if size in before_by_size
        }
        return by_largest(now - stated, left_out, self.blocks, images=images)

    @cached_property
    def blocks(self) -> BlockSizes:
        """Return the clusters of all block sizes; each image is its own cluster if positions are unknown."""
        clusters, ids = self.table.clusters, self.table.ids
        if clusters is None:
            return BlockSizes.of(np.arange(len(ids)))
        return by_size(clusters, ids) or BlockSizes.of(clusters)

    def _left_out(self) -> tuple[float, dict[str, NDArray[np.float64]]]:
        """Multi-label: return the figure, and for each block size the changes when one cluster is left out."""
        scores = precisions(self.table.scores, self.table.labels, self.blocks)
        value = float(scores.estimate[0])
        return value, {size: values[:, 0] - value for size, values in scores.left_out.items()}


def read(folder: Path) -> Guarded:
    """Read one result folder for the gate.

    Raises:
        UsageError: The result or its predictions cannot be read, or contradict each other.
    """
    try:
        result = store.load(folder)
        table = in_order(predictions.read(folder, result))
        guarded = Guarded(result, table)
        if (figure := result.metrics.get(guarded.metric)) is None:
            raise UsageError(f"it has no {guarded.metric}: not as senbench writes it")
        if guarded.single:
            value = float(right(table).mean())
        else:
            value = float(precisions(table.scores, table.labels, None).estimate[0])
        if len(table.ids) != result.dataset.n_evaluated:
            raise UsageError(f"{len(table.ids):,} predictions for {result.dataset.n_evaluated} evaluated images")
        if figure.value is None or not abs(value - figure.value) <= baseline.ROUNDING:
            raise UsageError(f"its predictions give {guarded.metric} {value:.6f}, it says {figure.value}")
    except UsageError as error:
        what = str(error)
        raise UsageError(what if folder.name in what else f"result {folder.name}: {what}") from error
    return guarded


def of_run(candidates: Sequence[Guarded], key: tuple[str, ...], passed: Mapping[str, Any]) -> list[Guarded]:
    """Return the results of a run: those with the same other settings as passed, or else all with its key."""
    same = [one for one in candidates if baseline.key_of(one.result) == key]
    return [one for one in same if baseline.passed_of(one.result) == passed] or same


def moved(kept: BaselineRun, after: Guarded) -> list[Moved]:
    """Return every changed figure, end of an interval and class figure, and the share of changed answers."""
    before, now = _flat(kept.metrics, kept.classes), _flat(after.figures(), after.classes())
    changed = baseline.unpack(kept.answers, "u2", kept.n) != after.answers()
    before["share of images with another answer"] = 0.0
    now["share of images with another answer"] = float(changed.mean())
    changes = [Moved(name, before.get(name), now.get(name)) for name in dict.fromkeys((*before, *now))]
    new = {name for name in after.figures() if name not in kept.metrics}  # added by a later version: no change
    return [one for one in changes if one.before != one.after and one.name.split(" interval ")[0] not in new]


def _flat(
    figures: Mapping[str, baseline.GuardedFigure], classes: Mapping[str, float | None]
) -> dict[str, float | None]:
    """Return all numbers by name: figures, ends of their intervals, figures of the classes."""
    numbers: dict[str, float | None] = {}
    for name, figure in figures.items():
        ends = figure.ci or (None, None)
        numbers |= {name: figure.value, f"{name} interval low": ends[0], f"{name} interval high": ends[1]}
    return numbers | {f"class {key}": value for key, value in classes.items()}
