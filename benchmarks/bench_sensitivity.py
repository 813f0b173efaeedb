"""Sensitivity to prompts at EuroSAT's size: 27,000 images, 510 prompts, 500 draws, random embeddings.

Run: `python benchmarks/bench_sensitivity.py [--images N] [--draws N]`. Seconds are CPU seconds of the process on all of
its threads; the draws are compared with the ordinary scoring path, one `class_scores` per draw, in the same run.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from senbench.prompts import resampling
from senbench.prompts.pool import Pool, Truth
from senbench.scoring.classifier import class_scores

CLASSES, PER_CLASS, DIMENSION = 10, 51, 512


def main() -> None:
    """Print seconds by stage, their sum, and the peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=27_000)
    parser.add_argument("--draws", type=int, default=500)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    labels = rng.integers(0, CLASSES, options.images)
    centres = rng.standard_normal((CLASSES, DIMENSION), np.float32)
    images = rng.standard_normal((options.images, DIMENSION), np.float32)
    images += 0.15 * centres[labels]
    text_class = np.repeat(np.arange(CLASSES), PER_CLASS)
    texts = rng.standard_normal((len(text_class), DIMENSION), np.float32) + 0.3 * centres[text_class]
    truth = Truth(labels, CLASSES)
    spent: dict[str, float] = {}

    def timed(name: str, began: float) -> float:
        spent[name] = time.process_time() - began
        return time.process_time()

    now = time.process_time()
    pool = Pool.of(images, texts, text_class, CLASSES)
    now = timed("cosines", now)
    half = resampling.check_size(pool.counts, None)
    figures = resampling.resampled(pool, truth, resampling.draw(pool.counts, half, options.draws, 0))
    band = resampling.Band.of(truth.summary("top1", figures))
    now = timed("draws", now)
    for k in resampling.steps(half):
        resampling.resampled(pool, truth, resampling.draw(pool.counts, k, options.draws, 0))
    now = timed("curve", now)
    everything, _ = resampling.left_out(pool, truth)
    timed("leave-one-out", now)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    now = time.process_time()
    for _ in range(3):
        class_scores(images, texts, text_class, CLASSES)
    ordinary = (time.process_time() - now) / 3
    print(f"{options.images:,} images x {len(text_class)} prompts x {options.draws} draws of {half} per class")
    print(", ".join(f"{name} {seconds:.1f} s" for name, seconds in spent.items()))
    print(f"together {sum(spent.values()):.1f} CPU seconds, peak {peak:,.0f} MB")
    print(
        f"a draw costs {1000 * spent['draws'] / options.draws:.1f} ms, the ordinary path {1000 * ordinary:.0f} ms: "
        f"ratio {ordinary * options.draws / spent['draws']:.0f}"
    )
    print(f"top-1 {truth.summary('top1', everything):.3f}, band {band.low:.3f} to {band.high:.3f}")


if __name__ == "__main__":
    main()
