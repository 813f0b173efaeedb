"""What scores give is what a result records."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pydantic import TypeAdapter
from scored import evaluate

from senbench.schema.result import RunResult

if TYPE_CHECKING:
    from senbench.scoring.figures import Outcome

OWN = {"scores", "n", "predictions"}
"""Fields that a result keeps elsewhere: in `predictions.parquet` and `dataset.n_evaluated`."""


def outcomes() -> dict[str, Outcome]:
    rng = np.random.default_rng(0)
    scores, labels = rng.normal(size=(200, 3)).astype(np.float32), rng.integers(0, 3, 200)
    clusters = np.arange(200) % 20
    return {
        "single-label": evaluate(scores, labels, clusters, logit_scale=5.0),
        "multi-label": evaluate(scores, np.eye(3, dtype=bool)[labels], clusters),
    }


def test_a_result_takes_every_field_as_it_is() -> None:
    for scored in outcomes().values():
        for name in {f.name for f in fields(scored)} - OWN:
            value = getattr(scored, name)
            taken = TypeAdapter(RunResult.model_fields[name].annotation).validate_python(value, strict=True)
            assert taken == value


@pytest.mark.parametrize(
    ("task", "filled"),
    [
        ("single-label", {"per_class", "confusion", "reliability"}),
        ("multi-label", {"per_label", "n_unlabelled", "clustering", "replicates", "resampled"}),
    ],
)
def test_fields_of_the_other_task_are_empty(task: str, filled: set[str]) -> None:
    scored = outcomes()[task]
    of_a_task = {"per_class", "confusion", "reliability", "per_label", "clustering", "replicates", "resampled"}
    assert {name for name in of_a_task if getattr(scored, name)} == filled - {"n_unlabelled"}
    assert (scored.predictions is None) == (task == "multi-label")
    assert scored.n == len(scored.scores) == 200
