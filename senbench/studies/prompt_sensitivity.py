"""Measures the sensitivity to prompts: embeds with every model, then resamples and leaves out prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench import protocols
from senbench.datasets import open as datasets
from senbench.errors import UsageError
from senbench.evaluation.data import open_data
from senbench.evaluation.embed import embed_each
from senbench.evaluation.leakage import blocks
from senbench.models import registry
from senbench.prompts import resampling
from senbench.prompts.pool import RULES, Pool, Truth
from senbench.prompts.resampling import Band, Flips
from senbench.runtime.progress import Progress, Silent
from senbench.studies.prompt_selection import as_pack, load_pool, seen_record

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.schema.prompt_set import PromptSet
    from senbench.schema.run_spec import RunSpec


@dataclass(frozen=True)
class ModelSensitivity:
    """Effect of resampled prompts on one model.

    Attributes:
        model: Its description.
        everything: Each summary figure with all prompts.
        bands: Each summary figure over the draws.
        curve: Prompts per class -> the headline over draws of that size.
        contributions: Class key -> leave-one-out contribution of each prompt to the headline.
        by_class: Class key -> per prompt, its contribution to the figure of every class, (n_c, C).
    """

    model: dict[str, Any]
    everything: dict[str, float]
    bands: dict[str, Band]
    curve: dict[int, Band]
    contributions: dict[str, NDArray[np.float64]]
    by_class: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class Sensitivity:
    """Effect of resampled prompts on several models.

    Attributes:
        prompts: The prompts, each text once per class.
        tiles: The evaluated tiles.
        places: Blocks of these tiles, or None.
        rule: Ensembling rule.
        headline: Name of the headline.
        k: Prompts per class drawn without replacement; None for as many as there are, with replacement.
        draws: Number of draws.
        models: One entry per model.
        flips: How often the order of the models changes; None for one model.
    """

    prompts: PromptSet
    tiles: Tiles
    places: list[str] | None
    rule: str
    headline: str
    k: int | None
    draws: int
    models: tuple[ModelSensitivity, ...]
    flips: Flips | None


def measure(
    spec: RunSpec, *, k: int | None = None, bootstrap: bool = False, draws: int = 500, progress: Progress | None = None
) -> Sensitivity:
    """Resample the prompts of a set for every model, and leave out each prompt in turn.

    Args:
        spec: Models, one prompt set, one dataset.
        k: Prompts per class in a draw, at most half; None for half of the smallest class.
        bootstrap: Draw as many prompts as there are, with replacement, instead.
        draws: Number of draws.
        progress: Draws progress; None: silent.

    Returns:
        Bands, curve, flips and contributions.

    Raises:
        UsageError: The input is wrong, or k is more than half.
        UnavailableError: Data, weights or device are missing or damaged.
    """
    display = progress or Silent()
    protocol = protocols.find("standard")
    cards = [registry.find(name, offline=spec.offline) for name in spec.models]
    info = datasets.dataset_info(spec.datasets[0], data_dir=spec.data_dir, offline=spec.offline)
    prompts = load_pool(spec, info)
    rule = spec.ensemble or protocol.ensemble
    if rule not in RULES:
        raise UsageError(f"--ensemble {rule}: only means of prompts are resampled; use {', '.join(RULES)}")
    if bootstrap and k is not None:
        raise UsageError(f"--k {k} does not go with --bootstrap, which draws as many prompts as there are")
    if draws < 20:
        raise UsageError(f"--draws {draws}: the 5 and 95 % quantiles need at least 20")
    counts = [len(prompts.texts[key]) for key in info.classes]
    half = resampling.check_size(counts, k)
    opened = open_data(spec, spec.datasets[0], protocol, (), display)
    weights = resampling.draw(counts, None if bootstrap else half, draws, spec.seed)
    drawn = {size: resampling.draw(counts, size, draws, spec.seed) for size in resampling.steps(half)}
    models, values = [], []
    for embeddings in embed_each(spec, cards, opened.tiles, prompts, display):
        pool = Pool.of(embeddings.images, embeddings.texts, embeddings.text_class, len(info.classes), rule)
        truth = Truth(embeddings.tiles.tile_labels, len(info.classes))
        headline = next(iter(truth.summaries))
        figures = resampling.resampled(pool, truth, weights)
        values.append(truth.summary(headline, figures))
        everything, without = resampling.left_out(pool, truth)
        sized = {size: resampling.resampled(pool, truth, some) for size, some in drawn.items()}
        contributed = resampling.contributions(truth, headline, everything, without)
        models.append(
            ModelSensitivity(
                model=embeddings.model,
                everything={name: float(truth.summary(name, everything)) for name in truth.summaries},
                bands={name: Band.of(truth.summary(name, figures)) for name in truth.summaries},
                curve={size: Band.of(truth.summary(headline, some)) for size, some in sized.items()},
                contributions=dict(zip(info.classes, contributed, strict=True)),
                by_class={key: everything - rows for key, rows in zip(info.classes, without, strict=True)},
            )
        )
    return Sensitivity(
        prompts=prompts,
        tiles=embeddings.tiles,
        places=blocks(opened.tiles, opened.clusters),
        rule=rule,
        headline=headline,
        k=None if bootstrap else half,
        draws=draws,
        models=tuple(models),
        flips=resampling.flips([m.everything[headline] for m in models], values) if len(models) > 1 else None,
    )


def best(sensitivity: Sensitivity, k: int) -> PromptSet:
    """Return the k prompts of each class with the largest mean contribution over the models (uses labels, level 3).

    Raises:
        UsageError: A class has fewer prompts.
    """
    kept = {}
    for key, texts in sensitivity.prompts.texts.items():
        if not 1 <= k <= len(texts):
            raise UsageError(f"--best-k {k}: class {key} has {len(texts)} prompts; give 1 to that many")
        mean = np.nan_to_num(np.mean([m.contributions[key] for m in sensitivity.models], axis=0))
        kept[key] = tuple(texts[j] for j in np.argsort(-mean, kind="stable")[:k])
    model = {name: ",".join(str(m.model[name]) for m in sensitivity.models) for name in ("id", "weights_sha256")}
    about = {
        "score": f"leave-one-out contribution to {sensitivity.headline}",
        "k": k,
        "selected_on": seen_record(sensitivity.tiles, sensitivity.places),
        "held_out": None,
        "distance": "selected on the labels of these images",
    }
    return as_pack(sensitivity.prompts, kept, f"{sensitivity.prompts.id}-best-{k}", 3, model, about)
