"""Validates an untrusted result: first its layout, then every field against what it can be derived from."""

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
"""Size in bytes of the largest `result.json` that is read."""
MAX_CLASSES = 10_000
ENDS = 0.001
"""Largest difference of an end of an interval, as a share of the interval's width."""
OTHER_ENDS = 0.1
"""The same for a result of another NumPy version, which may draw other resamples."""
COLUMN_ENDS = 0.02
"""The same with `column-mean`, whose rows are already divided by a mean."""
DAP_ENDS = 0.5
"""The same for `dap` on single labels, whose intervals recompute p(t) from embeddings."""
FILES = ("result.json", predictions.FILE, "thumbnails.parquet")
PRIVATE = re.compile(
    r"^/(?!/)|(?:^|[\s'\"=(:,])(?:/(?!/)[^/\s]+/|[A-Za-z]:[\\/]|\\\\|~[\w.-]*[\\/]|file:/)"
    r"|/(?:home|Users|root)/|[\w.+-]+@[\w-]+\.[a-z]{2,}"
)
"""Matches a path that begins at the root, a drive or a home folder, or an e-mail address."""


def validate(path: Path) -> list[str]:
    """Return everything that is wrong with one result, one line each; empty if nothing is.

    Args:
        path: Result folder, or its `result.json`. Its content is neither trusted nor executed.

    Returns:
        The findings; only those on the layout if that is wrong.
    """
    folder = path if path.is_dir() else path.parent
    try:
        result = read(folder / "result.json" if path.is_dir() else path)
    except UsageError as error:
        return [str(error)]
    return [*_about(folder, result), *private(result), *inconsistent(folder, result)]


def inconsistent(folder: Path, result: RunResult) -> list[str]:
    """Return every contradiction between a result and its rows, its other fields, or the shipped data.

    Args:
        folder: Its folder, with the predictions.
        result: The result.
    """
    if findings := list(_shape(result)):
        return findings
    findings = [*_stated(result), *implausible(result)]
    try:
        table = predictions.read(folder, result)
        findings += _rows(table)
        return findings + [line for line in _leaves(result, table) if line not in findings]
    except UsageError as error:
        return [*findings, str(error)]
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:  # no such case is known
        return [
            *findings,
            f"its fields do not fit together ({type(error).__name__}: {' '.join(str(error).split())[:80]})",
        ]


def _leaves(result: RunResult, table: Predictions) -> list[str]:
    """Return every value that differs from the expected one, and every missing warning."""
    try:
        made = outcome(result, table)
    except UsageError as error:  # thresholds or post-processing that do not fit these rows
        return [f"figures cannot be made from {predictions.FILE}: {error}"]
    stated = result.model_dump(mode="json")
    expected_fields = expected(result, table, made)
    tolerance = Tolerance(ends=_share(result))
    differing = [
        one
        for name in expected_fields
        for one in differences(stated.get(name), expected_fields[name], tolerance, (name,))
    ]
    if table.predicted is not None and (wrong := int((table.predicted != made.predictions).sum())):
        said = f"prediction is not the class with the best score in {wrong:,} rows"
        differing.append(Difference((predictions.FILE,), said))
    missing = [line for line in warnings(result, made) if line not in result.warnings]
    differing += [Difference(("warnings",), f"lack {line[:120]!r}") for line in missing]
    return [one.line for one in differing]


def _share(result: RunResult) -> float:
    """Return how far an end of an interval may be off, as a share of the width."""
    if result.ensemble == "dap" and result.dataset.task == "single-label":
        return DAP_ENDS
    if result.postprocess == "column-mean":
        return COLUMN_ENDS
    return ENDS if result.environment.versions.get("numpy") == np.__version__ else OTHER_ENDS


def read(path: Path) -> RunResult:
    """Read an untrusted `result.json` strictly: only the types of the schema, no repeated or unknown fields.

    Raises:
        UsageError: The message says what is wrong, with the field.
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
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise ValueError(f"a field occurs twice among {', '.join(sorted(fields))[:80]}")
    return fields


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _about(folder: Path, result: RunResult) -> Iterator[str]:
    """Check the name and the files of the folder."""
    if folder.name != result.run_id:
        yield f"folder {folder.name!r} is not named by the run id {result.run_id!r}"
    if strange := sorted(p.name for p in folder.iterdir() if p.name not in FILES):
        yield f"file {strange[0]!r} does not belong to a result: {', '.join(FILES)}"


def _shape(result: RunResult) -> Iterator[str]:
    """Check what must be consistent before anything can be recomputed."""
    prompts, classes = result.prompts, list(result.dataset.classes)
    if len(set(classes)) < len(classes):
        yield "dataset.classes holds a class twice"
    if list(prompts.texts) != classes:
        yield "prompts.texts are not those of dataset.classes, in order"
    if len(prompts.names) != len(classes):
        yield f"prompts.names has {len(prompts.names):,} entries, expected {len(classes):,}"
    unknown = result.recorded is not None and not any(prompts.texts.values())  # recorded outputs, without prompt texts
    if not unknown and (empty := [key for key, texts in prompts.texts.items() if not texts]):
        yield f"prompts.texts.{empty[0]} is empty"


def _stated(result: RunResult) -> Iterator[str]:
    """Check the result's statements about itself, without the rows."""
    n, of = result.dataset.n_evaluated, result.dataset.n_expected
    if not 0 < n <= of:
        yield f"n_evaluated {n} of n_expected {of}"
    if result.headline not in result.metrics:
        yield f"headline {result.headline!r} is not among the metrics"


def private(result: RunResult) -> Iterator[str]:
    """Yield absolute paths and e-mail addresses anywhere in the result."""
    for at, text in _strings(result.model_dump(mode="json"), ""):
        if not at.startswith(".model.") and PRIVATE.search(text):  # a model contains web addresses of releases
            yield (
                f"{at[1:]} holds {text[:60]!r}, which looks like a path or an e-mail address: run it again from "
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
    """Yield rows that are impossible in any result."""
    if again := len(table.ids) - len(set(table.ids)):
        yield f"{predictions.FILE}: {again:,} ids occur more than once"
    if not np.isfinite(table.scores).all():
        yield f"{predictions.FILE}: {int((~np.isfinite(table.scores)).sum()):,} scores are not finite"
