"""Where the files of runs lie on this machine, kept under SENBENCH_HOME and never in a result."""

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
"""Fields of `RunSpec` that are remembered where they name a file or a folder."""


def remember(run_id: str, spec: RunSpec, dataset: str) -> None:
    """Keep the paths of a run, so that it can be explained and pictured without naming them again.

    A folder that cannot be written is no reason for a run to fail: then the paths are asked for.

    Args:
        run_id: The run.
        spec: Its settings as passed.
        dataset: The dataset as passed.
    """
    given = {key: getattr(spec, key) for key in FIELDS}
    found = {key: str(Path(value).expanduser().absolute()) for key, value in given.items() if value and _here(value)}
    if (own := local_path(dataset)) is not None:
        prefix, path, options = own
        found["dataset"] = f"{prefix}{Path(path).expanduser().absolute()}{options}"
    if found:
        with suppress(OSError):
            _file(run_id).parent.mkdir(parents=True, exist_ok=True)
            _file(run_id).write_text(json.dumps(found), encoding="utf-8")


def spec_here(result: RunResult) -> SpecBlock:
    """The spec of a result, with the paths under which its files lie on this machine where they are known."""
    paths = {key: value for key, value in _remembered(result).items() if key in FIELDS}
    return result.spec.model_copy(update=paths)


def dataset_here(result: RunResult) -> str:
    """The dataset of a result as it is opened on this machine."""
    return _remembered(result).get("dataset", result.resolved.dataset)


def _remembered(result: RunResult) -> dict[str, str]:
    """Paths that were kept and are those that the result records by their names."""
    try:
        found = json.loads(_file(result.run_id).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    recorded = {**result.spec.model_dump(), "dataset": result.resolved.dataset}
    if not isinstance(found, dict):
        return {}
    return {key: value for key, value in found.items() if portable.name(str(value)) == recorded.get(key)}


def _here(value: str) -> bool:
    return Path(value).expanduser().exists()


def _file(run_id: str) -> Path:
    return home() / "places" / f"{base_name(run_id)}.json"
