"""Changes from one model to another on the same images: the headline, each class, and the flipped images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.scoring.comparison.all_pairs import mean_replicates
from senbench.scoring.comparison.cluster_tests import (
    MIN_WILD_CLUSTERS,
    cluster_robust,
    sign_flip_p,
    smallest_sign_flip_p,
    wild_interval,
)
from senbench.scoring.comparison.holm import holm
from senbench.scoring.comparison.mcnemar import mcnemar, mcnemar_interval
from senbench.scoring.comparison.paired import MARGIN, PairedDifference, by_largest, minimum_detectable
from senbench.scoring.comparison.rank_intervals import ALPHA
from senbench.scoring.intervals.average_precision import Spread, spread
from senbench.scoring.intervals.block_sizes import BlockSizes
from senbench.scoring.intervals.interval import Statistic
from senbench.scoring.multi_label.ranking import Ranking
from senbench.scoring.single_label.metrics import mean_defined

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.scoring import Array, Float, Index, Mask
    from senbench.scoring.sample import Sample

    Clusters = NDArray[Any] | BlockSizes | None


@dataclass(frozen=True)
class Change:
    """One figure of two runs on the same images.

    Attributes:
        before: Figure of the first run, None if undefined.
        after: Figure of the second.
        paired: Second minus first, with its paired interval. In a family the interval has the level at which Holm tests
            this member, so that it excludes 0 exactly if the adjusted p is below 5 %.
        p: Two-sided p of no difference, by `test`, on which the interval is based too; None if nothing could be tested.
        test: `mcnemar-exact`, `paired-t` or `none`.
        minimum_detectable: Smallest true difference that such a study detects with a power of 80 %; None without an
            error.
        p_adjusted: p after Holm over the family shown; None outside a family.
        second_opinions: Other intervals of the same difference, for a mean over clusters: `cr2-t`,
            `wild-cluster`.
        sign_flip: p of the same difference by the cluster sign-flip test, for a mean over clusters.
        smallest_sign_flip: Smallest p that the sign-flip test can give with so many clusters.
        p_equivalent: p of two one-sided tests that the difference is beyond `margin`; below 0.05 the two are
            equivalent.
        margin: Largest difference, as a share, that does not matter.
        counts: Images gained and lost, and all; only without clusters.
    """

    before: float | None
    after: float | None
    paired: PairedDifference
    p: float | None
    test: str
    minimum_detectable: float | None
    p_adjusted: float | None = None
    second_opinions: dict[str, tuple[float, float]] | None = None
    sign_flip: float | None = None
    smallest_sign_flip: float | None = None
    p_equivalent: float | None = None
    margin: float = MARGIN
    counts: tuple[int, int, int] | None = None

    def at(self, alpha: float) -> Change:
        """Return the same change with an interval of level 1 - alpha, by the same test."""
        if self.counts is None or self.paired.ci is None:
            return replace(self, paired=self.paired.at(alpha))
        return replace(self, paired=replace(self.paired, ci=mcnemar_interval(*self.counts, alpha)))


def accuracy_change(before: Mask, after: Mask, clusters: Clusters) -> Change:
    """Return the change of the share of correctly classified images.

    Args:
        before: Whether the first run is right, (N,), N >= 1.
        after: Whether the second is, (N,).
        clusters: Spatial cluster per image, (N,); of several block sizes, the one with the largest standard error is
            used. None if positions are unknown: each image is then its own cluster, and the test is McNemar's exact
            one.

    Returns:
        The change; with clusters tested by the jackknife's t, and by sign flips as a second opinion.
    """
    change, sums, sizes = _mean_change(before, after, clusters)
    if clusters is None or change.paired.ci is None or np.count_nonzero(sums) < MIN_WILD_CLUSTERS:
        return change
    others = {"cr2-t": cluster_robust(sums, sizes).ci, "wild-cluster": wild_interval(sums, sizes)}
    return replace(change, second_opinions=others)


def _mean_change(before: Mask, after: Mask, clusters: Clusters) -> tuple[Change, Array, Index]:
    """Return the change, and for its clusters the sums of after - before and the numbers of images, (G,) each."""
    n = len(before)
    blocks = BlockSizes.of(np.arange(n) if clusters is None else clusters)
    moved = after.astype(float) - before
    sums = {size: np.bincount(codes, moved).astype(np.float64) for size, codes in blocks.codes.items()}
    counts = {size: np.bincount(codes).astype(np.int64) for size, codes in blocks.codes.items()}
    left_out = {size: mean_replicates(sums[size], counts[size]) for size in blocks.usable()}
    paired = by_largest(float(moved.sum() / n), left_out, blocks, images=clusters is None)
    change = _tested(float(before.mean()), float(after.mean()), paired)
    differences, sizes = sums[paired.size], counts[paired.size]
    if clusters is None:
        gained, lost = int((after & ~before).sum()), int((before & ~after).sum())
        p = float(mcnemar(gained, lost))
        if paired.ci is not None:
            label = f"paired-mcnemar-exact ({n} images; too narrow where images share a place)"
            paired = replace(paired, ci=mcnemar_interval(gained, lost, n), p=p, interval=label)
        change = replace(change, paired=paired, p=p, test="mcnemar-exact", counts=(gained, lost, n))
    elif paired.error is not None:
        change = replace(
            change, sign_flip=sign_flip_p(differences, sizes), smallest_sign_flip=smallest_sign_flip_p(len(sizes))
        )
    return change, differences, sizes


def recall_changes(before: Mask, after: Mask, sample: Sample) -> list[Change]:
    """Return the change of each class's recall, with Holm's correction over the classes that can be tested.

    Args:
        before: Whether the first run is right, (N,).
        after: Whether the second is, (N,).
        sample: True class of the images, (N,), and clusters.

    Returns:
        One change per class; without interval and test if fewer than ten clusters (or images) contain the class.
    """
    changes = []
    for k, enough in enumerate(sample.enough_units):
        rows = sample.positive(k)
        if not rows.any():
            nothing = PairedDifference(float("nan"), None, None, None, 0, 0.0, "none: no image of the class")
            changes.append(Change(None, None, nothing, None, "none", None))
            continue
        change = _mean_change(before[rows], after[rows], sample.take(rows).clusterings)[0]
        changes.append(change if enough else _withheld(change, sample.too_rare))
    return _family(changes)


def precision_changes(before: Float, after: Float, sample: Sample) -> tuple[Change, list[Change]]:
    """Return the changes of macro mAP and of each label's average precision, from values without each cluster.

    Args:
        before: Scores of the first run, (N, C).
        after: Scores of the second, (N, C).
        sample: Multi-hot labels of the images, (N, C), and clusters; if these are unknown, each image is left out, to
            first order.

    Returns:
        The change of macro mAP, and that of each label with Holm's correction over those that can be tested.
    """
    first, second = (precisions(scores, sample.labels, sample.clusterings) for scores in (before, after))
    blocks = BlockSizes.of(sample.codes if sample.clusterings is None else sample.clusterings)
    changes = []
    for j, enough in enumerate((True, *sample.enough_units)):
        a, b = (None if np.isnan(side.estimate[j]) else float(side.estimate[j]) for side in (first, second))
        left_out = {size: second.left_out[size][:, j] - values[:, j] for size, values in first.left_out.items()}
        left_out = left_out or {blocks.own: np.full(len(sample.sizes), np.nan)}
        difference = float(second.estimate[j] - first.estimate[j])
        change = _tested(a, b, by_largest(difference, left_out, blocks, images=sample.clusters is None))
        changes.append(change if enough else _withheld(change, sample.too_rare))
    return changes[0], _family(changes[1:])


def precisions(scores: Float, truth: NDArray[Any], clusters: Clusters) -> Spread:
    """Macro mAP, then the average precision of each label, with their values without each cluster.

    Args:
        scores: (N, C).
        truth: Multi-hot labels, (N, C).
        clusters: Spatial cluster per image, (N,), or those of several sizes; None: each image is one.
    """
    n, c = truth.shape
    both = Statistic(
        lambda totals: np.concatenate([mean_defined(totals)[..., None], totals], axis=-1),
        np.tile([0.0, 1.0], (1 + c, 1)),
    )
    return spread(
        Ranking.of_labels(scores, truth),
        np.zeros((n, 0)),
        both,
        clusters=np.arange(n) if clusters is None else clusters,
        resample=False,
    )


def _tested(before: float | None, after: float | None, paired: PairedDifference) -> Change:
    """Return the change with the test on which its interval is based."""
    detectable = minimum_detectable(paired.error, paired.df) if paired.error else None
    test = "none" if paired.p is None else "paired-t"
    return Change(before, after, paired, paired.p, test, detectable, p_equivalent=paired.p_equivalent())


def _withheld(change: Change, reason: str) -> Change:
    paired = replace(change.paired, ci=None, error=None, p=None, interval=reason, by_size=())
    return Change(change.before, change.after, paired, None, "none", None)


def _family(changes: list[Change]) -> list[Change]:
    adjusted = holm(np.array([np.nan if change.p is None else change.p for change in changes], np.float64))
    return [
        change if change.p is None else replace(_at_its_step(change, float(p), len(changes)), p_adjusted=float(p))
        for change, p in zip(changes, adjusted, strict=True)
    ]


def _at_its_step(change: Change, adjusted: float, members: int) -> Change:
    """Return the change with its interval at the level at which Holm tests it: 5 % / (adjusted p / p)."""
    share = change.p / adjusted if change.p else 1 / members
    return change.at(ALPHA * share)
