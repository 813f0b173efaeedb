"""Computes all figures from embeddings, for single-label and multi-label datasets."""

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
    """An embedded split whose labels are used to tune thresholds or to train supervised anchors.

    Attributes:
        rows: Image embeddings, float32 (V, D).
        sample: Their labels, and clusters if these are needed.
        split: Its name.
        n_expected: Number of tiles that the split should have.
        index_hash: Hash of the tiles and their labels.
    """

    rows: Float
    sample: Sample
    split: str
    n_expected: int
    index_hash: str

    def take(self, chosen: NDArray[Any]) -> LabelledSplit:
        """Select images by position or mask."""
        return replace(self, rows=self.rows[chosen], sample=self.sample.take(chosen))


def outcome(
    classifier: Classifier, images: NDArray[Any], sample: Sample, tuning: LabelledSplit | None = None, seed: int = 0
) -> Outcome:
    """Score embeddings and evaluate them.

    Args:
        classifier: Model and prompts, with class names.
        images: Image embeddings, (N, D).
        sample: Their labels, clusters and countries.
        tuning: Multi-label: the split on which thresholds are tuned; None gives no `tuned` figures.
        seed: Seed of the resamples.

    Returns:
        All figures, with the headline by country if a multi-label sample has countries.

    Raises:
        UsageError: Shapes or values are wrong.
    """
    if sample.labels.ndim == 1:
        return zero_shot(classifier, images, sample, seed)
    # imported here, because single-label runs do not need them
    from senbench.scoring.multi_label.evaluate import score_multi_label
    from senbench.scoring.multi_label.groups import by_country
    from senbench.scoring.multi_label.thresholds import tune_thresholds

    scoring, thresholds = classifier.scoring, None
    if tuning is not None:
        if scoring.rule == "dap":
            raise UsageError("thresholds cannot be tuned for ensemble dap, whose scores depend on the evaluated images")
        tuning_scores, _ = scoring.finish(classifier.scores(tuning.rows), sample.class_keys)
        thresholds = tune_thresholds(tuning_scores, tuning.sample.labels, tuning.split)
    evaluated = score_multi_label(
        classifier.scores(images), sample, scoring, class_names=classifier.names, thresholds=thresholds, seed=seed
    )
    return (
        evaluated if sample.countries is None else replace(evaluated, groups=by_country(evaluated.scores, sample, seed))
    )
