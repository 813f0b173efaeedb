"""Is a stranger's result what it says? The layout, then every field against what it follows from."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from pydantic import ValidationError

from senbench.audit.expected import expected, warnings
from senbench.audit.leaves import Difference, Tolerance, differences
from senbench.audit.remade_figures import outcome
from senbench.audit.unknowable import implausible
from senbench.errors import UsageError
from senbench.results import predictions
from senbench.results.store import read_json
from senbench.schema.prompt_set import PromptSet
from senbench.schema.record import Record, first_error
from senbench.schema.result import READABLE, RunResult
from senbench.schema.run_spec import RunSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from senbench.results.predictions import Predictions

N = TypeVar("N", bound=Record)
MAX_BYTES = 32 << 20
"""Largest `result.json` that is read."""
MAX_CLASSES = 10_000
ENDS = 0.001
"""Largest difference of an end of an interval, as a share of its width."""
OTHER_ENDS = 0.1
"""The same for a result of another version of numpy, which may draw other resamples."""
COLUMN_ENDS = 0.02
"""The same under `column-mean`, whose rows are divided by a mean already."""
DAP_ENDS = 0.5
"""The same for `dap` on single labels, whose intervals make p(t) anew from embeddings."""
FILES = ("result.json", predictions.FILE, "thumbnails.parquet")
PRIVATE = re.compile(
    r"^/(?!/)|(?:^|[\s'\"=(:,])(?:/(?!/)[^/\s]+/|[A-Za-z]:[\\/]|\\\\|~[\w.-]*[\\/]|file:/)"
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
    return [*_about(folder, result), *private(result), *inconsistent(folder, result)]


def inconsistent(folder: Path, result: RunResult) -> list[str]:
    """Everything in a result that contradicts its rows, its other fields, or what is shipped.

    Args:
        folder: Its folder, with the predictions.
        result: The result.
    """
    if found := list(_shape(result)):
        return found
    found = [*_stated(result), *implausible(result)]
    try:
        table = predictions.read(folder, result)
        found += _rows(table)
        return found + [line for line in _leaves(result, table) if line not in found]
    except UsageError as error:
        return [*found, str(error)]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # none is known
        return [*found, f"its fields do not fit together ({type(error).__name__}: {' '.join(str(error).split())[:80]})"]


def _leaves(result: RunResult, table: Predictions) -> list[str]:
    """Every leaf that is not the one that is expected, and every warning that is missing."""
    try:
        made = outcome(result, table)
    except UsageError as error:  # thresholds or post-processing that do not go with these rows
        return [f"figures cannot be made from {predictions.FILE}: {error}"]
    stated = result.model_dump(mode="json")
    own = expected(result, table, made)
    tolerance = Tolerance(ends=_share(result))
    found = [one for name in own for one in differences(stated.get(name), own[name], tolerance, (name,))]
    if table.predicted is not None and (wrong := int((table.predicted != made.predictions).sum())):
        said = f"prediction is not the class with the best score in {wrong:,} rows"
        found.append(Difference((predictions.FILE,), said))
    missing = [line for line in warnings(result, made) if line not in result.warnings]
    found += [Difference(("warnings",), f"lack {line[:120]!r}") for line in missing]
    return [one.line for one in found]


def _share(result: RunResult) -> float:
    """How far an end of an interval may be off, as a share of the width."""
    if result.ensemble == "dap" and result.dataset.task == "single-label":
        return DAP_ENDS
    if result.postprocess == "column-mean":
        return COLUMN_ENDS
    return ENDS if result.environment.versions.get("numpy") == np.__version__ else OTHER_ENDS


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
    if version not in READABLE:
        do = "update senbench" if version > max(READABLE) else "run it again with this version"
        reads = " and ".join(map(str, READABLE))
        raise UsageError(f"result.json has schema version {version}, this senbench reads {reads}: {do}")
    result = _strict(RunResult, json.dumps(data), "").ordered_as(data)
    _strict(RunSpec, result.spec.model_dump_json(), "spec.")
    _strict(PromptSet, result.prompts.model_dump_json(exclude={"n", "cut"}), "prompts.")
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
    """What is beside the result."""
    if folder.name != result.run_id:
        yield f"folder {folder.name!r} is not named by the run id {result.run_id!r}"
    if strange := sorted(p.name for p in folder.iterdir() if p.name not in FILES):
        yield f"file {strange[0]!r} does not belong to a result: {', '.join(FILES)}"


def _shape(result: RunResult) -> Iterator[str]:
    """What must fit together before anything can be made again."""
    prompts, classes = result.prompts, list(result.dataset.classes)
    if len(set(classes)) < len(classes):
        yield "dataset.classes holds a class twice"
    if list(prompts.texts) != classes:
        yield "prompts.texts are not those of dataset.classes, in order"
    if len(prompts.names) != len(classes):
        yield f"prompts.names has {len(prompts.names):,} entries, expected {len(classes):,}"
    unknown = result.recorded is not None and not any(prompts.texts.values())  # recorded elsewhere, not in words
    if not unknown and (empty := [key for key, texts in prompts.texts.items() if not texts]):
        yield f"prompts.texts.{empty[0]} is empty"


def _stated(result: RunResult) -> Iterator[str]:
    """What the result says of itself, without looking at the rows."""
    n, of = result.dataset.n_evaluated, result.dataset.n_expected
    if not 0 < n <= of:
        yield f"n_evaluated {n} of n_expected {of}"
    if result.headline not in result.metrics:
        yield f"headline {result.headline!r} is not among the metrics"


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


def _rows(table: Predictions) -> Iterator[str]:
    """What cannot be in the rows of any result."""
    if again := len(table.ids) - len(set(table.ids)):
        yield f"{predictions.FILE}: {again:,} ids are there more than once"
    if not np.isfinite(table.scores).all():
        yield f"{predictions.FILE}: {int((~np.isfinite(table.scores)).sum()):,} scores are not finite"
