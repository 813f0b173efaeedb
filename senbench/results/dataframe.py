"""Results as a tidy table: one row per run, plain columns."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from senbench.results import qualifications, store

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from senbench.schema.result import Metric, RunResult

Cell = str | int | float | bool | None


def load_results(folder: str | Path = "results") -> pd.DataFrame:
    """Return all results of a folder as a data frame, sorted by run id.

    Args:
        folder: Folder of result folders.

    Returns:
        One row per run, with what was run (`model`, `prompts`, `dataset`, `split`, `protocol`, ...), the headline
        figure as `value`, `value_low`, `value_high`, and every metric under its name with `_low` and `_high`, all in
        0..1 (NLL in nats) and missing if undefined; reference lines as `line_<name>`, supervised anchors as
        `anchor_<id>`.

    Raises:
        UsageError: The folder has no results, or a malformed one.
    """
    import pandas as pd

    return pd.DataFrame(rows(store.load_all(Path(folder).expanduser())))


def rows(results: Sequence[RunResult]) -> list[dict[str, Cell]]:
    """Return one row per result, all with the same columns in the same order; None for missing values."""
    table = [row(r) for r in results]
    columns = dict.fromkeys(name for one in table for name in one)
    return [{name: one.get(name) for name in columns} for one in table]


def row(result: RunResult) -> dict[str, Cell]:
    """Return one result as a row of plain values."""
    r, data, model, prompts = result, result.dataset, result.model, result.prompts
    cells: dict[str, Any] = {
        "run_id": r.run_id,
        "model": qualifications.model_id(r),
        "family": model.family,
        "architecture": model.architecture,
        "weights_sha256": model.weights_sha256,
        "prompts": prompts.id,
        "style": prompts.style,
        "prompts_hash": prompts.hash,
        "n_prompts": prompts.n,
        "class_names": prompts.class_names,
        "dataset": data.id,
        "split": data.split,
        "index_hash": data.index_hash,
        "n": data.n_evaluated,
        "n_expected": data.n_expected,
        "complete": r.complete,
        "radiometry": data.radiometry,
        "protocol": r.protocol,
        "overrides": " ".join(r.resolved.overrides),
        "ensemble": r.ensemble,
        "postprocess": r.postprocess,
        "access_level": r.access_level,
        "contamination": r.contamination,
        "zero_shot": r.zero_shot,
        "synthetic": r.synthetic,
        "ranked": qualifications.ranked(r),
        "qualifications": "; ".join(qualifications.labels(r)),
        "headline": r.headline,
        **_figure("value", r.metrics[r.headline]),
        "interval": r.metrics[r.headline].interval,
    }
    for name, metric in r.metrics.items():
        cells |= _figure(name, metric)
    cells |= {f"line_{name}": value for name, value in r.lines.items()}
    if r.anchors is not None:
        cells |= {f"anchor_{anchor.id}": anchor.figure.value for anchor in r.anchors.classifiers}
    return cells | {
        "device": r.environment.device_name,
        "dtype": r.environment.dtype,
        "senbench_version": r.senbench_version,
        "created": r.created,
    }


def _figure(name: str, metric: Metric) -> dict[str, Cell]:
    low, high = metric.ci or (None, None)
    return {name: metric.value, f"{name}_low": low, f"{name}_high": high}
