"""Computes every multi-label figure with its uncertainty from scores and multi-hot labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from senbench.errors import UsageError
from senbench.schema.result import Clustering, LabelFigures, Metric
from senbench.scoring.figures import Outcome, with_scores
from senbench.scoring.intervals.average_precision import MAX_CLUSTERS, Spread, spread
from senbench.scoring.intervals.block_sizes import size_warnings
from senbench.scoring.intervals.clustered import effective_clusters
from senbench.scoring.intervals.interval import Statistic
from senbench.scoring.multi_label.ranking import Ranking, top_k_hits
from senbench.scoring.multi_label.sums import DEFINITIONS, NAMES, PER_SAMPLE, bounds, image_rows, statistic
from senbench.scoring.multi_label.thresholds import Thresholds, above_image_mean, check_multi_hot, check_thresholds
from senbench.scoring.postprocess import DEFAULT, Scoring
from senbench.scoring.single_label.metrics import mean_defined

if TYPE_CHECKING:
    from collections.abc import Sequence

    from senbench.schema.result import BlockError
    from senbench.scoring import Float, Index
    from senbench.scoring.sample import Sample

HEADLINE = "map_macro"
REPLICATED = (HEADLINE, "map_micro", "r_precision_micro")
"""Metrics whose values without each cluster are stored for paired tests."""
RARE = 5
"""Positives up to which the upward bias of average precision noticeably affects the mean over labels."""
TUNING_NOISE = "the interval takes the thresholds as given: another validation set would give others"
"""Note of figures at tuned thresholds."""
MAX_REPLICATES = 600
"""Most values stored: three metrics of 200 clusters, or the headline of 600."""


def score_multi_label(
    scores: Float,
    sample: Sample,
    scoring: Scoring = DEFAULT,
    *,
    class_names: Sequence[str] = (),
    thresholds: Thresholds | None = None,
    seed: int = 0,
) -> Outcome:
    """Evaluate class scores against multi-hot labels (definitions in docs/methods.md).

    Args:
        scores: Scores before post-processing, float32 (N, C).
        sample: The images: multi-hot labels, 0 or 1, (N, C), class keys and clusters.
        scoring: Settings of the scores. Without a logit scale and a bias there are no per-label probabilities.
        class_names: Class names as prompted, C; empty for the class keys.
        thresholds: From `tune_thresholds` on equally post-processed scores; None gives no `tuned` figures.
        seed: Seed of the resamples.

    Returns:
        All figures except those by country. With `column-mean` and `dap` only average precision per label and its mean
        have intervals, since the others depend on the sample through the post-processing.

    Raises:
        UsageError: Shapes or values are wrong, or there is no positive at all.
    """
    truth, keys = check_multi_hot(scores, sample.labels), sample.class_keys
    names = class_names or keys
    if not len(keys) == len(names) == scores.shape[1]:
        raise UsageError(
            f"{scores.shape[1]} score columns, {len(keys)} class keys, {len(names)} class names; expected one each"
        )
    support = truth.sum(axis=0)
    if not support.any():
        raise UsageError("no image has any label: nothing to rank")
    n, c = scores.shape
    if scoring.postprocess == "transclip":
        raise UsageError("transclip gives every image one class: use --postprocess none for several labels an image")
    final, warnings = scoring.finish(scores, keys)
    if thresholds is not None:
        check_thresholds(thresholds, keys)
        if never := [key for key, t in zip(keys, thresholds.values, strict=True) if np.isinf(t)]:
            warnings.append(f"never predicted at tuned thresholds, without a positive there: {', '.join(never)}")
    logits = None
    calibrated = scoring.postprocess == "none" and scoring.rule not in ("max", "dap", "prob-mean")
    if calibrated and scoring.logit_scale is not None and scoring.logit_bias is not None:
        logits = np.float64(scoring.logit_scale) * final + scoring.logit_bias
    hits, ties = top_k_hits(final, truth)
    tuned = None if thresholds is None else final >= thresholds.values
    spread_all = spread(
        (*Ranking.of_labels(final, truth), Ranking.of(final.ravel(), truth.ravel(), np.repeat(np.arange(n), c))),
        image_rows(final, truth, hits, logits, above_image_mean(final), tuned),
        Statistic(lambda totals: statistic(totals, c), bounds(len(NAMES) + c)),
        clusters=sample.clusterings,
        seed=seed,
    )
    labelled = int(truth.any(axis=1).sum())
    if labelled < n:
        some = f"{n - labelled} of {n} images have no label"
        warnings.append(f"{some}: negatives for AP and F1, left out of lrap and R-precision")
    images = {name: labelled if name in PER_SAMPLE else n for name in NAMES}
    metrics = _metrics(spread_all, images, scoring, thresholds, calibrated=logits is not None)
    clustering = _clustering(spread_all)
    if clustering is not None and sample.by_size is not None and clustering.by_size:
        warnings.extend(size_warnings(clustering.by_size))
        with np.errstate(invalid="ignore"):
            missed = 1 - hits / truth.sum(axis=1)  # NaN for images without a label
        clustering = clustering.model_copy(update={"morans_i": sample.by_size.morans_i(missed)})
    frequency = np.broadcast_to(support.astype(np.float32), (n, c))
    return Outcome(
        scores=final,
        n=n,
        metrics=metrics,
        lines={
            "prevalence": float((support[support > 0] / n).mean()),
            "prevalence_micro": float(truth.mean()),
            "constant_ranking": float(top_k_hits(frequency, truth)[0].sum() / support.sum()),
        },
        access_level=scoring.access_level,
        ties=ties,
        warnings=(*warnings, *_label_warnings(spread_all, support, keys)),
        per_label=with_scores(_per_label(spread_all, sample, support, names, thresholds), final),
        n_unlabelled=n - labelled,
        clustering=clustering,
        replicates=_replicates(spread_all, metrics),
        resampled=_resampled(spread_all, metrics),
    )


def macro_map(scores: Float, sample: Sample, seed: int = 0) -> Metric:
    """Compute the headline alone.

    Args:
        scores: Final scores, float32 (N, C).
        sample: The images: multi-hot labels, (N, C), and clusters.
        seed: Seed of the resamples.

    Returns:
        Value over the labels with a positive; None if there are none.
    """
    n, truth = len(scores), sample.labels
    if not truth.any():
        return Metric(value=None, ci=None, n=n, interval="none: no positive", average="macro")
    spread_all = spread(
        Ranking.of_labels(scores, truth),
        np.zeros((n, 0)),
        Statistic(lambda totals: mean_defined(totals)[..., None], np.array([[0.0, 1.0]])),
        clusters=sample.clusterings,
        resample=False,
        seed=seed,
    )
    ci, label = spread_all.intervals[0][:2]
    return Metric(value=float(spread_all.estimate[0]), ci=ci, n=n, interval=label, average="macro")


def _metrics(
    spread_all: Spread, images: dict[str, int], scoring: Scoring, thresholds: Thresholds | None, *, calibrated: bool
) -> dict[str, Metric]:
    level, out = scoring.access_level, {}
    for j, (name, what) in enumerate(DEFINITIONS.items()):
        cut = what.threshold
        if thresholds is not None and name.endswith("_tuned"):
            cut = f"tuned on {thresholds.source}"
        value, (ci, label, *_) = float(spread_all.estimate[j]), spread_all.intervals[j]
        reason = ""
        if name in ("nll", "brier") and not calibrated:
            reason = "none: per-label probabilities need a cosine score, logit_scale and logit_bias"
        elif name.endswith("_tuned") and thresholds is None:
            reason = "none: no thresholds tuned on a validation set"
        elif level == 2 and name != HEADLINE:
            ci, label = None, f"none: {'dap' if scoring.rule == 'dap' else scoring.postprocess} depends on the sample"
        out[name] = Metric(
            value=None if reason else value,
            ci=None if reason else ci,
            n=images[name],
            interval=reason or label,
            average=what.average,
            threshold=cut,
            access_level=max(level, what.access_level),
            note=TUNING_NOISE if name.endswith("_tuned") and not reason and ci is not None else None,
        )
    return out


def _per_label(
    spread_all: Spread, sample: Sample, support: Index, names: Sequence[str], thresholds: Thresholds | None
) -> tuple[LabelFigures, ...]:
    first = len(NAMES)
    cuts = np.full(len(names), np.inf) if thresholds is None else thresholds.values
    return tuple(
        LabelFigures(
            key=key,
            name=names[k],
            support=int(support[k]),
            prevalence=float(support[k] / len(sample.labels)),
            average_precision=float(spread_all.estimate[first + k]) if support[k] else None,
            ci=spread_all.intervals[first + k].ci if sample.enough_units[k] else None,
            threshold=float(cuts[k]) if np.isfinite(cuts[k]) else None,
        )
        for k, key in enumerate(sample.class_keys)
    )


def _label_warnings(spread_all: Spread, support: Index, keys: Sequence[str]) -> list[str]:
    """Return warnings on labels that are missing from `map_macro`, always or in some resamples."""
    without = [key for key, n in zip(keys, support, strict=True) if not n]
    rare = [f"{key} ({n})" for key, n in zip(keys, support, strict=True) if 0 < n <= RARE]
    some = f"{len(without)} of {len(keys)} labels have no positive: left out of map_macro ({'; '.join(without)})"
    out = [some] if without else []
    if rare:
        few = f"labels with {RARE} positives or fewer: {'; '.join(rare)}"
        out.append(f"{few}; their AP is biased upwards, and map_macro with it")
    drawn = (
        "resamples of images"
        if spread_all.resampled is None
        else f"of {len(spread_all.resampled)} resamples of clusters"
    )
    for k, key in enumerate(keys):
        j = len(NAMES) + k
        if not support[k]:
            continue
        if undefined := spread_all.intervals[j].undefined:
            out.append(f"label {key!r} has no positive in {undefined} {drawn}: left out of map_macro there")
        if spread_all.replicates is not None and np.isnan(spread_all.replicates[:, j]).any():
            out.append(f"label {key!r} has positives in one cluster only: map_macro without it leaves the label out")
    return out


def _clustering(spread_all: Spread) -> Clustering | None:
    if not spread_all.sizes:
        return None
    effective = effective_clusters(np.array(list(spread_all.sizes.values())))
    headline = spread_all.intervals[NAMES.index(HEADLINE)]
    kept = spread_all.sizes if len(spread_all.sizes) <= MAX_REPLICATES else {}
    return Clustering(
        clusters=len(spread_all.sizes),
        effective=effective,
        design_effect=headline.design_effect,
        sizes=kept,
        by_size=tuple(_with_replicates(one, spread_all) for one in headline.by_size),
    )


def _with_replicates(one: BlockError, spread_all: Spread) -> BlockError:
    """Add to the error of a block size the replicates for paired tests; those of the own size are in `replicates`."""
    values = spread_all.left_out.get(one.size)
    if values is None or values is spread_all.replicates or len(values) > MAX_CLUSTERS:
        return one
    return one.model_copy(update={"replicates": tuple(values[:, NAMES.index(HEADLINE)].tolist())})


def _replicates(spread_all: Spread, metrics: dict[str, Metric]) -> dict[str, dict[str, float]]:
    """Return the values without each cluster of the metrics that have an interval, up to the limit."""
    if spread_all.replicates is None:
        return {}
    kept = [name for name in REPLICATED if metrics[name].ci][: MAX_REPLICATES // len(spread_all.sizes)]
    columns = {name: spread_all.replicates[:, NAMES.index(name)].tolist() for name in kept}
    return {name: dict(zip(spread_all.sizes, column, strict=True)) for name, column in columns.items()}


def _resampled(spread_all: Spread, metrics: dict[str, Metric]) -> dict[str, tuple[float, float]]:
    """Return percentile intervals over resamples of clusters, for both averages of average precision."""
    if spread_all.resampled is None:
        return {}
    out = {}
    for name in ("map_macro", "map_micro"):
        if metrics[name].ci is not None:
            j = NAMES.index(name)
            resampled = spread_all.resampled[:, j]
            ends = np.quantile(resampled, [0.025, 0.975]) + spread_all.estimate[j] - resampled.mean()
            out[name] = (float(max(ends[0], 0)), float(min(ends[1], 1)))
    return out
