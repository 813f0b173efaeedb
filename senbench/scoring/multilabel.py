"""Scores and multi-hot labels in, every multi-label figure with its uncertainty out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from senbench.errors import UsageError
from senbench.scoring.metrics import TINY, mean_defined
from senbench.scoring.postprocess import access_level, column_mean, probabilities
from senbench.scoring.ranking import Ranking, label_ranking, top_k_hits
from senbench.scoring.stats import FixedSums, Interval, enough_units, intervals, leave_out_weights
from senbench.spec import Metric

if TYPE_CHECKING:
    from collections.abc import Sequence

Float = NDArray[np.float32]
Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

NAMES = ("map_macro", "map_micro", "lrap", "r_precision_micro", "r_precision_samples", "nll", "brier")
RESAMPLES = 500
"""Bootstrap resamples: average precision costs a pass over all scores in each of them."""


@dataclass(frozen=True)
class LabelResult:
    """Figures of one label.

    Attributes:
        key: Class key.
        name: Class name as prompted.
        support: Images with the label.
        prevalence: Their share: what a random ranking reaches in average precision.
        average_precision: None without a positive.
        ci: 95 % interval of it; None below ten clusters (images) with the label.
    """

    key: str
    name: str
    support: int
    prevalence: float
    average_precision: float | None
    ci: tuple[float, float] | None


@dataclass(frozen=True)
class MultiScored:
    """All multi-label figures of one set of scores.

    Attributes:
        metrics: `map_macro` (headline), `map_micro`, `lrap`, `r_precision_micro`, `r_precision_samples`,
            `nll`, `brier`; value None with the reason in `interval` where undefined.
        per_label: Figures per label, in class order.
        lines: `prevalence` (its mean over the labels of `map_macro`), `prevalence_micro`, and
            `constant_ranking`, the micro R-precision of ranking labels by frequency for every image.
        access_level: 0, or 2 where the evaluated images were used.
        scores: Scores as finally ranked, float32 (N, C).
        n: Number of images.
        n_unlabelled: Images without any label: negatives for average precision, left out of `lrap` and
            R-precision.
        ties: Images whose k-th and next label are tied, broken by class order.
        rule: Ensembling rule.
        postprocess: Post-processing.
        warnings: What a reader must know.
    """

    metrics: dict[str, Metric]
    per_label: tuple[LabelResult, ...]
    lines: dict[str, float]
    access_level: int
    scores: Float
    n: int
    n_unlabelled: int
    ties: int
    rule: str
    postprocess: str
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Totals:
    """Average precision per label and micro, then sums over images, for any weighting of the images."""

    rankings: tuple[Ranking, ...]
    sums: FixedSums

    @property
    def n(self) -> int:
        return self.sums.n

    def resampled(self, weights: Float) -> Array:
        precision = [[ranking.average_precision(w) for ranking in self.rankings] for w in weights]
        return np.concatenate([np.array(precision), self.sums.resampled(weights)], axis=1)

    def without(self, codes: Index, n_clusters: int) -> Array:
        return np.concatenate([self.resampled(w) for w in leave_out_weights(codes, n_clusters)])


def score_multi_label(
    scores: Float,
    truth: NDArray[Any],
    *,
    class_keys: Sequence[str],
    class_names: Sequence[str],
    logit_scale: float | None = None,
    logit_bias: float | None = None,
    rule: str = "norm-mean-norm",
    postprocess: str = "none",
    clusters: NDArray[Any] | Sequence[Any] | None = None,
    seed: int = 0,
) -> MultiScored:
    """Evaluate class scores against multi-hot labels (definitions in docs/methods.md).

    Args:
        scores: Scores before post-processing, float32 (N, C).
        truth: Multi-hot labels, 0 or 1, (N, C).
        class_keys: Class keys in label order, C.
        class_names: Class names as prompted, C.
        logit_scale: Native multiplier of the cosine.
        logit_bias: Bias of a sigmoid model; without it there are no per-label probabilities.
        rule: Ensembling rule the scores were made with.
        postprocess: `none` or `column-mean`.
        clusters: Spatial cluster per image, (N,); None where positions are unknown.
        seed: Seed of the bootstrap.

    Returns:
        All figures. Under `column-mean` and `dap` only average precision per label and its mean have
        intervals: the others depend on the sample through the post-processing.

    Raises:
        UsageError: Shapes or values that do not fit, or no positive at all.
    """
    truth = np.asarray(truth)
    if scores.ndim != 2 or truth.shape != scores.shape or not scores.size:
        raise UsageError(f"scores {scores.shape} and multi-hot labels {truth.shape}: expected the same (N, C)")
    if not np.isin(truth, (0, 1)).all():
        raise UsageError(f"multi-hot labels hold {truth[~np.isin(truth, (0, 1))][0]}; expected 0 and 1 only")
    truth = truth.astype(bool)
    support = truth.sum(axis=0)
    if not support.any():
        raise UsageError("no image has any label: nothing to rank")
    n, c = scores.shape
    units = None if clusters is None else np.asarray(clusters)
    final: Float = scores
    warnings: list[str] = []
    if postprocess == "column-mean":
        final, warnings = column_mean(scores, class_keys)
    labelled = truth.any(axis=1)
    calibrated = postprocess == "none" and rule not in ("max", "dap", "prob-mean")
    probs = None
    if calibrated and logit_scale is not None and logit_bias is not None:
        probs = probabilities(final, logit_scale, logit_bias)
    rankings = [Ranking.of(final[:, k], truth[:, k]) for k in range(c)]
    rankings.append(Ranking.of(final.ravel(), truth.ravel(), np.repeat(np.arange(n), c)))
    hits, ties = top_k_hits(final, truth)
    rows = _rows(final, truth, hits, probs)
    ones = np.ones(n, np.float32)
    precision = np.array([ranking.average_precision(ones) for ranking in rankings])
    estimate = _statistic(np.concatenate([precision, rows.sum(axis=0)]), c)
    bounds = np.tile([0.0, 1.0], (len(estimate), 1))
    bounds[NAMES.index("nll"), 1] = np.inf
    spread = intervals(
        _Totals(tuple(rankings), FixedSums(rows.astype(np.float32))),
        lambda totals: _statistic(totals, c),
        estimate,
        bounds=bounds,
        recentre=np.ones(len(estimate), bool),
        clusters=units,
        resamples=RESAMPLES,
        seed=seed,
    )
    level = access_level(rule, postprocess)
    metrics = {}
    for j, name in enumerate(NAMES):
        value, (ci, label, _) = float(estimate[j]), spread[j]
        if name in ("nll", "brier") and probs is None:
            reason = "none: per-label probabilities need a cosine score, logit_scale and logit_bias"
            metrics[name] = Metric(value=None, ci=None, n=n, interval=reason)
            continue
        if level == 2 and name != "map_macro":
            ci, label = None, f"none: {'dap' if rule == 'dap' else postprocess} depends on the sample"
        per_sample = name in ("lrap", "r_precision_micro", "r_precision_samples")
        metrics[name] = Metric(value=value, ci=ci, n=int(labelled.sum()) if per_sample else n, interval=label)
    if unlabelled := int(n - labelled.sum()):
        warnings.append(f"{unlabelled} of {n} images have no label: negatives for AP, left out of lrap and R-precision")
    for k, key in enumerate(class_keys):
        if not support[k]:
            warnings.append(f"label {key!r} has no positive: left out of map_macro")
        elif undefined := spread[len(NAMES) + k].undefined:
            draws = "resamples" if units is None else "clusters left out"
            warnings.append(f"label {key!r} has no positive in {undefined} {draws}: left out of map_macro there")
    frequency = np.broadcast_to(support.astype(np.float32), (n, c))
    return MultiScored(
        metrics=metrics,
        per_label=_per_label(precision, support, n, class_keys, class_names, spread, truth, units),
        lines={
            "prevalence": float((support[support > 0] / n).mean()),
            "prevalence_micro": float(truth.mean()),
            "constant_ranking": float(top_k_hits(frequency, truth)[0].sum() / support.sum()),
        },
        access_level=level,
        scores=final,
        n=n,
        n_unlabelled=unlabelled,
        ties=ties,
        rule=rule,
        postprocess=postprocess,
        warnings=tuple(warnings),
    )


def _rows(scores: Float, truth: Mask, hits: Index, probs: Array | None) -> Array:
    """Per image: LRAP, R-precision, hits, labels, has a label, 1, NLL, Brier, (N, 8)."""
    k = truth.sum(axis=1)
    n, c = scores.shape
    out = np.zeros((n, 8))
    out[:, 0] = np.nan_to_num(label_ranking(scores, truth))
    out[:, 1] = hits / np.maximum(k, 1)
    out[:, 2:6] = np.stack([hits, k, k > 0, np.ones(n)], axis=1)
    if probs is not None:
        chosen = np.where(truth, probs, 1 - probs)
        out[:, 6] = -np.log(np.maximum(chosen, TINY)).sum(axis=1) / c
        out[:, 7] = np.square(1 - chosen).sum(axis=1) / c
    return out


def _statistic(totals: Array, c: int) -> Array:
    """Totals (..., C + 1 + 8) -> `NAMES`, then average precision per label."""
    precision, micro, rest = totals[..., :c], totals[..., c], totals[..., c + 1 :]
    lrap, ratio, hits, labels, labelled, n, nll, brier = np.moveaxis(rest, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        out = [mean_defined(precision), micro, lrap / labelled, hits / labels, ratio / labelled, nll / n, brier / n]
    return np.concatenate([np.stack(out, axis=-1), precision], axis=-1)


def _per_label(
    precision: Array,
    support: Index,
    n: int,
    keys: Sequence[str],
    names: Sequence[str],
    spread: list[Interval],
    truth: Mask,
    units: NDArray[Any] | None,
) -> tuple[LabelResult, ...]:
    return tuple(
        LabelResult(
            key=keys[k],
            name=names[k],
            support=int(support[k]),
            prevalence=float(support[k] / n),
            average_precision=float(precision[k]) if support[k] else None,
            ci=spread[len(NAMES) + k].ci if enough_units(truth[:, k], units) else None,
        )
        for k in range(len(keys))
    )
