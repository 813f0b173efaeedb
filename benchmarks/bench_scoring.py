"""Seconds for scores and intervals, 27,000 images x 512 dimensions, 10 classes x 51 prompts.

Run with `python benchmarks/bench_scoring.py`; one line per configuration.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from senbench.scoring.classifier import Classifier
from senbench.scoring.multi_label.evaluate import score_multi_label
from senbench.scoring.postprocess import Scoring
from senbench.scoring.sample import Sample
from senbench.scoring.single_label.evaluate import zero_shot

if TYPE_CHECKING:
    from collections.abc import Callable

N, D, C, PER_CLASS = 27_000, 512, 10, 51


def timed(call: Callable[[], object], times: int = 3) -> float:
    """Best of a few runs, in seconds."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def main() -> None:
    """Print the table."""
    rng = np.random.default_rng(0)
    prototypes = rng.normal(size=(C, D))
    labels = rng.integers(0, C, N)
    text_class = np.repeat(np.arange(C), PER_CLASS)
    images = (0.12 * prototypes[labels] + rng.normal(size=(N, D)) + 0.5).astype(np.float32)
    texts = (0.3 * prototypes[text_class] + rng.normal(size=(C * PER_CLASS, D)) + 0.5).astype(np.float32)
    keys = [str(k) for k in range(C)]
    tiles = rng.integers(0, 100, N)
    print(f"{'rule':16}{'post-processing':18}{'units':14}{'scores s':>10}{'metrics and intervals s':>26}")
    for rule, postprocess, clusters in (
        ("norm-mean-norm", "none", None),
        ("norm-mean-norm", "none", tiles),
        ("norm-mean-norm", "none", np.arange(N) // 9),
        ("norm-mean-norm", "column-mean", None),
        ("norm-mean-norm", "column-mean", tiles),
        ("prob-mean", "none", None),
        ("dap", "none", None),
    ):
        scoring, sample = Scoring(rule, postprocess, logit_scale=20.0), Sample(labels, keys, clusters)

        def classifier() -> Classifier:
            return Classifier.of(texts, text_class, C, scoring, template_aligned=True)  # noqa: B023

        def scores() -> object:
            return classifier().scores(images)

        def everything() -> object:
            return zero_shot(classifier(), images, sample)  # noqa: B023

        first, all_of_it = timed(scores), timed(everything)
        units = "images" if clusters is None else f"{len(np.unique(clusters))} clusters"
        print(f"{rule:16}{postprocess:18}{units:14}{first:10.2f}{all_of_it - first:26.2f}")
    multi = rng.normal(size=(N, 19)).astype(np.float32)
    truth = rng.random((N, 19)) < 0.15
    keys = [str(k) for k in range(19)]
    for clusters in (None, tiles):
        units = "images" if clusters is None else "100 clusters"
        sample = Sample(truth, keys, clusters)
        seconds = timed(lambda: score_multi_label(multi, sample), 1)  # noqa: B023
        print(f"{'multi-label x 19':34}{units:14}{'':10}{seconds:26.2f}")


if __name__ == "__main__":
    main()
