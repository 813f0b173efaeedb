"""Prompt sets: what a second one costs, and draws of prompts against scoring each in the ordinary way."""

from __future__ import annotations

import eurosat_files
import numpy as np
import pytest

from senbench.evaluation.grid import run
from senbench.prompts import resampling
from senbench.prompts.pool import Pool, Truth
from senbench.schema.run_spec import RunSpec
from senbench.scoring.classifier import class_scores

pytestmark = [pytest.mark.benchmark(group="prompts"), pytest.mark.whole]
CLASSES, PER_CLASS, DIMENSION = 10, 51, 512


def test_a_second_set(against, tmp_path):
    """Two sets in one run of `mini` over 2,000 JPEGs, against one; ratio in runs of one set."""
    eurosat_files.packed(tmp_path / "EuroSAT.zip", eurosat_files.jpegs(200))
    how = {"models": ("mini",), "datasets": ("eurosat-rgb",), "data_dir": str(tmp_path), "offline": True}
    how |= {"device": "cpu", "cache": False, "results": str(tmp_path / "results")}
    one, two = (lambda sets=sets: run(RunSpec(prompts=sets, **how)) for sets in (("ground",), ("ground", "aerial")))
    against(two, one, what="a run of one set", work=2, rounds=3)


def test_draws(against):
    """200 draws of half of 510 prompts over 27,000 images, against scoring four of them in the ordinary way."""
    rng, n, draws, done = np.random.default_rng(0), 27_000, 200, 4
    labels = rng.integers(0, CLASSES, n)
    centres = rng.standard_normal((CLASSES, DIMENSION), np.float32)
    images = rng.standard_normal((n, DIMENSION), np.float32) + np.float32(0.15) * centres[labels]
    text_class = np.repeat(np.arange(CLASSES), PER_CLASS)
    texts = rng.standard_normal((len(text_class), DIMENSION), np.float32) + np.float32(0.3) * centres[text_class]
    truth, pool = Truth(labels, CLASSES), Pool.of(images, texts, text_class, CLASSES)
    half = resampling.check_size(pool.counts, None)

    def resample() -> None:
        resampling.resampled(pool, truth, resampling.draw(pool.counts, half, draws, 0))

    ordinary = lambda: [class_scores(images, texts, text_class, CLASSES) for _ in range(done)]  # noqa: E731
    against(resample, ordinary, what="the ordinary path, per draw", work=draws / done, goal=50, rounds=3)
