"""Embeddings in, all figures out, for single-label and multi-label datasets alike."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from senbench.errors import UsageError
from senbench.scoring.single_label.evaluate import zero_shot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.scoring import Float, Mask
    from senbench.scoring.classifier import Classifier
    from senbench.scoring.figures import Outcome
    from senbench.scoring.sample import Sample


class Tuning(NamedTuple):
    """The split on which thresholds are tuned."""

    rows: Float
    """Image embeddings, (V, D)."""
    labels: Mask
    """Multi-hot labels, (V, C)."""
    split: str
    """Its name."""
    n_expected: int
    """Tiles it should have."""
    index_hash: str
    """Which tiles, with which labels."""


def outcome(
    classifier: Classifier, images: NDArray[Any], sample: Sample, tuning: Tuning | None = None, seed: int = 0
) -> Outcome:
    """Score embeddings and evaluate them.

    Args:
        classifier: Model and prompts, with class names.
        images: Image embeddings, (N, D).
        sample: Their labels, clusters and countries.
        tuning: Multi-label: the split on which thresholds are tuned; None: no `tuned` figures.
        seed: Seed of the resamples.

    Returns:
        All figures; with the headline by country where a multi-label sample has countries.

    Raises:
        UsageError: Values that do not fit.
    """
    if sample.labels.ndim == 1:
        return zero_shot(classifier, images, sample, seed)
    # here, so that single-label runs are spared these imports
    from senbench.scoring.multi_label.evaluate import score_multi_label
    from senbench.scoring.multi_label.groups import by_country
    from senbench.scoring.multi_label.thresholds import tune_thresholds

    scoring, thresholds = classifier.scoring, None
    if tuning is not None:
        if scoring.rule == "dap":
            raise UsageError("thresholds cannot be tuned for ensemble dap, whose scores depend on the evaluated images")
        seen, _ = scoring.finish(classifier.scores(tuning.rows), sample.class_keys)
        thresholds = tune_thresholds(seen, tuning.labels, tuning.split)
    found = score_multi_label(
        classifier.scores(images), sample, scoring, class_names=classifier.names, thresholds=thresholds, seed=seed
    )
    return found if sample.countries is None else replace(found, groups=by_country(found.scores, sample, seed))
