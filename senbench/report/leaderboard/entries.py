"""Result folders reduced to what pages show and paired tests need, one at a time."""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError
from senbench.report.citation.rerun_command import command
from senbench.report.numbers import basis
from senbench.results import few_shot_text, qualifications, store
from senbench.results.paired_inputs import Paired, read
from senbench.results.predictions import BETWEEN
from senbench.schema.blocks import ModelBlock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from senbench.results.qualifications import Qualification
    from senbench.schema.result import Metric, RunResult

    Each = Callable[[Path], Iterator[tuple[RunResult, Path]]]

DIGITS = 5
"""Decimals of a figure in 0..1 on a page: a thousandth of a percent."""
PICTURES_PER_CLASS = 3
PICTURE_BYTES = 1_000_000
"""Pictures of a page in all; runs that come after get none."""
NAMED = {
    "id",
    "family",
    "title",
    "activation",
    "synthetic",
    "verified",
    "weights",
    "weights_sha256",
    "weights_revision",
}
"""What an entry keeps of its model."""
VARIES = {"skipped", "rendering", "pixels", "source", "packed", "content_hash"}
"""What may differ between runs on the same images, or is told elsewhere."""


class Shared:
    """Values that many runs share, each kept once and named by its place."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """Place of a JSON value, equal ones at the same."""
        key = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


@dataclass
class Tables:
    """What the rows of runs point into."""

    words: Shared = field(default_factory=Shared)
    """Prompts, labels of intervals, warnings."""
    models: Shared = field(default_factory=Shared)
    data: Shared = field(default_factory=Shared)
    packs: Shared = field(default_factory=Shared)
    settings: Shared = field(default_factory=Shared)
    machines: Shared = field(default_factory=Shared)
    pictures: Shared = field(default_factory=Shared)
    """WebP images in base64."""
    picture_bytes: int = 0

    def values(self) -> dict[str, list[Any]]:
        """All values by the name of their table."""
        return {name: shared.values for name, shared in vars(self).items() if isinstance(shared, Shared)}


@dataclass(frozen=True)
class LeaderboardEntry:
    """One run: what places it on a board, what a paired test needs, and the row of a page.

    Attributes:
        result: The run without the texts of its prompts, its confusion and other long parts.
        changed: Settings that differ from the protocol, reduced precision among them.
        row: What the page keeps of the run (`payload`).
        paired: What a paired test needs.
        qualifications: What stands against the figure.
        folder: Folder of the result, None where there is none.
    """

    result: RunResult
    changed: tuple[str, ...]
    row: dict[str, Any]
    paired: Paired
    qualifications: tuple[Qualification, ...]
    folder: Path | None

    @property
    def model(self) -> str:
        """The weights that were run, so that the styles and ensembles of one model are found."""
        return f"{self.result.model.id} {self.result.model.weights_sha256}"

    @property
    def style(self) -> str:
        """Prompt style, or the name of the user's file."""
        return self.result.prompts.id

    @property
    def shipped(self) -> bool:
        """Whether the prompts are those of a shipped style."""
        return self.result.prompts.source.startswith("builtin:")

    def declared(self, style: str | None) -> bool:
        """Whether its prompts are those that were declared to be ranked: a shipped style, or as recorded elsewhere."""
        recorded = self.result.recorded
        return self.style == style and (self.shipped if recorded is None else recorded.declared)

    @property
    def value(self) -> float | None:
        """The headline figure."""
        return self.result.metrics[self.result.headline].value

    @property
    def status(self) -> str:
        """The section of the board: the last that applies."""
        found = {one.code: one for one in self.qualifications}
        if "incomplete" in found:
            return "incomplete"
        if "unknown-origin" in found:
            return "unknown origin"
        if {"synthetic-tiles", "synthetic-model"} & set(found):
            return "synthetic"
        if not self.result.zero_shot:
            return "not zero-shot"
        return "changed" if self.changed else "as declared"

    @property
    def apart(self) -> str | None:
        """Why the run stands in no comparison of the board, whatever its prompts; None: it does."""
        if self.status == "incomplete":
            return "incomplete"
        if self.status == "unknown origin":
            return "weights of unknown origin"
        return f"{', '.join(self.changed)} not as the protocol defines" if self.changed else None


def read_all(
    folder: Path, say: Callable[[str], None] = lambda line: None, each: Each = store.each
) -> tuple[list[LeaderboardEntry], Tables]:
    """Reduce all results under a folder; one whole result is in memory at a time.

    Trial runs (`--limit`) are left out, unless there is nothing else.

    Args:
        folder: Results folder.
        say: Shows a line: how many results were left out, and why.
        each: Gives the results of the folder that are wanted.

    Raises:
        UsageError: The folder holds no results, a malformed one, or one whose predictions do not give its figure.
        UnavailableError: A file is damaged.
    """
    tables = Tables()
    entries: list[LeaderboardEntry] = []
    trials: list[Path] = []
    for result, path in each(folder):
        if result.trial:
            trials.append(path)
        else:
            entries.append(_reduced(result, path, tables))
    n = len(trials)
    runs = f"{n} trial run{'s' * (n > 1)} (--limit)"
    if trials and entries:
        say(f"{runs} left out: incomplete, never ranked; `senbench results list` shows them, `results rm` removes them")
    elif trials:
        say(f"{runs} and no other results: shown as incomplete, never ranked")
        entries = [_reduced(store.load(path), path, tables) for path in trials]
    return entries, tables


def _reduced(result: RunResult, path: Path, tables: Tables) -> LeaderboardEntry:
    try:
        return reduce(result, path, tables)
    except KeyError as error:
        raise UsageError(f"result {path}: field {error} is missing; it was not written by `senbench run`") from error


def reduce(result: RunResult, folder: Path | None, tables: Tables) -> LeaderboardEntry:
    """One result as an entry.

    Args:
        result: The result.
        folder: Its folder, with predictions and pictures; None: there are none.
        tables: Filled with what the result shares with others.
    """
    model, data, clusters = result.model, result.dataset, result.clustering
    reduced = result.environment.dtype != qualifications.CANONICAL and result.recorded is None
    changed = (*result.resolved.overrides, *(["dtype"] if reduced else ()))
    found = qualifications.qualifications(result)
    row = {
        "id": result.run_id,
        "name": tables.words.place(qualifications.model_name(result)),
        "marks": [[one.code, *map(tables.words.place, (one.label, one.sentence))] for one in found],
        "model": tables.models.place(model.model_dump(mode="json")),
        "data": tables.data.place(data.model_dump(mode="json", exclude=VARIES)),
        "pack": tables.packs.place(_pack(result, tables)),
        "how": tables.settings.place(_settings(result)),
        "machine": tables.machines.place(result.environment.model_dump(mode="json")),
        "version": tables.words.place(result.senbench_version),
        "created": result.created,
        "source": tables.words.place(data.source),
        "content": data.content_hash,
        "skipped": len(data.skipped),
        "grade": tables.words.place(result.contamination),
        "figures": {name: _figure(m, tables) for name, m in result.metrics.items()},
        "recalls": [_rounded(c.recall_ci) for c in result.per_class],
        "recallhow": _once([tables.words.place(c.recall_interval) for c in result.per_class]),
        "confusion": [v for line in result.confusion for v in line],
        "bins": [[b.n, *_rounded((b.confidence, b.accuracy))] for b in result.reliability],
        "labels": [[c.support, *_rounded((c.average_precision, *(c.ci or (None, None))))] for c in result.per_label],
        "groups": [
            [tables.words.place(g.group), g.n, g.labels, rounded(g.prevalence), *_figure(g.map_macro, tables)]
            for g in result.groups
        ],
        "anchors": _anchors(result, tables),
        "labels_saved": _labels_saved(result, tables),
        "clusters": clusters and [clusters.clusters, round(clusters.effective, 1), rounded(clusters.design_effect)],
        "basis": tables.words.place(told) if (told := basis(clusters)) else None,
        "unlabelled": result.n_unlabelled,
        "ties": result.ties,
        "rate": result.timings.images_per_second,
        "warnings": [tables.words.place(note) for note in qualifications.notes(result)],
        "command": command(result),
        "pictures": [] if folder is None else _pictures(result, folder, tables),
    }
    short: dict[str, Any] = dict.fromkeys(("confusion", "per_class", "per_label", "groups", "reliability"), ())
    short |= {"replicates": {}, "prompts": result.prompts.model_copy(update={"texts": {}, "names": ()})}
    short["model"] = ModelBlock.of(model.model_dump(include=NAMED))
    return LeaderboardEntry(
        result=result.model_copy(update=short),
        changed=changed,
        row=row,
        paired=read(result, folder),
        qualifications=found,
        folder=folder,
    )


def _pack(result: RunResult, tables: Tables) -> dict[str, Any]:
    pack = result.prompts
    texts = [[tables.words.place(text) for text in lines] for lines in pack.texts.values()]
    return {**pack.model_dump(mode="json", exclude={"texts"}), "keys": list(pack.texts), "texts": texts}


def _settings(result: RunResult) -> dict[str, Any]:
    """What was done, without what names the cell."""
    how = result.resolved.model_dump(mode="json", exclude={"model", "dataset", "prompts", "headline", "note"})
    return {**how, "access_level": result.access_level, "seed": result.spec.seed}


def _once(places: list[int]) -> list[int]:
    """One entry for all classes where it is the same for each."""
    return places[:1] if len(set(places)) == 1 else places


def rounded(value: float | None) -> float | None:
    """A figure as a page holds it; None where it is undefined."""
    return None if value is None or not math.isfinite(value) else round(value, DIGITS)


def _rounded(values: Iterable[float | None] | None) -> list[float | None]:
    return [] if values is None else [rounded(v) for v in values]


def _figure(figure: Metric, tables: Tables) -> list[Any]:
    """Value, both ends of the interval, how the interval was made, and a level of its own if it has one."""
    ends = figure.ci or (None, None)
    out = [*_rounded((figure.value, *ends)), tables.words.place(figure.interval)]
    return out if figure.access_level is None else [*out, figure.access_level]


def _anchors(result: RunResult, tables: Tables) -> list[Any] | None:
    """Split and size of the training data, then title, metric and figure of each supervised classifier."""
    if (found := result.anchors) is None:
        return None
    classifiers = [[c.title, c.metric, *_figure(c.figure, tables)] for c in found.classifiers]
    return [found.split, found.n_train, classifiers]


def _labels_saved(result: RunResult, tables: Tables) -> list[Any] | None:
    """Words on it; images per class, mean and both ends by method and size; how many reach the figure by method."""
    if (found := result.labels_saved) is None:
        return None
    told = [tables.words.place(line) for line in few_shot_text.sentences(result)]
    curves = [
        [title, [[one.shots, *_rounded((one.value, *one.ci))] for one in figures]]
        for title, figures in few_shot_text.curves(found).items()
    ]
    return [told, curves, [list(pair) for pair in few_shot_text.numbers(found).items()]]


def _pictures(result: RunResult, folder: Path, tables: Tables) -> list[Any]:
    """A few pictures per class, `[class, [[tile, picture], ...]]` in label order; each picture under one class."""
    if tables.picture_bytes >= PICTURE_BYTES:
        return []
    by_class: dict[str, list[list[Any]]] = {key: [] for key in result.dataset.classes}
    for name, (label, data) in store.read_thumbnails(folder).items():
        own = [key for key in (label, *label.split(BETWEEN)) if key in by_class]
        fewest = min(own, key=lambda key: len(by_class[key]), default=None)
        if fewest is None or len(by_class[fewest]) >= PICTURES_PER_CLASS:
            continue
        before = len(tables.pictures.values)
        place = tables.pictures.place(base64.b64encode(data).decode())
        if len(tables.pictures.values) > before:
            tables.picture_bytes += len(data)
        by_class[fewest].append([name, place])
    return [[key, found] for key, found in by_class.items() if found]
