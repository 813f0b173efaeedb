"""What eight real models say about 106 templates: the figures of docs/prompt-rules.md.

    python tools/template_rules.py FOLDER/rs-transclip-whurs19 > table.md

FOLDER holds the image and text embeddings that RS-TransCLIP recorded (elkhouryk/RS-TransCLIP, MIT); they are not part
of this project, figures made from them are. Everything is zero-shot top-1 on 1,005 aerial images of 19 classes, in
points; intervals are 95 % percentile intervals of 2,000 paired bootstraps over images. Sets of templates are averaged
as `norm-mean-norm` does.
"""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from senbench.scoring.classifier import unit

Array = NDArray[np.float64]
SENSORS = ("satellite image", "aerial image", "remote sensing image")
DRAWS = 2000
SETS = 300
"""Random sets of templates where sets are drawn."""


class Model(NamedTuple):
    """Recorded embeddings of one model: unit images (N, D), labels (N,), unit texts (templates, classes, D)."""

    name: str
    images: NDArray[np.float32]
    labels: NDArray[np.int64]
    texts: NDArray[np.float32]

    def right(self, chosen: list[int]) -> NDArray[np.bool_]:
        """Which images the mean of some templates gets right, (N,)."""
        classifier = unit(self.texts[chosen].mean(0), "texts")
        found: NDArray[np.bool_] = (self.images @ classifier.T).argmax(1) == self.labels
        return found


def read(folder: Path) -> tuple[list[str], list[Model]]:
    """Templates, and the embeddings of every model."""
    recorded = json.loads((folder / "recorded.json").read_text(encoding="utf-8"))["models"]
    templates = [one["prompt"] for one in next(iter(recorded.values()))["prompts"]]
    models = []
    for name in recorded:
        with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
            texts = file["texts"].astype(np.float32)
            rows = unit(texts.reshape(-1, texts.shape[-1]), "texts").reshape(texts.shape)
            models.append(Model(name, unit(file["images"].astype(np.float32), "images"), file["labels"], rows))
    return templates, models


def interval(difference: Array) -> str:
    """Mean of per-image differences in points, with its interval."""
    rng = np.random.default_rng(0)
    times = rng.multinomial(len(difference), np.full(len(difference), 1 / len(difference)), DRAWS)
    drawn = 100 * times @ difference / len(difference)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return f"{100 * difference.mean():+.1f} [{low:+.1f}, {high:+.1f}]"


def means(model: Model, sets: list[list[int]]) -> Array:
    """Share of the sets that get each image right, (N,)."""
    return np.mean([model.right(one) for one in sets], axis=0)


def figures(templates: list[str], model: Model) -> list[str]:
    """One row: the rules that a single model can speak to."""
    every = list(range(len(templates)))
    single = means(model, [[j] for j in every])
    whole = model.right(every).astype(np.float64)
    plain = model.right([templates.index("a satellite photo of a")])
    rng = np.random.default_rng(1)
    by_sensor = {s: [j for j, text in enumerate(templates) if s in text] for s in SENSORS}
    twelve = np.array([model.right(list(rng.choice(every, 12, replace=False))).mean() for _ in range(SETS)])
    one = [list(rng.choice(by_sensor[s], 6, replace=False)) for s in SENSORS for _ in range(SETS // 3)]
    three = [[j for s in SENSORS for j in rng.choice(by_sensor[s], 2, replace=False)] for _ in range(SETS)]
    return [
        interval(whole - single),
        interval(whole - plain),
        f"{100 * (whole.mean() - twelve.mean()):+.1f}, sd {100 * twelve.std(ddof=1):.1f}",
        interval(means(model, three) - means(model, one)),
        interval(
            means(model, [[j] for j in by_sensor[SENSORS[0]]]) - means(model, [[j] for j in by_sensor[SENSORS[2]]])
        ),
        interval(_word(templates, model, "small")),
        interval(_word(templates, model, "hard to see")),
        *(_resolution(model, every, n, rng) for n in (15, 56)),
    ]


def _word(templates: list[str], model: Model, word: str) -> Array:
    """Per image: templates with a word minus the same templates without it."""
    pairs = [(j, templates.index(text.replace(f" {word}", ""))) for j, text in enumerate(templates) if word in text]
    return means(model, [[j] for j, _ in pairs]) - means(model, [[k] for _, k in pairs])


def _resolution(model: Model, every: list[int], n: int, rng: np.random.Generator) -> str:
    """What 95 % of the differences between two sets of n templates of one kind stay below."""
    drawn = [model.right(list(rng.choice(every, n))).mean() for _ in range(2 * SETS)]  # with replacement: of a kind
    return f"{100 * np.percentile(np.abs(np.subtract(drawn[:SETS], drawn[SETS:])), 95):.1f}"


def transfer(models: list[Model], n: int) -> str:
    """How the ranks of templates agree between models."""
    from scipy.stats import spearmanr

    accuracy = [[model.right([j]).mean() for j in range(n)] for model in models]
    found = [spearmanr(a, b).statistic for a, b in itertools.combinations(accuracy, 2)]
    return f"median {np.median(found):.2f} ({min(found):.2f} to {max(found):.2f}) over {len(found)} pairs of models"


COLUMNS = (
    *("mean of 106 - mean single", "mean of 106 - plain", "mean of 106 - mean of 12", "6 of three sensors - 6 of one"),
    *("satellite - remote sensing", '"small"', '"hard to see"', "two sets of 15", "two sets of 56"),
)


def main() -> None:
    """Print the table and the rank correlation."""
    templates, models = read(Path(sys.argv[1]))
    print(f"| model | {' | '.join(COLUMNS)} |\n|{'---|' * (len(COLUMNS) + 1)}")
    for model in models:
        print(f"| {model.name.replace('_', ' ')} | {' | '.join(figures(templates, model))} |", flush=True)
    print(f"\nSpearman correlation of the ranks of templates: {transfer(models, len(templates))}.")


if __name__ == "__main__":
    main()
