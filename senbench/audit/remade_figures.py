"""Recomputes every figure of a result from its predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.datasets.distances import by_size
from senbench.scoring.multi_label.evaluate import score_multi_label
from senbench.scoring.multi_label.groups import by_country
from senbench.scoring.multi_label.thresholds import Thresholds
from senbench.scoring.postprocess import Scoring
from senbench.scoring.sample import Sample
from senbench.scoring.single_label.answers_only import evaluate_answers
from senbench.scoring.single_label.evaluate import score_single_label

if TYPE_CHECKING:
    from senbench.results.predictions import Predictions
    from senbench.schema.result import RunResult
    from senbench.scoring import Array, Float
    from senbench.scoring.figures import Outcome


@dataclass(frozen=True)
class Finished(Scoring):
    """Scoring of scores that are already post-processed."""

    def finish(self, scores: Float, class_keys: Any) -> tuple[Float, list[str]]:
        """Return the scores unchanged."""
        return scores, []


def outcome(result: RunResult, table: Predictions) -> Outcome:
    """Recompute all figures of a result.

    With `dap` the intervals of single-label figures treat p(t) as fixed, since the rows do not contain it; they are
    close to those of a run, which recomputes p(t) in every resample.

    Args:
        result: The result, for its settings, names and thresholds.
        table: Its predictions.

    Raises:
        UsageError: Scores are not finite, or labels and scores do not fit together.
    """
    names, seed = result.prompts.names, result.spec.seed
    scale, bias = result.logit_scale, result.logit_bias
    unknown = "as recorded" in (result.ensemble, result.postprocess)
    rules = Finished() if unknown else Finished(result.ensemble, result.postprocess)
    scoring = replace(rules, logit_scale=scale, logit_bias=bias)
    now = result.schema_version >= 2
    sizes = by_size(table.clusters, table.ids) if now and table.clusters is not None else None
    sample = Sample(table.labels, result.dataset.classes, table.clusters, table.countries, by_size=sizes)
    if (
        result.recorded is not None
        and result.recorded.given in ("predictions", "confusion")
        and table.predicted is not None
    ):
        return evaluate_answers(table.predicted, sample, result.recorded.given, class_names=names, seed=seed)
    if table.predicted is not None:
        c = table.scores.shape[1]

        def as_it_is(weights: Float) -> Array:
            return np.zeros((len(weights), c))

        prior = as_it_is if scoring.rule == "dap" else None
        return score_single_label(
            table.scores, sample, scoring, class_names=names, together=prior, wilson=now, seed=seed
        )
    thresholds = _thresholds(result)
    evaluated = score_multi_label(table.scores, sample, scoring, class_names=names, thresholds=thresholds, seed=seed)
    return (
        evaluated if sample.countries is None else replace(evaluated, groups=by_country(evaluated.scores, sample, seed))
    )


def _thresholds(result: RunResult) -> Thresholds | None:
    """Return the tuned thresholds that a result states."""
    tuned = result.dataset.tuned_on
    if tuned is None:
        return None
    values = [np.inf if entry.threshold is None else entry.threshold for entry in result.per_label]
    return Thresholds(np.array(values, np.float32), str(tuned.get("split")), np.full(len(values), np.nan))
