"""Reduces result folders, one at a time, to what pages show and paired tests need."""

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
"""Decimals of a figure in 0..1 on a page, i.e. a thousandth of a percent."""
PICTURES_PER_CLASS = 3
PICTURE_BYTES = 1_000_000
"""Most pictures of a page; later runs have none."""
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
"""Fields of the model that an entry keeps."""
VARIES = {"skipped", "rendering", "pixels", "source", "packed", "content_hash"}
"""Fields of the dataset that may differ between runs on the same images, or are stated elsewhere."""


class Shared:
    """A table of values shared by many runs; each is stored once and referred to by its index."""

    def __init__(self) -> None:
        self.values: list[Any] = []
        self._places: dict[str, int] = {}

    def place(self, value: Any) -> int:
        """Return the index of a JSON value; equal values have the same index."""
        key = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
        if key not in self._places:
            self._places[key] = len(self.values)
            self.values.append(value)
        return self._places[key]


@dataclass
class Tables:
    """The tables to which the rows of runs refer."""

    words: Shared = field(default_factory=Shared)
    """Texts: prompts, labels of intervals, warnings."""
    models: Shared = field(default_factory=Shared)
    data: Shared = field(default_factory=Shared)
    packs: Shared = field(default_factory=Shared)
    settings: Shared = field(default_factory=Shared)
    machines: Shared = field(default_factory=Shared)
    pictures: Shared = field(default_factory=Shared)
    """WebP images in base64."""
    picture_bytes: int = 0

    def values(self) -> dict[str, list[Any]]:
        """Return all values by the name of their table."""
        return {name: shared.values for name, shared in vars(self).items() if isinstance(shared, Shared)}


@dataclass(frozen=True)
class LeaderboardEntry:
    """One run: its place on a board, its inputs to paired tests, and its row on a page.

    Attributes:
        result: The result without prompt texts, confusion matrix and other long parts.
        changed: Settings that differ from the protocol, reduced precision among them.
        row: The run's row on the page (`payload`).
        paired: Inputs of paired tests.
        qualifications: Qualifications of the figure.
        folder: Folder of the result, or None.
    """

    result: RunResult
    changed: tuple[str, ...]
    row: dict[str, Any]
    paired: Paired
    qualifications: tuple[Qualification, ...]
    folder: Path | None

    @property
    def model(self) -> str:
        """Return an identifier of the weights, which groups the styles and ensembles of one model."""
        return f"{self.result.model.id} {self.result.model.weights_sha256}"

    @property
    def style(self) -> str:
        """Return the prompt style, or the name of the user's file."""
        return self.result.prompts.id

    @property
    def shipped(self) -> bool:
        """Return whether the prompts are those of a shipped style."""
        return self.result.prompts.source.startswith("builtin:")

    def declared(self, style: str | None) -> bool:
        """Return whether its prompts are those declared for ranking: a shipped style, or as recorded elsewhere."""
        recorded = self.result.recorded
        return self.style == style and (self.shipped if recorded is None else recorded.declared)

    @property
    def value(self) -> float | None:
        """The headline figure."""
        return self.result.metrics[self.result.headline].value

    @property
    def status(self) -> str:
        """Return the section of the board: the last one that applies."""
        by_code = {one.code: one for one in self.qualifications}
        if "incomplete" in by_code:
            return "incomplete"
        if "unknown-origin" in by_code:
            return "unknown origin"
        if {"synthetic-tiles", "synthetic-model"} & set(by_code):
            return "synthetic"
        if not self.result.zero_shot:
            return "not zero-shot"
        return "changed" if self.changed else "as declared"

    @property
    def apart(self) -> str | None:
        """Return why the run takes part in no comparison, regardless of its prompts; None if it does."""
        if self.status == "incomplete":
            return "incomplete"
        if self.status == "unknown origin":
            return "weights of unknown origin"
        return f"{', '.join(self.changed)} not as the protocol defines" if self.changed else None


def read_all(
    folder: Path, say: Callable[[str], None] = lambda line: None, each: Each = store.each
) -> tuple[list[LeaderboardEntry], Tables]:
    """Reduce all results under a folder; only one complete result is in memory at a time.

    Trial runs (`--limit`) are left out, unless there are no others.

    Args:
        folder: Results folder.
        say: Called with a line that says how many results were left out, and why.
        each: Yields the results of the folder to include.

    Raises:
        UsageError: The folder has no results, a malformed one, or one whose predictions do not give its figure.
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
    """Reduce one result to an entry.

    Args:
        result: The result.
        folder: Its folder with predictions and pictures; None if there are none.
        tables: Shared tables, to which the values of the result are added.
    """
    model, data, clusters = result.model, result.dataset, result.clustering
    reduced = result.environment.dtype != qualifications.CANONICAL and result.recorded is None
    changed = (*result.resolved.overrides, *(["dtype"] if reduced else ()))
    caveats = qualifications.qualifications(result)
    row = {
        "id": result.run_id,
        "name": tables.words.place(qualifications.model_name(result)),
        "marks": [[one.code, *map(tables.words.place, (one.label, one.sentence))] for one in caveats],
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
        "basis": tables.words.place(basis_text) if (basis_text := basis(clusters)) else None,
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
        qualifications=caveats,
        folder=folder,
    )


def _pack(result: RunResult, tables: Tables) -> dict[str, Any]:
    pack = result.prompts
    texts = [[tables.words.place(text) for text in lines] for lines in pack.texts.values()]
    return {**pack.model_dump(mode="json", exclude={"texts"}), "keys": list(pack.texts), "texts": texts}


def _settings(result: RunResult) -> dict[str, Any]:
    """Return the settings, without those that name the cell."""
    settings = result.resolved.model_dump(mode="json", exclude={"model", "dataset", "prompts", "headline", "note"})
    return {**settings, "access_level": result.access_level, "seed": result.spec.seed}


def _once(places: list[int]) -> list[int]:
    """Reduce the entries of all classes to one if they are equal."""
    return places[:1] if len(set(places)) == 1 else places


def rounded(value: float | None) -> float | None:
    """Round a figure as on a page; None if it is undefined."""
    return None if value is None or not math.isfinite(value) else round(value, DIGITS)


def _rounded(values: Iterable[float | None] | None) -> list[float | None]:
    return [] if values is None else [rounded(v) for v in values]


def _figure(figure: Metric, tables: Tables) -> list[Any]:
    """Return value, both ends of the interval, its method, and the figure's own access level if it has one."""
    ends = figure.ci or (None, None)
    out = [*_rounded((figure.value, *ends)), tables.words.place(figure.interval)]
    return out if figure.access_level is None else [*out, figure.access_level]


def _anchors(result: RunResult, tables: Tables) -> list[Any] | None:
    """Return split and size of the training data, then title, metric and figure of each supervised classifier."""
    if (anchors := result.anchors) is None:
        return None
    classifiers = [[c.title, c.metric, *_figure(c.figure, tables)] for c in anchors.classifiers]
    return [anchors.split, anchors.n_train, classifiers]


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
    """Return a few pictures per class, `[class, [[tile, picture], ...]]` in label order; each picture once."""
    if tables.picture_bytes >= PICTURE_BYTES:
        return []
    by_class: dict[str, list[list[Any]]] = {key: [] for key in result.dataset.classes}
    for name, (label, data) in store.read_thumbnails(folder).items():
        keys = [key for key in (label, *label.split(BETWEEN)) if key in by_class]
        fewest = min(keys, key=lambda key: len(by_class[key]), default=None)
        if fewest is None or len(by_class[fewest]) >= PICTURES_PER_CLASS:
            continue
        before = len(tables.pictures.values)
        place = tables.pictures.place(base64.b64encode(data).decode())
        if len(tables.pictures.values) > before:
            tables.picture_bytes += len(data)
        by_class[fewest].append([name, place])
    return [[key, found] for key, found in by_class.items() if found]
