"""Embeddings in, what a result records out, for single-label and multi-label datasets alike."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError
from senbench.schema.result import Clustering, GroupFigures, LabelFigures, Metric
from senbench.scoring.classifier import class_scores
from senbench.scoring.postprocess import column_mean
from senbench.scoring.single_label import evaluate

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Outcome:
    """What a result records of the scores.

    Attributes:
        scores: Scores as finally compared, float32 (N, C).
        predictions: Class index per image, int64 (N,); None for multi-label datasets.
        metrics: Figures by name.
        lines: Reference lines by name.
        access_level: 0 to 3, of every figure but those that state their own.
        ties: Images whose decision was tied, broken by class order.
        warnings: What a reader must know.
        details: Fields of `RunResult` that depend on the task.
    """

    scores: NDArray[np.float32]
    predictions: NDArray[np.int64] | None
    metrics: dict[str, Metric]
    lines: dict[str, float]
    access_level: int
    ties: int
    warnings: tuple[str, ...]
    details: dict[str, Any] = field(default_factory=dict)


def outcome(
    images: NDArray[Any],
    texts: NDArray[Any],
    text_class: NDArray[np.int64],
    labels: NDArray[Any],
    *,
    class_keys: Sequence[str],
    class_names: Sequence[str],
    rule: str,
    postprocess: str,
    logit_scale: float | None,
    logit_bias: float | None,
    template_aligned: bool,
    clusters: NDArray[Any] | None,
    countries: Sequence[str] | None = None,
    tuning: tuple[NDArray[np.float32], NDArray[np.bool_], str] | None = None,
    seed: int = 0,
) -> Outcome:
    """Score embeddings and evaluate them.

    Args:
        images: Image embeddings, (N, D).
        texts: Prompt embeddings, (P, D).
        text_class: Class of each prompt, (P,).
        labels: Class index per image, (N,), or multi-hot, bool (N, C).
        class_keys: Class keys in label order, C.
        class_names: Class names as prompted, C.
        rule: Ensembling rule.
        postprocess: `none` or `column-mean`.
        logit_scale: Native multiplier of the cosine.
        logit_bias: Bias of a sigmoid model.
        template_aligned: True if prompt j of every class comes from one template.
        clusters: Spatial cluster per image, (N,); None where positions are unknown.
        countries: Country per image, for multi-label datasets that have it.
        tuning: Multi-label: embeddings (V, D), multi-hot labels (V, C) and name of the split on which thresholds
            are tuned.
        seed: Seed of the resamples.

    Returns:
        All figures.

    Raises:
        UsageError: Values that do not fit.
    """
    if labels.ndim == 1:
        scored = evaluate.zero_shot(
            images,
            texts,
            text_class,
            labels,
            class_keys=class_keys,
            class_names=class_names,
            rule=rule,
            postprocess=postprocess,
            logit_scale=logit_scale,
            template_aligned=template_aligned,
            clusters=clusters,
            seed=seed,
        )
        named = zip(scored.per_class, scored.recall_ci, strict=True)
        details: dict[str, Any] = {
            "per_class": tuple(entry.model_copy(update={"recall_ci": ci}) for entry, ci in named),
            "confusion": tuple(tuple(int(v) for v in row) for row in scored.confusion),
            "reliability": scored.reliability,
        }
        return Outcome(
            scored.scores,
            scored.predictions,
            scored.metrics,
            scored.lines,
            scored.access_level,
            scored.ties,
            scored.warnings,
            details,
        )

    from senbench.scoring.multi_label.evaluate import score_multi_label
    from senbench.scoring.multi_label.groups import (
        by_country,  # here, so that single-label runs are spared these imports
    )
    from senbench.scoring.multi_label.thresholds import tune_thresholds

    def scores_of(rows: NDArray[Any]) -> NDArray[np.float32]:
        return class_scores(
            rows, texts, text_class, len(class_keys), rule, logit_scale=logit_scale, template_aligned=template_aligned
        )

    thresholds = None
    if tuning is not None:
        if rule == "dap":
            raise UsageError("thresholds cannot be tuned for ensemble dap, whose scores depend on the evaluated images")
        seen = scores_of(tuning[0])
        if postprocess == "column-mean":
            seen = column_mean(seen, class_keys)[0]
        thresholds = tune_thresholds(seen, tuning[1], tuning[2])
    found = score_multi_label(
        scores_of(images),
        labels,
        class_keys=class_keys,
        class_names=class_names,
        logit_scale=logit_scale,
        logit_bias=logit_bias,
        rule=rule,
        postprocess=postprocess,
        clusters=clusters,
        thresholds=thresholds,
        seed=seed,
    )
    groups = () if countries is None else by_country(found.scores, labels, countries, clusters, seed)
    return Outcome(
        found.scores,
        None,
        found.metrics,
        found.lines,
        found.access_level,
        found.ties,
        found.warnings,
        {
            "per_class": (),
            "confusion": (),
            "per_label": tuple(LabelFigures(**asdict(entry)) for entry in found.per_label),
            "n_unlabelled": found.n_unlabelled,
            "clustering": None if found.clustering is None else Clustering(**asdict(found.clustering)),
            "replicates": found.replicates,
            "resampled": found.resampled,
            "groups": tuple(GroupFigures(**vars(group)) for group in groups),
        },
    )
