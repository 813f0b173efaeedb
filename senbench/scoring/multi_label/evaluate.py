"""Scores and multi-hot labels in, every multi-label figure with its uncertainty out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from senbench.errors import UsageError
from senbench.schema.result import Metric
from senbench.scoring.intervals.average_precision import Spread, spread
from senbench.scoring.intervals.clustered import effective_clusters
from senbench.scoring.intervals.interval import enough_units
from senbench.scoring.multi_label.ranking import Ranking, top_k_hits
from senbench.scoring.multi_label.sums import DEFINITIONS, NAMES, PER_SAMPLE, bounds, image_rows, statistic
from senbench.scoring.multi_label.thresholds import Thresholds, above_image_mean, check_multi_hot, check_thresholds
from senbench.scoring.postprocess import access_level, column_mean, probabilities
from senbench.scoring.single_label.metrics import mean_defined

if TYPE_CHECKING:
    from collections.abc import Sequence

Float = NDArray[np.float32]
Array = NDArray[np.float64]
Index = NDArray[np.int64]
Mask = NDArray[np.bool_]

HEADLINE = "map_macro"
REPLICATED = (HEADLINE, "map_micro", "r_precision_micro")
"""Metrics whose values without each cluster are kept for paired tests."""
MAX_REPLICATES = 600
"""Values kept in all: three metrics of 200 tiles, or the headline of 600."""


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
        threshold: Score from which the label is predicted in the `tuned` figures; None without thresholds,
            or where the validation set has no positive and the label is never predicted.
    """

    key: str
    name: str
    support: int
    prevalence: float
    average_precision: float | None
    ci: tuple[float, float] | None
    threshold: float | None = None


@dataclass(frozen=True)
class Clustering:
    """The clusters behind the intervals.

    Attributes:
        clusters: Number of clusters G.
        effective: G* = n^2 / sum of squared sizes.
        design_effect: Variance of the headline over that of independent images; None without an interval.
        sizes: Cluster name -> images, by name; empty above `MAX_REPLICATES` clusters.
    """

    clusters: int
    effective: float
    design_effect: float | None
    sizes: dict[str, int]


@dataclass(frozen=True)
class MultiScored:
    """All multi-label figures of one set of scores.

    Attributes:
        metrics: `map_macro` (headline) and the others of `multisums.DEFINITIONS`, each with its average,
            threshold source and access level; value None with the reason in `interval` where undefined.
        per_label: Figures per label, in class order.
        lines: `prevalence` (its mean over the labels of `map_macro`), `prevalence_micro`, and
            `constant_ranking`, the micro R-precision of ranking labels by frequency for every image.
        access_level: 0, or 2 where the evaluated images were used; of every figure but those whose own
            `access_level` says more.
        scores: Scores as finally ranked, float32 (N, C).
        n: Number of images.
        n_unlabelled: Images without any label: negatives for average precision and F1, left out of `lrap`
            and R-precision.
        ties: Images whose k-th and next label are tied, broken by class order.
        rule: Ensembling rule.
        postprocess: Post-processing.
        warnings: What a reader must know.
        clustering: The clusters; None where positions are unknown.
        replicates: Metric -> cluster name -> its value without that cluster, for `paired_difference`; empty
            without an interval by clusters.
        resampled: Metric -> 95 % percentile interval of 1,000 resamples of clusters, centred on the
            estimate: a second opinion on `metrics`, too narrow with few or unequal clusters; empty without
            clusters and above 300.
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
    clustering: Clustering | None
    replicates: dict[str, dict[str, float]]
    resampled: dict[str, tuple[float, float]]


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
    thresholds: Thresholds | None = None,
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
        thresholds: From `tune_thresholds` on scores post-processed alike; None: no `tuned` figures.
        seed: Seed of the resamples.

    Returns:
        All figures. Under `column-mean` and `dap` only average precision per label and its mean have
        intervals: the others depend on the sample through the post-processing.

    Raises:
        UsageError: Shapes or values that do not fit, or no positive at all.
    """
    truth = check_multi_hot(scores, truth)
    support = truth.sum(axis=0)
    if not support.any():
        raise UsageError("no image has any label: nothing to rank")
    n, c = scores.shape
    units = None if clusters is None else np.asarray(clusters)
    final: Float = scores
    warnings: list[str] = []
    if postprocess == "column-mean":
        final, warnings = column_mean(scores, class_keys)
    if thresholds is not None:
        check_thresholds(thresholds, class_keys)
        if never := [key for key, t in zip(class_keys, thresholds.values, strict=True) if np.isinf(t)]:
            warnings.append(f"never predicted at tuned thresholds, without a positive there: {', '.join(never)}")
    probs = None
    calibrated = postprocess == "none" and rule not in ("max", "dap", "prob-mean")
    if calibrated and logit_scale is not None and logit_bias is not None:
        probs = probabilities(final, logit_scale, logit_bias)
    hits, ties = top_k_hits(final, truth)
    tuned = None if thresholds is None else final >= thresholds.values
    found = spread(
        (*_rankings(final, truth), Ranking.of(final.ravel(), truth.ravel(), np.repeat(np.arange(n), c))),
        image_rows(final, truth, hits, probs, above_image_mean(final), tuned),
        lambda totals: statistic(totals, c),
        bounds=bounds(len(NAMES) + c),
        clusters=units,
        seed=seed,
    )
    labelled = int(truth.any(axis=1).sum())
    if labelled < n:
        some = f"{n - labelled} of {n} images have no label"
        warnings.append(f"{some}: negatives for AP and F1, left out of lrap and R-precision")
    metrics = _metrics(found, n, labelled, rule, postprocess, probs is not None, thresholds)
    frequency = np.broadcast_to(support.astype(np.float32), (n, c))
    return MultiScored(
        metrics=metrics,
        per_label=_per_label(found, truth, class_keys, class_names, units, thresholds),
        lines={
            "prevalence": float((support[support > 0] / n).mean()),
            "prevalence_micro": float(truth.mean()),
            "constant_ranking": float(top_k_hits(frequency, truth)[0].sum() / support.sum()),
        },
        access_level=access_level(rule, postprocess),
        scores=final,
        n=n,
        n_unlabelled=n - labelled,
        ties=ties,
        rule=rule,
        postprocess=postprocess,
        warnings=(*warnings, *_label_warnings(found, support, class_keys)),
        clustering=_clustering(found),
        replicates=_replicates(found, metrics),
        resampled=_resampled(found, metrics),
    )


def macro_map(scores: Float, truth: Mask, clusters: NDArray[Any] | None, seed: int = 0) -> Metric:
    """The headline alone.

    Args:
        scores: Scores as finally ranked, float32 (N, C).
        truth: Labels that hold, (N, C).
        clusters: Spatial cluster per image, (N,); None where positions are unknown.
        seed: Seed of the resamples.

    Returns:
        Value over the labels with a positive, None without any.
    """
    n = len(scores)
    if not truth.any():
        return Metric(value=None, ci=None, n=n, interval="none: no positive", average="macro")
    found = spread(
        _rankings(scores, truth),
        np.zeros((n, 0)),
        lambda totals: mean_defined(totals)[..., None],
        bounds=np.array([[0.0, 1.0]]),
        clusters=clusters,
        resample=False,
        seed=seed,
    )
    ci, label = found.intervals[0][:2]
    return Metric(value=float(found.estimate[0]), ci=ci, n=n, interval=label, average="macro")


def _rankings(scores: Float, truth: Mask) -> tuple[Ranking, ...]:
    return tuple(Ranking.of(scores[:, k], truth[:, k]) for k in range(scores.shape[1]))


def _metrics(
    found: Spread,
    n: int,
    labelled: int,
    rule: str,
    postprocess: str,
    calibrated: bool,
    thresholds: Thresholds | None,
) -> dict[str, Metric]:
    level, out = access_level(rule, postprocess), {}
    for j, (name, what) in enumerate(DEFINITIONS.items()):
        cut = what.threshold
        if thresholds is not None and name.endswith("_tuned"):
            cut = f"tuned on {thresholds.source}"
        value, (ci, label, *_) = float(found.estimate[j]), found.intervals[j]
        reason = ""
        if name in ("nll", "brier") and not calibrated:
            reason = "none: per-label probabilities need a cosine score, logit_scale and logit_bias"
        elif name.endswith("_tuned") and thresholds is None:
            reason = "none: no thresholds tuned on a validation set"
        elif level == 2 and name != HEADLINE:
            ci, label = None, f"none: {'dap' if rule == 'dap' else postprocess} depends on the sample"
        out[name] = Metric(
            value=None if reason else value,
            ci=None if reason else ci,
            n=labelled if name in PER_SAMPLE else n,
            interval=reason or label,
            average=what.average,
            threshold=cut,
            access_level=max(level, what.access_level),
        )
    return out


def _per_label(
    found: Spread,
    truth: Mask,
    keys: Sequence[str],
    names: Sequence[str],
    units: NDArray[Any] | None,
    thresholds: Thresholds | None,
) -> tuple[LabelResult, ...]:
    support, first = truth.sum(axis=0), len(NAMES)
    cuts = np.full(len(keys), np.inf) if thresholds is None else thresholds.values
    return tuple(
        LabelResult(
            key=keys[k],
            name=names[k],
            support=int(support[k]),
            prevalence=float(support[k] / len(truth)),
            average_precision=float(found.estimate[first + k]) if support[k] else None,
            ci=found.intervals[first + k].ci if enough_units(truth[:, k], units) else None,
            threshold=float(cuts[k]) if np.isfinite(cuts[k]) else None,
        )
        for k in range(len(keys))
    )


def _label_warnings(found: Spread, support: Index, keys: Sequence[str]) -> list[str]:
    """Labels that are missing from `map_macro`, always or in some resamples."""
    without = [key for key, n in zip(keys, support, strict=True) if not n]
    some = f"{len(without)} of {len(keys)} labels have no positive: left out of map_macro ({'; '.join(without)})"
    out = [some] if without else []
    drawn = "resamples of images" if found.resampled is None else f"of {len(found.resampled)} resamples of clusters"
    for k, key in enumerate(keys):
        j = len(NAMES) + k
        if not support[k]:
            continue
        if undefined := found.intervals[j].undefined:
            out.append(f"label {key!r} has no positive in {undefined} {drawn}: left out of map_macro there")
        if found.left_out is not None and np.isnan(found.left_out[:, j]).any():
            out.append(f"label {key!r} has positives in one cluster only: map_macro without it leaves the label out")
    return out


def _clustering(found: Spread) -> Clustering | None:
    if not found.sizes:
        return None
    effective = effective_clusters(np.array(list(found.sizes.values())))
    effect = found.intervals[NAMES.index(HEADLINE)].design_effect
    kept = found.sizes if len(found.sizes) <= MAX_REPLICATES else {}
    return Clustering(len(found.sizes), effective, effect, kept)


def _replicates(found: Spread, metrics: dict[str, Metric]) -> dict[str, dict[str, float]]:
    """Values without each cluster of the metrics that have an interval, as many as may be kept."""
    if found.left_out is None:
        return {}
    kept = [name for name in REPLICATED if metrics[name].ci][: MAX_REPLICATES // len(found.sizes)]
    columns = {name: found.left_out[:, NAMES.index(name)].tolist() for name in kept}
    return {name: dict(zip(found.sizes, column, strict=True)) for name, column in columns.items()}


def _resampled(found: Spread, metrics: dict[str, Metric]) -> dict[str, tuple[float, float]]:
    """Percentile intervals over resamples of clusters, for both averages of average precision."""
    if found.resampled is None:
        return {}
    out = {}
    for name in ("map_macro", "map_micro"):
        if metrics[name].ci is None:
            continue
        j = NAMES.index(name)
        draws = found.resampled[:, j]
        ends = np.quantile(draws, [0.025, 0.975]) + found.estimate[j] - draws.mean()
        out[name] = (float(max(ends[0], 0)), float(min(ends[1], 1)))
    return out
