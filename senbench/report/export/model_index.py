"""Results as the `model-index` of a Hugging Face model card."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError
from senbench.results.qualifications import labels, model_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from senbench.schema.result import RunResult

TASK = "zero-shot-image-classification"
TYPES = {"top1": "accuracy", "f1_macro": "f1", "map_macro": "mean_average_precision"}
"""Metric -> its name on the hub; others keep their names."""
SHOWN = {"single-label": ("top1", "balanced_accuracy", "f1_macro"), "multi-label": ("map_macro", "map_micro", "lrap")}


def to_model_index(results: Sequence[RunResult], folders: Mapping[str, Path]) -> str:
    """Return YAML front matter, one document per model, without results that are incomplete or not zero-shot.

    Raises:
        UsageError: Nothing is left.
    """
    from huggingface_hub import ModelCardData

    by_model: dict[str, list[RunResult]] = defaultdict(list)
    for r in results:
        if r.complete and r.zero_shot:
            by_model[model_id(r)].append(r)
    if not by_model:
        raise UsageError("model-index: no result is complete and zero-shot, so there is nothing to put on a model card")
    documents = (
        ModelCardData(model_name=model, eval_results=[entry for r in runs for entry in _entries(r)])
        for model, runs in by_model.items()
    )
    return "".join(f"---\n{data.to_yaml()}\n" for data in documents)


def _entries(r: RunResult) -> list[Any]:
    from huggingface_hub import EvalResult

    d = r.dataset
    return [
        EvalResult(
            task_type=TASK,
            dataset_type=d.id,
            dataset_name=d.title,
            # distinguishes runs on one split: the hub merges entries with equal dataset, config and split
            dataset_config=f"{r.protocol}, prompts {r.prompts.id} {r.prompts.hash[:12]}, level {r.access_level}",
            dataset_split=d.split,
            dataset_revision=d.index_hash,
            dataset_args={
                "class_names": d.class_names,
                "radiometry": d.radiometry,
                "ensemble": r.ensemble,
                "postprocess": r.postprocess,
                "n": d.n_evaluated,
                "contamination": r.contamination,
                "synthetic": r.synthetic,
                "qualifications": list(labels(r)),
            },
            metric_type=TYPES.get(name, name),
            metric_name=name,
            metric_value=metric.value,
            metric_args={"ci95": list(metric.ci), "interval": metric.interval} if metric.ci else None,
        )
        for name in SHOWN[d.task]
        if (metric := r.metrics.get(name)) is not None and metric.value is not None
    ]
