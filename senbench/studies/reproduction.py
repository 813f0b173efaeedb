"""Repeats published figures with their settings; a difference is given only if the whole protocol matches."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from senbench import protocols
from senbench.datasets import open as datasets
from senbench.datasets.radiometry import POLICIES
from senbench.errors import SenbenchError, UnavailableError, UsageError
from senbench.evaluation.data import open_data
from senbench.evaluation.grid import evaluate, run
from senbench.models import registry
from senbench.models.checkpoints import fetch
from senbench.prompts import senclip_release
from senbench.prompts.load import prompts_for
from senbench.prompts.vocabulary import vocabulary_for
from senbench.results.qualifications import qualifications
from senbench.runtime.access import Access
from senbench.runtime.progress import Progress, Silent
from senbench.schema.run_spec import RunSpec
from senbench.studies.configuration import Configuration, configuration_of, listed
from senbench.studies.explain_difference import Explanation, explain_configurations
from senbench.studies.rescoring import Rescorer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.schema.result import RunResult
    from senbench.studies.published_tables import Part, PublishedCell

_Z = 1.96


class Missing(NamedTuple):
    """Something that is missing for a cell to run."""

    kind: str
    """`weights`, `data` or `prompts`."""
    name: str
    """Model, dataset or style."""
    file: str
    """What to get, and from where."""
    size_mb: float | None
    """Approximate download size, or None."""
    command: str
    """How to get it."""
    why: str
    """What was not found."""


class Options(NamedTuple):
    """The user's options for all cells."""

    data_dir: str | None = None
    """Folder of the data."""
    weights: str | None = None
    """Checkpoint of the only model."""
    split: str | None = None
    """File with the publication's list of tiles."""
    limit: int | None = None
    """Number of tiles of a trial, which is never compared."""
    device: str = "auto"
    """Device by name."""
    results: str | None = "results"
    """Folder for result files; None writes nothing."""


@dataclass(frozen=True)
class Line:
    """One published figure next to the measured one.

    Attributes:
        cell: Name of the cell.
        source: Where it was published.
        metric: senbench's metric.
        published: Published value in 0..1.
        measured: Measured value, None if undefined.
        ci: Its 95 % interval.
        interval: Method of the interval.
        difference: Measured minus published; None unless the whole protocol key matches.
        tolerance: Share within which the two should agree.
        tolerance_why: Components of the tolerance.
        inside: Whether they agree; None without a difference.
        unlike: Why there is no difference.
        run_id: The run.
        notes: Qualifications of the measured figure.
    """

    cell: str
    source: str
    metric: str
    published: float
    measured: float | None
    ci: tuple[float, float] | None
    interval: str
    difference: float | None
    tolerance: float
    tolerance_why: str
    inside: bool | None
    unlike: tuple[str, ...]
    run_id: str
    notes: tuple[str, ...]


def missing(cells: Sequence[PublishedCell], options: Options) -> dict[str, list[Missing]]:
    """Return what is missing for each cell, by its name; nothing is downloaded.

    Args:
        cells: The cells.
        options: Folder of the data, checkpoint file, list of tiles.

    Raises:
        UsageError: One checkpoint is given for several models, or a file does not exist.
    """
    if options.weights is not None and len(models := dict.fromkeys(c.model for c in cells)) > 1:
        raise UsageError(f"--weights gives one file, but the cells have {len(models)} models: name one cell")
    if options.split is not None and (odd := next((c for c in cells if c.part.tiles is None), None)):
        raise UsageError(f"--split is for publications whose list is not shipped; {odd.name} does not need it")
    known: dict[tuple[str, str], Missing | None] = {}
    lacking: dict[str, list[Missing]] = {}
    for cell in cells:
        style = cell.part.styles.get(cell.prompts, "")
        looks = {
            ("weights", cell.model): partial(_weights, cell.model, options),
            ("data", cell.part.dataset): partial(_data, cell.part, options),
            ("prompts", f"{style} {cell.part.dataset}"): partial(_prompts, style, cell.part),
        }
        for key, look in looks.items():
            if key not in known:
                known[key] = look()
        lacking[cell.name] = [lack for key in looks if (lack := known[key]) is not None]
    return lacking


def _weights(model: str, options: Options) -> Missing | None:
    card = registry.find(model, offline=True)
    try:
        fetch.locate(card, Access(offline=True, weights=options.weights))
    except UnavailableError as error:
        source = card.weights
        where = f"{source.file} of {source.repo}" if source.repo else str(source.member or source.url)
        return Missing(
            "weights", model, where, source.size_mb, f"senbench models fetch {model}, or --weights FILE", str(error)
        )
    return None


def _data(part: Part, options: Options) -> Missing | None:
    spec = RunSpec(models=("",), prompts=("",), datasets=(part.dataset,), **_settings(part, options))
    try:
        open_data(spec, part.dataset, protocols.find(part.protocol), (), Silent(), located=False)
    except UnavailableError as error:
        title = datasets.dataset_info(part.dataset).title
        command = f"senbench datasets fetch {part.dataset}, or --data-dir DIR"
        return Missing("data", part.dataset, title, part.data_mb, command, str(error))
    return None


def _prompts(style: str, part: Part) -> Missing | None:
    if style not in senclip_release.STYLES:
        return None
    try:
        senclip_release.locate(style, datasets.dataset_info(part.dataset))
    except UnavailableError as error:
        return Missing("prompts", style, f"{senclip_release.ADDRESS}/", None, senclip_release.COMMAND, str(error))
    return None


def measure(
    cells: Sequence[PublishedCell], options: Options, progress: Progress | None = None
) -> list[tuple[PublishedCell, RunResult]]:
    """Run cells as published; images are embedded once per model.

    Args:
        cells: Cells for which nothing is missing.
        options: The user's options.
        progress: Displays progress.

    Raises:
        UsageError: A setting is wrong.
        UnavailableError: Data, weights or device are damaged.
    """
    display = progress or Silent()
    groups: dict[tuple[str, str, str], list[PublishedCell]] = {}
    for cell in cells:
        groups.setdefault((cell.model, cell.recipe.name, cell.part.part), []).append(cell)
    results: dict[str, RunResult] = {}
    for group in groups.values():
        part, model = group[0].part, group[0].model
        settings = _settings(part, options)
        if styled := [cell for cell in group if cell.prompts in part.styles]:
            styles = tuple(part.styles[cell.prompts] for cell in styled)
            spec = RunSpec(models=(model,), prompts=styles, datasets=(part.dataset,), **settings)
            results |= {cell.name: result for cell, result in zip(styled, run(spec, display), strict=True)}
        for cell in group:
            if cell.name not in results:
                texts = filled(part, part.templates[cell.prompts])
                results[cell.name] = evaluate(model, part.dataset, texts, progress=display, **settings)
    return [(cell, results[cell.name]) for cell in cells]


def _settings(part: Part, options: Options) -> dict[str, Any]:
    """Return the fields of `RunSpec` that the cells of a part share."""
    return {
        "protocol": part.protocol,
        "split": options.split or part.split,
        "class_names": part.class_names,
        "data_dir": options.data_dir,
        "weights": options.weights,
        "limit": options.limit,
        "device": options.device,
        "results": options.results,
        "offline": True,
    }


def filled(part: Part, template: str) -> dict[str, list[str]]:
    """Fill one template with every class name of a part: class key -> its only prompt."""
    info = datasets.dataset_info(part.dataset)
    if part.names:
        return {key: [template.replace("{}", name)] for key, name in zip(info.classes, part.names, strict=True)}
    names = part.class_names or protocols.find(part.protocol).on(info).class_names
    vocabulary, chosen = vocabulary_for(info, names)
    named = {e.key: e.names[chosen or vocabulary.default_names] for e in vocabulary.classes}
    return {key: [template.replace("{}", named[key])] for key in info.classes}


def lines(cell: PublishedCell, result: RunResult, *, own_list: bool) -> list[Line]:
    """Return the published figures of a cell next to the measured ones.

    Args:
        cell: The cell.
        result: Its run.
        own_list: Whether the user passed the publication's list of tiles.
    """
    out = []
    for row in cell.rows:
        unlike = differing(cell, row, result, own_list=own_list)
        for metric in cell.part.metrics[row["metric"]]:
            figure, value = result.metrics[metric], float(row["value"]) / 100
            tolerance, why = tolerated(cell.part, row, result.dataset.n_evaluated, own_list=own_list)
            difference = None if unlike or figure.value is None else figure.value - value
            out.append(
                Line(
                    cell=cell.name,
                    source=row["source"],
                    metric=metric,
                    published=value,
                    measured=figure.value,
                    ci=figure.ci,
                    interval=figure.interval,
                    difference=difference,
                    tolerance=tolerance,
                    tolerance_why=why,
                    inside=None if difference is None else abs(difference) <= tolerance,
                    unlike=unlike,
                    run_id=result.run_id,
                    notes=tuple(one.line for one in qualifications(result) if one.sentence not in unlike),
                )
            )
    return out


def differing(cell: PublishedCell, row: dict[str, str], result: RunResult, *, own_list: bool) -> tuple[str, ...]:
    """Return the parts of the protocol key in which the published figure and the run may differ."""
    part, n = cell.part, result.dataset.n_evaluated
    unlike = list(part.unlike)
    if part.tiles is not None and not own_list:
        unlike.append(f"split: {part.tiles}, which is not shipped, here {result.dataset.split}; give it: --split FILE")
    if not result.complete:
        unlike.append(f"n: incomplete, {n:,} of {result.dataset.n_expected:,} tiles")
    if row["n"] and int(row["n"]) != n:
        unlike.append(f"n: {int(row['n']):,} published, {n:,} here")
    unlike += [one.sentence for one in qualifications(result) if one.code == "unknown-origin"]
    declared = {"split"} if own_list else set()
    if part.class_names is not None:
        declared.add("class_names")
    if part.names:
        declared.add("prompts")
    unlike += [f"{name}: not as published" for name in result.resolved.overrides if name not in declared]
    return tuple(unlike)


def tolerated(part: Part, row: dict[str, str], n: int, *, own_list: bool) -> tuple[float, str]:
    """Return the tolerance between a published and a measured figure, in 0..1, and its components.

    These are the rounding of the table and the declared numeric allowance; on another list of tiles of the same
    population also the sampling error of two draws without replacement, 1.96 sqrt(2 p (1 - p) / n (1 - n / N)).
    """
    rounding = 0.5 * 10.0 ** -(len(row["value"].partition(".")[2]) + 2)
    parts = [(rounding, "rounding of the table"), (part.numeric / 100, "versions, device and precision (declared)")]
    if part.tiles is not None and not own_list and part.population is not None:
        p = float(row["value"]) / 100
        error = math.sqrt(2 * p * (1 - p) / n * max(1 - n / part.population, 0.0))
        parts.append((_Z * error, f"sampling of two lists of {n:,} tiles"))
    return sum(v for v, _ in parts), " + ".join(f"{100 * v:.2g} {why}" for v, why in parts)


def to_standard(
    cell: PublishedCell, result: RunResult, options: Options, progress: Progress | None = None
) -> Explanation:
    """Attribute the difference between the published settings and the protocol `standard`.

    Args:
        cell: The cell.
        result: Its run.
        options: As in `measure`.
        progress: Displays progress.

    Raises:
        SenbenchError: The run cannot be repeated.
    """
    a = configuration_of(result)
    b = standard_end(a, cell)
    weights = [options.weights] if options.weights is not None else []
    places = dict.fromkeys((a.dataset, b.dataset), options.data_dir)
    bench = Rescorer(weights, places, options.device, progress or Silent())
    hashes = (result.dataset.index_hash, None)
    explanation = explain_configurations(a, b, bench, names=(cell.name, "standard"), index_hashes=hashes)
    return replace(explanation, recorded={result.headline: (result.metrics[result.headline].value, None)})


def standard_end(a: Configuration, cell: PublishedCell) -> Configuration:
    """Return the same experiment with the protocol `standard`; a trial keeps its number of tiles.

    A second card of a file is compared with the first one, whose id has no suffix.
    """
    want = cell.part.standard
    first = {second: model for model, second in cell.recipe.also.items()}
    card = registry.find(first[cell.model], offline=True) if cell.model in first else a.card
    info = datasets.dataset_info(want.dataset)
    protocol = protocols.find("standard")
    prompts = prompts_for(want.styles[cell.prompts], info, None)
    return replace(
        a,
        card=card,
        preprocess=card.preprocess,
        dataset=info.id,
        radiometry=info.radiometry if info.radiometry in POLICIES else None,
        labels="own",
        dn_offset="auto",
        bands=None,
        split=listed(info.id, info.default_split),
        draw="standard",
        words=prompts,
        names=prompts.class_names,
        ensemble=protocol.ensemble,
        postprocess=protocol.postprocess,
        headline=protocol.on(info).headline,
    )


def attempt(
    cell: PublishedCell, result: RunResult, options: Options, progress: Progress | None = None
) -> Explanation | str:
    """Like `to_standard`, but return the reason if it is impossible."""
    try:
        return to_standard(cell, result, options, progress)
    except SenbenchError as error:
        return str(error)
