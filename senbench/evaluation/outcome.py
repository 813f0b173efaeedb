"""Embeddings in, all figures out, for single-label and multi-label datasets alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from senbench.errors import UsageError
from senbench.scoring.single_label.evaluate import zero_shot

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.scoring import Float
    from senbench.scoring.classifier import Classifier
    from senbench.scoring.figures import Outcome
    from senbench.scoring.sample import Sample


@dataclass(frozen=True)
class LabelledSplit:
    """An embedded split whose labels are used: thresholds are tuned or supervised anchors are trained on it.

    Attributes:
        rows: Image embeddings, float32 (V, D).
        sample: Their labels, and clusters where these matter.
        split: Its name.
        n_expected: Tiles it should have.
        index_hash: Which tiles, with which labels.
    """

    rows: Float
    sample: Sample
    split: str
    n_expected: int
    index_hash: str

    def take(self, chosen: NDArray[Any]) -> LabelledSplit:
        """Part of the images, by position or mask."""
        return replace(self, rows=self.rows[chosen], sample=self.sample.take(chosen))


def outcome(
    classifier: Classifier, images: NDArray[Any], sample: Sample, tuning: LabelledSplit | None = None, seed: int = 0
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
        thresholds = tune_thresholds(seen, tuning.sample.labels, tuning.split)
    found = score_multi_label(
        classifier.scores(images), sample, scoring, class_names=classifier.names, thresholds=thresholds, seed=seed
    )
    return found if sample.countries is None else replace(found, groups=by_country(found.scores, sample, seed))
