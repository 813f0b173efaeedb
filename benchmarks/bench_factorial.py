"""CPU seconds of the styles-against-models comparison, beside the scores and intervals of the same cells.

27,000 images x 512 dimensions, 10 classes x 51 prompts, 2 models x 3 styles; then a multi-label set. Run with
`python benchmarks/bench_factorial.py`.
"""

from __future__ import annotations

import resource
import time

import numpy as np

from senbench.scoring.classifier import Classifier, unit
from senbench.scoring.comparison.contrasts import ResampledCell, contrasts
from senbench.scoring.intervals.crossed_bootstrap import Units, cell_draws, draws_for, prompt_weights
from senbench.scoring.multi_label.evaluate import score_multi_label
from senbench.scoring.postprocess import Scoring
from senbench.scoring.sample import Sample
from senbench.scoring.single_label.evaluate import zero_shot

D, PER_CLASS = 512, 51
MODELS, STYLES = ("a", "b"), ("aerial", "ground", "generic")


def embeddings(n: int, c: int, seed: int) -> tuple[np.ndarray, list[list[np.ndarray]], np.ndarray]:
    """Images, each style's unit prompt rows by class, labels."""
    rng = np.random.default_rng(seed)
    prototypes = rng.normal(size=(c, D)).astype(np.float32)
    labels = rng.integers(0, c, n)
    images = 0.12 * prototypes[labels] + rng.normal(size=(n, D)).astype(np.float32)
    texts = [[unit(0.3 * p + rng.normal(size=(PER_CLASS, D))) for p in prototypes] for _ in STYLES]
    return images, texts, labels


def measure(n: int, c: int, clusters: np.ndarray | None, *, multi: bool, n_models: int = 2, n_styles: int = 3) -> None:
    """One line."""
    models, styles = MODELS[:n_models], STYLES[:n_styles]
    keys = [str(k) for k in range(c)]
    text_class = np.repeat(np.arange(c), PER_CLASS)
    data = {model: embeddings(n, c, seed) for seed, model in enumerate(models)}
    labels = data["a"][2]
    if multi:
        labels = np.eye(c, dtype=bool)[labels] | (np.random.default_rng(9).random((n, c)) < 0.1)
    sample = Sample(labels, keys, clusters)
    wall, cpu = time.perf_counter(), time.process_time()
    for images, texts, _ in data.values():
        for style in texts[:n_styles]:
            classifier = Classifier.of(np.concatenate(style), text_class, c, Scoring(logit_scale=20.0))
            if multi:
                score_multi_label(classifier.scores(images), sample)
            else:
                zero_shot(classifier, images, sample)
    plain = time.process_time() - cpu
    wall, cpu = time.perf_counter(), time.process_time()
    draws = draws_for(labels)
    units = Units.of(sample, draws, 0)
    cells = {}
    for model, (images, texts, _) in data.items():
        for s, (name, style) in enumerate(zip(styles, texts, strict=False)):
            weights = prompt_weights(style, [100 * s + k for k in range(c)], draws, 0)
            found = cell_draws(images, style, weights, labels, units)
            cells[model, name] = ResampledCell(0.5, np.full(c, 0.5), found, PER_CLASS)
    contrasts(cells, models, styles, (), {s: s for s in styles}, sample)
    spent, passed = time.process_time() - cpu, time.perf_counter() - wall
    where = "images" if clusters is None else f"{len(np.unique(clusters))} clusters"
    print(f"{n:8,}{c:5}{len(cells):7}{where:>14}{draws:7}{plain:14.1f}{spent:17.1f}{passed:8.1f}{spent / plain:7.2f}")


def main() -> None:
    """Print the table."""
    print(
        f"{'images':>8}{'C':>5}{'cells':>7}{'units':>14}{'draws':>7}{'scores CPU s':>14}{'factorial CPU s':>17}", end=""
    )
    print(f"{'wall s':>8}{'ratio':>7}")
    measure(27_000, 10, None, multi=False)
    measure(27_000, 10, np.arange(27_000) % 100, multi=False)
    measure(27_000, 19, np.arange(27_000) % 100, multi=True, n_models=1, n_styles=1)
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
