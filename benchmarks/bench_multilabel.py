"""Seconds and peak memory of macro and micro mAP with intervals at the size of BigEarthNet's test sets.

Run with `python benchmarks/bench_multilabel.py [IMAGES]`: 120,000 images x 19 labels in 60 tiles of unequal size by
default, scores and labels that hang together within a tile. The goal is 20 s on 2 cores and 1 GB.
"""

from __future__ import annotations

import os
import resource
import sys
import time

import numpy as np

from senbench.scoring.intervals.leave_one_tile_out import average_precision, leave_one_out, resamples
from senbench.scoring.multi_label.evaluate import score_multi_label
from senbench.scoring.multi_label.ranking import Ranking
from senbench.scoring.postprocess import Scoring
from senbench.scoring.sample import Sample

LABELS, TILES = 19, 60
IMAGES = 120_000


def peak_mb() -> float:
    """Largest resident memory of this process so far, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def synthetic(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores float32 (n, 19), labels bool (n, 19) with a mean of about three, and tile of each image (n,)."""
    rng = np.random.default_rng(0)
    share = rng.lognormal(0, 0.7, TILES)
    tile = rng.choice(TILES, n, p=share / share.sum())
    prevalence = np.geomspace(0.45, 0.02, LABELS)
    logit = np.log(prevalence / (1 - prevalence)) + rng.normal(0, 0.6, (TILES, LABELS))
    truth = rng.random((n, LABELS)) < 1 / (1 + np.exp(-logit))[tile]
    scores = rng.normal(0, 0.02, (n, LABELS)).astype(np.float32) + np.float32(0.2) + np.float32(0.02) * truth
    scores += rng.normal(0, 0.01, (TILES, LABELS)).astype(np.float32)[tile]
    return scores, truth, tile


def main() -> None:
    """Print the table."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    scores, truth, tile = synthetic(n)
    keys = [str(k) for k in range(LABELS)]
    load = os.getloadavg()[0]
    print(f"{n:,} x {LABELS}, {TILES} tiles, {truth.mean(axis=0).sum():.2f} labels an image, load {load:.1f}")
    print(f"{'':44}{'s':>8}{'CPU s':>8}{'peak MB':>10}")
    before = peak_mb()

    def line(what: str, began: float, cpu: float) -> None:
        spent = time.perf_counter() - began, time.process_time() - cpu
        print(f"{what:44}{spent[0]:8.2f}{spent[1]:8.2f}{peak_mb():10.0f}", flush=True)

    print(f"{'Python, numpy and the arrays':60}{before:10.0f}")
    began, cpu = time.perf_counter(), time.process_time()
    rankings = [Ranking.of(scores[:, k], truth[:, k]) for k in range(LABELS)]
    rankings.append(Ranking.of(scores.ravel(), truth.ravel(), np.repeat(np.arange(n), LABELS)))
    line("rankings, sorted once", began, cpu)
    for what, times in (("left out in turn", leave_one_out(TILES)), ("resampled", resamples(TILES, seed=0))):
        began, cpu = time.perf_counter(), time.process_time()
        values = average_precision(rankings, tile, times)
        line(f"{len(times):,} weightings, tiles {what}", began, cpu)
        worst = 0.0
        for row in (0, len(times) // 2, len(times) - 1):
            weights = times[row].astype(np.float32)[tile]
            worst = max(worst, float(np.abs(values[row] - [r.average_precision(weights) for r in rankings]).max()))
        print(f"  largest difference from one pass per weighting: {worst:.1e}")
    del rankings, values
    began, cpu = time.perf_counter(), time.process_time()
    scored = score_multi_label(scores, Sample(truth, keys, tile), Scoring(logit_scale=100.0, logit_bias=-20.0))
    line("every multi-label figure with its interval", began, cpu)
    for name in ("map_macro", "map_micro"):
        print(f"  {name}: {scored.metrics[name].value:.4f} {scored.metrics[name].ci} {scored.metrics[name].interval}")


if __name__ == "__main__":
    main()
