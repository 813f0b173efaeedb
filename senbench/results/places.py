"""Stores the paths of a run's files under SENBENCH_HOME, because a result must not contain them."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from senbench.results import portable
from senbench.runtime.dataset_names import local_path
from senbench.runtime.paths import base_name, home

if TYPE_CHECKING:
    from senbench.schema.blocks import SpecBlock
    from senbench.schema.result import RunResult
    from senbench.schema.run_spec import RunSpec

FIELDS = ("data_dir", "weights", "split", "class_names", "tune", "anchors")
"""Fields of `RunSpec` that are stored if they name a file or folder."""


def remember(run_id: str, spec: RunSpec, dataset: str) -> None:
    """Store the paths of a run, so that later commands on its result need not be given them again.

    Errors of the disk are ignored: later commands then ask for the paths.

    Args:
        run_id: The run.
        spec: Its settings as passed.
        dataset: The dataset as passed.
    """
    passed = {key: getattr(spec, key) for key in FIELDS}
    paths = {key: str(Path(value).expanduser().absolute()) for key, value in passed.items() if value and _here(value)}
    if (local := local_path(dataset)) is not None:
        prefix, path, options = local
        paths["dataset"] = f"{prefix}{Path(path).expanduser().absolute()}{options}"
    if paths:
        with suppress(OSError):
            _file(run_id).parent.mkdir(parents=True, exist_ok=True)
            _file(run_id).write_text(json.dumps(paths), encoding="utf-8")


def spec_here(result: RunResult) -> SpecBlock:
    """Return the spec of a result, with this machine's paths of its files if known."""
    paths = {key: value for key, value in _remembered(result).items() if key in FIELDS}
    return result.spec.model_copy(update=paths)


def dataset_here(result: RunResult) -> str:
    """Return the dataset of a result under the name by which this machine opens it."""
    return _remembered(result).get("dataset", result.resolved.dataset)


def _remembered(result: RunResult) -> dict[str, str]:
    """Return the stored paths whose base names are those that the result records."""
    try:
        paths = json.loads(_file(result.run_id).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    recorded = {**result.spec.model_dump(), "dataset": result.resolved.dataset}
    if not isinstance(paths, dict):
        return {}
    return {key: value for key, value in paths.items() if portable.name(str(value)) == recorded.get(key)}


def _here(value: str) -> bool:
    return Path(value).expanduser().exists()


def _file(run_id: str) -> Path:
    return home() / "places" / f"{base_name(run_id)}.json"
