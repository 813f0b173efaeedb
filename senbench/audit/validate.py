"""Is a stranger's result what it says? The layout, then every figure again from the predictions."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import ValidationError

from senbench.datasets.distances import by_size
from senbench.errors import SenbenchError, UsageError
from senbench.results import predictions
from senbench.results.run_id import run_id
from senbench.results.store import read_json
from senbench.schema.prompt_set import PromptSet
from senbench.schema.record import Record, first_error
from senbench.schema.result import SCHEMA_VERSION, RunResult
from senbench.schema.run_spec import RunSpec
from senbench.scoring.multi_label.evaluate import score_multi_label
from senbench.scoring.multi_label.thresholds import Thresholds
from senbench.scoring.postprocess import Scoring, access_level
from senbench.scoring.sample import Sample
from senbench.scoring.single_label.evaluate import score_single_label

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from senbench.results.predictions import Predictions
    from senbench.schema.result import Metric

N = TypeVar("N", bound=Record)
MAX_BYTES = 32 << 20
"""Largest `result.json` that is read."""
MAX_CLASSES = 10_000
TOLERANCE = 1e-6
"""Largest difference of a figure made again from the predictions."""
CI_TOLERANCE = 0.005
"""Largest difference of an end of its interval: another version of numpy may draw other resamples."""
UNTOLD = {"ci", "recall_ci", "recall_interval", "threshold"}
"""Fields of a class's figures that the rows alone do not give again."""
CALIBRATION = ("nll", "brier", "ece", "ece_l1")
FILES = ("result.json", predictions.FILE, "thumbnails.parquet")
PRIVATE = re.compile(
    r"^/(?!/)|(?:^|[\s'\"=(:,])(?:/(?!/)[^/\s]+/|[A-Za-z]:[\\/]|\\\\|~[\w.-]*[\\/]|file:)"
    r"|/(?:home|Users|root)/|[\w.+-]+@[\w-]+\.[a-z]{2,}"
)
"""A path that begins at the root, a drive or a home folder; an e-mail address."""


def validate(path: Path) -> list[str]:
    """Everything that is wrong with one result, one line each; empty: nothing was found.

    Args:
        path: Result folder, or its `result.json`. Nothing in it is trusted or executed.

    Returns:
        Findings. If the layout is wrong, only that: figures are looked at only in a result that has them.
    """
    folder = path if path.is_dir() else path.parent
    try:
        result = read(folder / "result.json" if path.is_dir() else path)
    except UsageError as error:
        return [str(error)]
    found = [*_about(folder, result), *private(result)]
    try:
        table = predictions.read(folder, result)
        return [*found, *_rows(result, table), *_figures(result, table)]
    except UsageError as error:
        return [*found, str(error)]


def read(path: Path) -> RunResult:
    """A stranger's `result.json`, strictly: no other types than those of the schema, no repeated or unknown fields.

    Raises:
        UsageError: What is wrong, with the field.
    """
    strictly = {"object_pairs_hook": _unique, "parse_constant": _no_constant}
    data = read_json(path, "result.json", "; give a result folder or its result.json", MAX_BYTES, **strictly)
    version = data.get("schema_version") if isinstance(data, dict) else None
    if type(version) is not int:
        raise UsageError(f"result.json has schema version {version!r}; this is not a result of senbench")
    if version != SCHEMA_VERSION:
        do = "update senbench" if version > SCHEMA_VERSION else "run it again with this version"
        raise UsageError(f"result.json has schema version {version}, this senbench reads {SCHEMA_VERSION}: {do}")
    result = _strict(RunResult, json.dumps(data), "").ordered_as(data)
    _strict(RunSpec, result.spec.model_dump_json(), "spec.")
    _strict(PromptSet, result.prompts.model_dump_json(exclude={"n"}), "prompts.")
    if not 2 <= (n := len(result.dataset.classes)) <= MAX_CLASSES:
        raise UsageError(f"result.json: field dataset.classes: {n:,} classes, expected 2 to {MAX_CLASSES:,}")
    return result


def _strict(kind: type[N], text: str, prefix: str) -> N:
    try:
        return kind.model_validate_json(text, strict=True)
    except ValidationError as error:
        raise UsageError(f"result.json: {first_error(error, prefix)}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a field is there twice among {', '.join(sorted(found))[:80]}")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")


def _about(folder: Path, result: RunResult) -> Iterator[str]:
    """What the result says of itself, without looking at the rows."""
    from senbench.prompts.load import prompt_hash

    prompts, classes = result.prompts, list(result.dataset.classes)
    n, expected = result.dataset.n_evaluated, result.dataset.n_expected
    if folder.name != result.run_id:
        yield f"folder {folder.name!r} is not named by the run id {result.run_id!r}"
    if strange := sorted(p.name for p in folder.iterdir() if p.name not in FILES):
        yield f"file {strange[0]!r} does not belong to a result: {', '.join(FILES)}"
    if not 0 < n <= expected:
        yield f"n_evaluated {n} of n_expected {expected}"
    if result.complete is not (n == expected):
        yield f"complete is {result.complete}, but {n:,} of {expected:,} tiles were evaluated"
    if len(set(classes)) < len(classes):
        yield "dataset.classes holds a class twice"
    if list(prompts.texts) != classes or len(prompts.names) != len(classes):
        yield "prompts.texts are not those of dataset.classes, in order"
    if prompts.hash != prompt_hash(prompts.texts):
        yield "prompts.hash is not that of prompts.texts"
    if prompts.n != sum(len(lines) for lines in prompts.texts.values()):
        yield f"prompts.n {prompts.n} is not the number of prompts"
    if result.headline not in result.metrics:
        yield f"headline {result.headline!r} is not among the metrics"
    for name in ("protocol", "ensemble", "postprocess", "headline"):
        if (own := getattr(result.resolved, name)) != (stated := getattr(result, name)):
            yield f"{name} is {stated!r}, resolved.{name} {own!r}"
    if result.access_level != (level := access_level(result.ensemble, result.postprocess)):
        yield f"access_level {result.access_level}, but {result.ensemble} with {result.postprocess} is level {level}"
    yield from _known(result)


def _known(result: RunResult) -> Iterator[str]:
    """What shipped cards and datasets say of the same names."""
    from senbench.datasets.open import dataset_info
    from senbench.models import card_files, registry
    from senbench.schema import contamination

    data = result.dataset
    if data.id.startswith("folder:"):
        return
    try:
        info = dataset_info(data.id)
    except SenbenchError:
        return
    for name in ("task", "synthetic", "classes"):
        if getattr(data, name) != getattr(info, name):
            yield f"dataset.{name} is not that of {info.id}"
    drawn = result.protocol == "senclip-release"  # a sample of the split
    if not drawn and data.split in info.splits and data.n_expected != info.splits[data.split]:
        yield f"n_expected {data.n_expected}: {info.id} {data.split} has {info.splits[data.split]:,} tiles"
    try:
        card = registry.find(result.model.id, offline=True)
    except SenbenchError:
        return
    stated, told = card_files.portable(card), result.model.model_dump(mode="json")
    if odd := [k for k in stated if told.get(k) != stated[k] and k not in ("fingerprint", "verified", "note")]:
        yield f"model.{odd[0]} is not that of the card {card.id}"
    pinned = result.model.weights_sha256 in (card.weights.sha256, *card.weights.also_sha256)
    given = result.spec.weights is not None and not pinned
    if result.contamination != (grade := contamination.grade(card, info, given=given)):
        yield f"contamination is {result.contamination!r}, the card {card.id} says {grade!r}"


def private(result: RunResult) -> Iterator[str]:
    """Absolute paths and addresses of people, wherever they are."""
    for at, text in _strings(result.model_dump(mode="json"), ""):
        if not at.startswith(".model.") and PRIVATE.search(text):  # a model has addresses of releases
            yield (
                f"{at[1:]} holds {text[:60]!r}, which looks like a path or an address of a person: run it again from "
                "the folder with the data, with relative paths"
            )


def _strings(value: Any, at: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield at, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield f"{at}.{key[:40]}", key
            yield from _strings(inner, f"{at}.{key[:40]}")
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            yield from _strings(inner, f"{at}.{i}")


def _rows(result: RunResult, table: Predictions) -> Iterator[str]:
    """Rows against what the result says of them."""
    from senbench.datasets.tiles import index_hash

    n, data = len(table.ids), result.dataset
    if n != data.n_evaluated:
        yield f"{predictions.FILE} has {n:,} rows, n_evaluated is {data.n_evaluated:,}"
    if again := n - len(set(table.ids)):
        yield f"{predictions.FILE}: {again:,} ids are there more than once"
    if index_hash(table.ids, table.labels, data.classes) != data.index_hash:
        yield "dataset.index_hash is not that of the ids and labels of the rows"
    seed, dtype = result.spec.seed, result.environment.dtype
    own = run_id(result.model, data, result.prompts, result.resolved, dtype, seed, table.scores)
    if own != result.run_id:
        yield f"run_id is {result.run_id!r}; its settings and hashes give {own!r}"


def _figures(result: RunResult, table: Predictions) -> Iterator[str]:
    """Every figure that follows from the rows, made again."""
    if not np.isfinite(table.scores).all():
        yield f"{predictions.FILE}: {int((~np.isfinite(table.scores)).sum()):,} scores are not finite"
        return
    plain = result.postprocess == "none" and result.ensemble not in ("max", "dap")
    calibrated = any(m.value is not None for k, m in result.metrics.items() if k in CALIBRATION)
    if unknown := plain and calibrated and result.logit_scale is None:
        yield "logit_scale is missing, so that nll, brier and ece cannot be made again: run it with this version"
    sizes = None  # of results of before they were the method
    if result.clustering is not None and result.clustering.by_size and table.clusters is not None:
        sizes = by_size(table.clusters, table.ids)
    sample = Sample(table.labels, result.dataset.classes, table.clusters, by_size=sizes)
    scoring = Scoring(
        "prob-mean" if result.ensemble == "prob-mean" else "norm-mean-norm",
        logit_scale=result.logit_scale if plain else None,
        logit_bias=result.logit_bias if plain else None,
    )
    names, seed = result.prompts.names, result.spec.seed
    if table.predicted is not None:
        wilson = any(c.recall_interval for c in result.per_class)  # else of before it was the method
        made = score_single_label(table.scores, sample, scoring, class_names=names, wilson=wilson, seed=seed)
        bins = ("reliability",) if result.reliability else ()  # results of before they were kept have none
        sized = ("clustering",) if result.clustering is not None and not result.access_level else ()
        for name in ("confusion", *bins, *sized, "per_class"):
            yield from _compare(name, getattr(result, name), getattr(made, name))
        if wrong := int((table.predicted != made.predictions).sum()):
            yield f"{predictions.FILE}: prediction is not the class with the best score in {wrong:,} rows"
    else:
        thresholds = _thresholds(result)
        made = score_multi_label(table.scores, sample, scoring, class_names=names, thresholds=thresholds, seed=seed)
        for name in ("per_label", "replicates", "n_unlabelled", "clustering"):
            yield from _compare(name, getattr(result, name), getattr(made, name))
    yield from _compare("lines", result.lines, made.lines)
    yield from _compare("ties", result.ties, made.ties)
    yield from _metrics(result, made.metrics, skip=CALIBRATION if unknown else ())


def _thresholds(result: RunResult) -> Thresholds | None:
    if "f1_macro_tuned" not in result.metrics or result.metrics["f1_macro_tuned"].value is None:
        return None
    values = [np.inf if entry.threshold is None else entry.threshold for entry in result.per_label]
    return Thresholds(np.array(values, np.float32), "", np.full(len(values), np.nan))


def _metrics(result: RunResult, own: Mapping[str, Metric], skip: tuple[str, ...]) -> Iterator[str]:
    later = () if any(c.recall_interval for c in result.per_class) else ("ece_l1",)  # results of before have none
    if odd := sorted((set(own) ^ set(result.metrics)).difference(later)):
        yield f"metrics.{odd[0]} is {'not expected' if odd[0] in result.metrics else 'missing'}"
    for name in (k for k in result.metrics if k in own and k not in skip):
        stated, made = result.metrics[name], own[name]
        yield from _compare(f"metrics.{name}", stated.value, made.value)
        yield from _compare(f"metrics.{name}.n", stated.n, made.n)
        if result.access_level or stated.ci is None:  # its ends depend on more than the rows, or there are none
            continue
        if made.ci is None or not np.allclose(stated.ci, made.ci, rtol=0, atol=CI_TOLERANCE):
            yield f"metrics.{name}.ci is {stated.ci}, the rows give {made.ci}"


def _compare(at: str, stated: Any, own: Any) -> Iterator[str]:
    """The first place where two values differ: numbers by more than the tolerance. Records without `UNTOLD`."""
    stated, own = (v.model_dump(exclude=UNTOLD) if isinstance(v, Record) else v for v in (stated, own))
    if isinstance(stated, dict) and isinstance(own, dict):
        if stated.keys() != own.keys():
            yield f"{at} has other entries than the rows give"
            return
        pairs = [(f"{at}.{k}", stated[k], own[k]) for k in stated]
    elif isinstance(stated, list | tuple) and isinstance(own, list | tuple):
        if len(stated) != len(own):
            yield f"{at} has {len(stated)} entries, the rows give {len(own)}"
            return
        pairs = [(f"{at}.{i}", a, b) for i, (a, b) in enumerate(zip(stated, own, strict=True))]
    else:
        numbers = all(isinstance(v, int | float) for v in (stated, own))
        if not (abs(stated - own) <= TOLERANCE if numbers else stated == own):
            yield f"{at} is {stated!r}, the rows give {own!r}"
        return
    found = (finding for where, a, b in pairs for finding in _compare(where, a, b))
    yield from islice(found, 1)
