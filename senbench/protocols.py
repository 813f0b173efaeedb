"""Protocols: the named bundles of settings of `--protocol`, which explicit options override."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from senbench.datasets.radiometry import DIGITAL, NATIVE, POLICIES
from senbench.runtime import lookup
from senbench.schema.blocks import Settings as Settings
from senbench.schema.model_card import Preprocess
from senbench.schema.record import Record
from senbench.schema.terms import Ensemble, Interpolation, PostProcess, ResizeMode

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from senbench.datasets.tiles import Tiles
    from senbench.models.encoder import Encoder
    from senbench.schema.dataset import DatasetInfo
    from senbench.schema.model_card import ModelCard
    from senbench.schema.run_spec import RunSpec


class Normalisation(Record):
    """Preprocessing that a protocol forces on every model; the input size stays the model's."""

    resize_mode: ResizeMode
    """How a tile is resized to the input size."""
    interpolation: Interpolation
    """Resampling filter."""
    mean: tuple[float, ...]
    """Per-channel mean."""
    std: tuple[float, ...]
    """Per-channel standard deviation."""


class SeededSubset(Record):
    """A seeded sample of tiles, as drawn by a release."""

    seed: int
    """Seed of torch's generator."""
    n: int
    """Tiles drawn."""
    batch: int
    """Batch size of a loader that drops the last, incomplete batch."""

    def positions(self, total: int) -> NDArray[np.int64]:
        """Positions drawn from `total` tiles, int64, in the order of the draw."""
        import torch

        drawn = torch.randperm(total, generator=torch.Generator().manual_seed(self.seed))[: self.n]
        return drawn[: len(drawn) // self.batch * self.batch].numpy()


class Variant(Record):
    """The settings of a protocol for one dataset."""

    headline: str
    """Name of the headline metric."""
    postprocess: PostProcess
    """Score post-processing."""
    class_names: str | None
    """Class-name set; None: the vocabulary's default."""
    radiometry: str | None = None
    """Rendering of DN; None: the dataset's default."""
    bands: tuple[str, ...] | None = None
    """Bands in the order in which RGB models get them; None: the model's own."""
    sample: SeededSubset | None = None
    """Draw of the split that is evaluated; None: all of it."""


class Protocol(Record):
    """A named bundle of split, class names, preprocessing, ensembling and post-processing."""

    id: str
    """Name on the command line."""
    title: str
    """One-line description."""
    splits: dict[str, str]
    """Dataset id -> split, where it differs from the dataset's default."""
    class_names: str | None
    """Class-name set; None: the vocabulary's default."""
    prompts: str | None
    """Prompt style that the protocol prescribes, or None."""
    ranked_prompts: str
    """Shipped style whose figures are ranked: declared beforehand, so that no rank is a best of many."""
    normalisation: Normalisation | None
    """Preprocessing for every model; None: the model's own."""
    ensemble: Ensemble
    """Ensembling rule."""
    postprocess: PostProcess
    """Score post-processing."""
    variants: dict[str, Variant]
    """Dataset id -> settings that differ for it."""
    note: str = ""
    """Caveats about figures with this protocol."""

    def on(self, info: DatasetInfo) -> Variant:
        """Return the settings of the protocol for a dataset."""
        return self.variants.get(info.id) or Variant(
            headline="map_macro" if info.task == "multi-label" else "top1",
            postprocess=self.postprocess,
            class_names=self.class_names if info.vocabulary else None,
        )


RECORDED = "recorded"
"""Stands for the protocol of outputs that were recorded elsewhere: senbench only evaluates them, so that nothing about
how they were made is defined by it, and no run can have it."""
PROTOCOLS: dict[str, Protocol] = {
    p.id: p
    for p in (
        Protocol(
            id="standard",
            title="level 0, the model's own preprocessing, norm-mean-norm, top-1",
            splits={},
            variants={},
            class_names=None,
            prompts=None,
            ranked_prompts="generic",
            normalisation=None,
            ensemble="norm-mean-norm",
            postprocess="none",
        ),
        Protocol(
            id="senclip-release",
            title="the released SenCLIP evaluation code (commit 4b9b4c2), quirks included",
            splits={"eurosat-rgb": "all", "bigearthnet-v1": "test"},
            class_names="senclip",
            prompts=None,
            ranked_prompts="generic",
            normalisation=Normalisation(
                resize_mode="squash",
                interpolation="bicubic",
                mean=(0.347, 0.376, 0.296),
                std=(0.269, 0.261, 0.276),
            ),
            ensemble="norm-mean-norm",
            postprocess="column-mean",
            variants={
                # B02, B03, B04 passed as red, green, blue; no column division; loader with drop_last
                "bigearthnet-v1": Variant(
                    headline="r_precision_micro",
                    postprocess="none",
                    class_names=None,
                    radiometry="minmax-per-image",
                    bands=("B02", "B03", "B04"),
                    sample=SeededSubset(seed=42, n=27_000, batch=32),
                )
            },
            note="on EuroSAT scores are divided by their mean over the evaluated images: level 2, every prediction "
            "depends on all the others; on BigEarthNet blue, green, red are passed as red, green, blue",
        ),
        Protocol(
            id="clip-benchmark",
            title="CLIP's class names and templates, as CLIP_benchmark evaluates EuroSAT",
            splits={"eurosat-rgb": "random-test"},
            variants={},
            class_names="clip",
            prompts="clip",
            ranked_prompts="clip",
            normalisation=None,
            ensemble="norm-mean-norm",
            postprocess="none",
            note="published figures use VTAB's own test list of 5,400 tiles: on any other split they agree "
            "only to sampling error",
        ),
    )
}


def find(name: str) -> Protocol:
    """Return a protocol by name.

    Raises:
        UsageError: There is no such protocol.
    """
    if name not in PROTOCOLS:
        raise lookup.unknown("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def class_names(spec: RunSpec, protocol: Protocol, info: DatasetInfo) -> str | None:
    """Return the resolved class-name set: that of the option, else the protocol's if the vocabulary is shipped."""
    return spec.class_names or protocol.on(info).class_names


def resolve(spec: RunSpec, tiles: Tiles, encoder: Encoder, dataset: str, prompts: str, model: str) -> Settings:
    """Apply the protocol to one cell; explicit fields of the spec win and are recorded.

    Args:
        spec: The run as passed.
        tiles: The opened split.
        encoder: The model.
        dataset: Dataset as passed.
        prompts: Prompt style or path as passed.
        model: Model as passed.

    Returns:
        The resolved settings.
    """
    protocol, info = find(spec.protocol), tiles.info
    variant = protocol.on(info)
    defaults: dict[str, Any] = {
        "split": protocol.splits.get(info.id, info.default_split),
        "class_names": variant.class_names,
        "ensemble": protocol.ensemble,
        "postprocess": variant.postprocess,
    }
    values = {name: getattr(spec, name) or default for name, default in defaults.items()}
    values["split"] = tiles.split
    overrides = [name for name in defaults if values[name] != defaults[name]]
    if protocol.splits and info.id not in protocol.splits:
        overrides.append("dataset")
    usual = variant.radiometry or info.radiometry
    if tiles.radiometry != usual and tiles.radiometry != DIGITAL and usual in (*POLICIES, NATIVE):
        overrides.append("radiometry")
    if spec.labels != "own":
        overrides.append("labels")
    used, card = encoder.preprocess, encoder.card
    if protocol.normalisation is not None and (card is None or used != preprocess(protocol, card)):
        overrides.append("preprocess")
    if protocol.prompts is not None and prompts != protocol.prompts:
        overrides.append("prompts")
    return Settings(
        protocol=protocol.id,
        model=model,
        dataset=dataset,
        prompts=prompts,
        preprocess=used,
        path=encoder.path,
        headline=variant.headline,
        overrides=tuple(overrides),
        note=protocol.note,
        **values,
    )


def preprocess(protocol: Protocol, card: ModelCard) -> Preprocess:
    """Return the resolved preprocessing: the model's own, or the protocol's at the model's input size."""
    if protocol.normalisation is None:
        return card.preprocess
    return Preprocess(resolution=card.preprocess.resolution, **protocol.normalisation.model_dump())
