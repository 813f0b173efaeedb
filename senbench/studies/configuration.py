"""A configuration: every setting of a cell by itself, so that any of them can be switched and scored again."""

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
"""Dataset -> what EuroSAT's JPEGs put before the name of the same list of tiles."""


@dataclass(frozen=True)
class Configuration:
    """Every setting of one cell that decides its figure.

    Attributes:
        card: The model.
        digest: sha256 of its weights.
        preprocess: Preprocessing in force; its resolution is the model's wherever it is used.
        exact: Whether tiles are resized by PIL on the host.
        dtype: Precision of the encoders.
        kernels: Kernels that multiplied on a CPU; those of before are torch's.
        dataset: Dataset id.
        radiometry: Rendering of digital numbers; None: there is nothing to render.
        labels: Whose labels, as `RunSpec.labels`.
        dn_offset: Taken off digital numbers of a user's own, as `RunSpec.dn_offset`.
        bands: Bands in the order in which an RGB model gets them; None: the model's own.
        split: List of tiles, under one name whatever the file format (`random-test`), or a file.
        draw: Protocol whose draw of the split is evaluated; `standard`: all of it.
        limit: Size of the stratified subset, or None.
        seed: Seed of the subset.
        words: Prompts as used at this end.
        names: Class-name set.
        ensemble: Ensembling rule.
        postprocess: Score post-processing.
        headline: Metric.
        place: Folder of its own data, where both ends have the same dataset in folders of other content; None: the
            one of its dataset.
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
    """Settings that are changed together."""

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
"""Switches that need other image embeddings."""
SCORING = (
    Switch("class names", ("names",)),
    Switch("prompts", ("words",)),
    Switch("ensembling", ("ensemble",)),
    Switch("post-processing", ("postprocess",)),
)
"""Switches that score the same image embeddings anew."""


def listed(dataset: str, split: str) -> str:
    """Name of a split that is the same for every file format of its images."""
    return PARTS[dataset] + split if dataset in PARTS and split in ("train", "val", "test") else split


def configuration_of(result: RunResult) -> Configuration:
    """The settings of a result, from its own records.

    Raises:
        UnavailableError: Its model or dataset was an object of the user's: it cannot be made again from a file.
    """
    model = ModelOfRun.of(result)
    spec, how, data = places.spec_here(result), result.resolved, result.dataset
    name, split = places.dataset_here(result), how.split
    if data.source == "memory" or ((own := local_path(name)) is not None and not Path(own[1]).expanduser().exists()):
        raise UnavailableError(f"{result.run_id}: its tiles ({how.dataset}) are not on this machine")
    assert how.ensemble != "as recorded" and how.postprocess != "as recorded"
    variant = protocols.find(how.protocol).on(datasets.dataset_info(name))
    drawn = variant.sample is not None and split == protocols.find(how.protocol).splits.get(name)
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
        draw=how.protocol if drawn else "standard",
        limit=spec.limit,
        seed=0 if spec.limit is None else spec.seed,
        words=PromptSet.model_validate(result.prompts.model_dump(include=set(PromptSet.model_fields))),
        names=result.prompts.class_names,
        ensemble=how.ensemble,
        postprocess=how.postprocess,
        headline=how.headline,
    )


def prompts_of(end: Configuration) -> PromptSet:
    """The prompts of an end under its class names.

    Raises:
        SenbenchError: They cannot be rendered anew.
    """
    if end.names == end.words.class_names:
        return end.words
    return prompts_for(end.words.id, datasets.dataset_info(end.dataset), end.names)


def renderable(end: Configuration) -> bool:
    """Whether its prompts are a shipped style that still renders to the same texts, so that names can be switched."""
    if not end.words.source.startswith("builtin:"):
        return False
    info = datasets.dataset_info(end.dataset)
    try:
        return prompts_for(end.words.id, info, end.words.class_names).hash == end.words.hash
    except SenbenchError:
        return False


def switched(end: Configuration, other: Configuration, switch: Switch) -> Configuration:
    """The end with some settings of the other."""
    return replace(end, **{name: getattr(other, name) for name in switch.fields})
