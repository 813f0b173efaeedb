"""A configuration: the settings of a cell as separate fields, any of which can be switched and scored again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from senbench import protocols
from senbench.datasets import open as datasets
from senbench.datasets.radiometry import POLICIES
from senbench.errors import SenbenchError, UnavailableError
from senbench.evaluation.model_of_run import ModelOfRun
from senbench.prompts.load import prompts_for
from senbench.results import places
from senbench.runtime.dataset_names import local_path
from senbench.schema.prompt_set import PromptSet

if TYPE_CHECKING:
    from senbench.schema.model_card import ModelCard, Preprocess
    from senbench.schema.result import RunResult
    from senbench.schema.terms import Dtype, Ensemble, Kernels, PostProcess

PARTS = {"eurosat": "random-", "eurosat-spatial": "spatial-"}
"""Dataset -> the prefix by which its splits differ from EuroSAT's splits of the same tiles."""


@dataclass(frozen=True)
class Configuration:
    """Every setting of one cell that determines its figure.

    Attributes:
        card: The model.
        digest: sha256 of its weights.
        preprocess: Resolved preprocessing; its resolution is the model's wherever it is used.
        exact: Whether tiles are resized by PIL on the host.
        dtype: Precision of the encoders.
        kernels: Kernels for matrix products on a CPU; earlier versions used torch's.
        dataset: Dataset id.
        radiometry: Rendering of digital numbers; None if there is nothing to render.
        labels: Source of the labels, as `RunSpec.labels`.
        dn_offset: Offset subtracted from digital numbers of a user's folder, as `RunSpec.dn_offset`.
        bands: Band order for an RGB model; None for the model's own.
        split: List of tiles, under one name for all file formats (`random-test`), or a file.
        draw: Protocol whose sample of the split is evaluated; `standard` for all of it.
        limit: Size of the stratified subset, or None.
        seed: Seed of the subset.
        words: The prompts of this configuration.
        names: Class-name set.
        ensemble: Ensembling rule.
        postprocess: Score post-processing.
        headline: Metric.
        place: Folder of the data, if both configurations have the same dataset in folders with different content; None
            for the folder of the dataset.
    """

    card: ModelCard
    digest: str
    preprocess: Preprocess
    exact: bool
    dtype: Dtype
    kernels: Kernels
    dataset: str
    radiometry: str | None
    labels: str
    dn_offset: str
    bands: tuple[str, ...] | None
    split: str
    draw: str
    limit: int | None
    seed: int
    words: PromptSet
    names: str
    ensemble: Ensemble
    postprocess: PostProcess
    headline: str
    place: str | None = None


class Switch(NamedTuple):
    """Settings that are switched together."""

    name: str
    """Name for people."""
    fields: tuple[str, ...]
    """Fields of `Configuration`."""


IMAGES = (
    Switch("split", ("split", "draw", "limit", "seed")),
    Switch("image source", ("dataset", "radiometry", "labels", "dn_offset", "place")),
    Switch("band order", ("bands",)),
    Switch("model and activation", ("card", "digest")),
    Switch("mean/std", ("preprocess",)),
    Switch("precision", ("dtype", "kernels", "exact")),
)
"""Switches that need new image embeddings."""
SCORING = (
    Switch("class names", ("names",)),
    Switch("prompts", ("words",)),
    Switch("ensembling", ("ensemble",)),
    Switch("post-processing", ("postprocess",)),
)
"""Switches that only score the same image embeddings again."""


def listed(dataset: str, split: str) -> str:
    """Return the name of a split that is the same for every file format of its images."""
    return PARTS[dataset] + split if dataset in PARTS and split in ("train", "val", "test") else split


def configuration_of(result: RunResult) -> Configuration:
    """Return the settings of a result, from its own records.

    Raises:
        UnavailableError: Its model or dataset was a user's object, which cannot be loaded again from a file.
    """
    model = ModelOfRun.of(result)
    spec, settings, data = places.spec_here(result), result.resolved, result.dataset
    name, split = places.dataset_here(result), settings.split
    if data.source == "memory" or ((own := local_path(name)) is not None and not Path(own[1]).expanduser().exists()):
        raise UnavailableError(f"{result.run_id}: its tiles ({settings.dataset}) are not on this machine")
    assert settings.ensemble != "as recorded" and settings.postprocess != "as recorded"
    variant = protocols.find(settings.protocol).on(datasets.dataset_info(name))
    drawn = variant.sample is not None and split == protocols.find(settings.protocol).splits.get(name)
    card = model.card
    rgb = card.unit == "uint8" and data.band_order not in ("rgb", ",".join(card.bands))
    return Configuration(
        card=card,
        digest=model.digest,
        preprocess=model.preprocess,
        exact=model.exact,
        dtype=model.dtype,
        kernels=model.kernels,
        dataset=name,
        radiometry=data.radiometry if data.radiometry in POLICIES else None,
        labels=spec.labels,
        dn_offset=spec.dn_offset,
        bands=tuple(data.band_order.split(",")) if rgb else None,
        split=spec.split if split.startswith("file:") and spec.split else listed(name, split),
        draw=settings.protocol if drawn else "standard",
        limit=spec.limit,
        seed=0 if spec.limit is None else spec.seed,
        words=PromptSet.model_validate(result.prompts.model_dump(include=set(PromptSet.model_fields))),
        names=result.prompts.class_names,
        ensemble=settings.ensemble,
        postprocess=settings.postprocess,
        headline=settings.headline,
    )


def prompts_of(end: Configuration) -> PromptSet:
    """Return the prompts of a configuration with its class names.

    Raises:
        SenbenchError: They cannot be rendered again.
    """
    if end.names == end.words.class_names:
        return end.words
    return prompts_for(end.words.id, datasets.dataset_info(end.dataset), end.names)


def renderable(end: Configuration) -> bool:
    """Return whether the prompts are a shipped style that still renders to the same texts."""
    if not end.words.source.startswith("builtin:"):
        return False
    info = datasets.dataset_info(end.dataset)
    try:
        return prompts_for(end.words.id, info, end.words.class_names).hash == end.words.hash
    except SenbenchError:
        return False


def switched(end: Configuration, other: Configuration, switch: Switch) -> Configuration:
    """Return the configuration with some settings of another one."""
    return replace(end, **{name: getattr(other, name) for name in switch.fields})
