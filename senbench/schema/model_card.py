"""The card of a model: the contract of one checkpoint."""

import math
from typing import Literal, Self

from pydantic import Field, model_validator

from senbench.schema.record import Record
from senbench.schema.terms import (
    BANDS,
    Activation,
    Collection,
    CommercialUse,
    Grade,
    Interpolation,
    Level,
    ResizeMode,
    Unit,
)


class Preprocess(Record):
    """How a raw tile becomes the tensor a model sees. Every field changes the embedding."""

    resolution: int
    """Side of the square input, in pixels."""
    resize_mode: ResizeMode
    """`squash`: both sides to `resolution`; `shortest-crop`: shorter side, then centre crop."""
    interpolation: Interpolation
    """Resampling filter, with antialiasing as in PIL."""
    mean: tuple[float, ...]
    """Per-channel mean subtracted after scaling to 0..1 (or in DN for unit `dn`)."""
    std: tuple[float, ...]
    """Per-channel standard deviation divided by, same scale as `mean`."""


class HubFile(Record):
    """One file of a Hugging Face model repository that a model needs beside its weights."""

    repo: str
    """Hugging Face model repository, `owner/name`."""
    file: str
    """File inside the repository."""
    revision: str | None = None
    """Pinned commit; None: `main`."""
    sha256: str | None = None
    """Expected sha256 of the file, hex; None where unknown."""
    size_mb: float | None = None
    """Approximate size in megabytes, announced before fetching."""


class WeightsSource(Record):
    """Where a released checkpoint is and which bytes are accepted.

    One of `repo` with `file`, `url`, `package` or `path`; none of them: the file must be given.
    """

    repo: str | None = None
    """Hugging Face model repository, `owner/name`."""
    file: str | None = None
    """File inside the repository."""
    revision: str | None = None
    """Pinned commit; None where none is known, then `main` is used and the result records the hash."""
    url: str | None = None
    """Direct https address, of the file or of a zip that holds it."""
    member: str | None = None
    """Name of the checkpoint inside the zip at `url`."""
    path: str | None = None
    """Local file, for a user's card; relative to the card file."""
    package: str | None = None
    """File shipped inside senbench, relative to `senbench/models/weights/`."""
    sha256: str | None = None
    """Expected sha256 of the checkpoint (of the member, for a zip), hex; None where unknown."""
    size_mb: float | None = None
    """Approximate download size in megabytes, announced before fetching."""
    also_sha256: tuple[str, ...] = ()
    """sha256 of other official files of the same checkpoint (another container, a mirror)."""


SOURCES = ("openclip:", "hf:")
"""Prefixes of model names that are their source: open_clip's own list, and the hub."""


class ModelCard(Record):
    """Contract of one checkpoint. Nothing that changes an embedding has a default."""

    id: str
    """Name on the command line, e.g. `senclip-vit-b-32-avgpool`."""
    family: str
    """Family the card belongs to, e.g. `SenCLIP`."""
    title: str
    """Name for people, as in tables."""
    aliases: tuple[str, ...] = ()
    """Other names accepted on the command line."""
    adapter: str
    """Lazy target `module:attr` of the adapter class."""
    architecture: str
    """Architecture name known to the adapter, e.g. open_clip's `ViT-B-32-quickgelu`."""
    activation: Activation
    """Activation of the transformer MLPs; QuickGELU and GELU share every shape: only the card can tell."""
    text_activation: Activation | None = None
    """Activation of the text tower where it is another one than the image tower's."""
    preprocess: Preprocess
    """The model's own preprocessing."""
    bands: tuple[str, ...]
    """Input bands by name in the model's order, e.g. `("B04", "B03", "B02")` for RGB."""
    unit: Unit
    """`uint8` for 0..255 RGB, `dn` for Sentinel-2 digital numbers."""
    level: Level | None = None
    """Processing level of the digital numbers the model was trained on; None for `uint8`."""
    context_length: int
    """Tokens of the text tower, padding included."""
    tokenizer: str
    """`clip-bpe` (49,408 tokens), a gzipped file of merges inside `senbench/models/weights/` or beside a user's card,
    or `hf:OWNER/NAME`: the tokenizer files of that repository among `companions`."""
    logit_scale: float | Literal["checkpoint"] | None
    """Native multiplier of the cosine; `checkpoint`: exp of the file's tensor; a number: used in any case, so that the
    file need not have one; None: there is none."""
    logit_bias: float | Literal["checkpoint"] | None
    """Additive bias of sigmoid models (SigLIP); None for softmax models."""
    embed_dim: int
    """Dimension of the joint embedding."""
    parameters: int
    """Number of parameters, both towers."""
    layout: str | None = None
    """Manifest under `senbench/models/manifests/` that lists the file's keys and shapes; None: the keys of
    the architecture as its library builds it."""
    prefixes: tuple[str, ...] = ("",)
    """Prefixes the released files carry on every key; exactly one must yield the manifest's keys."""
    drop: tuple[str, ...] = ()
    """Patterns of keys of the file that are no part of the model, such as `n_averaged` or `criterion.*`; by their name
    in the file or without the prefix."""
    nesting: str | tuple[str, ...] = ""
    """Key under which the state dict is nested in the file; empty: top level. Several where it is not known which
    of them the release has."""
    weights: WeightsSource
    """Released file."""
    companions: tuple[HubFile, ...] = ()
    """Files needed beside the weights: tokenizer, configuration of a text tower."""
    licence: str
    """Licence of the weights as stated by the authors; `none stated` where it is not."""
    commercial_use: CommercialUse
    """Whether that licence allows commercial use."""
    citation: str
    """Short reference, e.g. `arXiv:2412.08536`."""
    trained_on: tuple[str, ...]
    """Data the model saw, for readers."""
    languages: tuple[str, ...] = ("en",)
    """Languages of its training texts, as its authors state them (ISO 639-1)."""
    contamination: dict[Collection, Grade] = Field(default={})
    """Collection of a dataset (`eurosat`, `bigearthnet`) -> how close the training data come to it (docs/methods.md);
    what is not listed is `unknown`."""
    derived_from: str = ""
    """Card whose checkpoint this one was initialised from, by its id or, in a user's card, its file; `frozen` can be
    checked against it."""
    frozen: tuple[str, ...] = ()
    """Patterns of the keys that training left untouched: bit-identical to `derived_from`, or it is another file."""
    frozen_reported: tuple[str, ...] = ()
    """Patterns of further keys that the authors report as untouched, while their released code would train them: a
    difference is told, not refused."""
    synthetic: bool = False
    """True for models trained on synthetic scenes only (`mini`): labelled everywhere."""
    verified: bool = False
    """True once somebody with the real file has verified the contract."""
    fingerprint: tuple[float, ...] = ()
    """Cosines of a fixed image and five fixed prompts (`senbench models verify`); empty until somebody with the
    real file has blessed them."""
    note: str = ""
    """Why a fact is unverified, or what to mind."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if strange := [band for band in self.bands if band not in BANDS]:
            raise ValueError(f"bands: {strange[0]!r} is no Sentinel-2 band; known are {', '.join(BANDS)}")
        for name in ("mean", "std"):
            values = getattr(self.preprocess, name)
            if len(values) != len(self.bands):
                raise ValueError(f"preprocess.{name} has {len(values)} values for {len(self.bands)} bands")
            if not all(map(math.isfinite, values)):
                raise ValueError(f"preprocess.{name} holds {min(values, key=math.isfinite)}, which is no number")
        if twice := [band for band in self.bands if self.bands.count(band) > 1]:
            raise ValueError(f"bands: {twice[0]!r} is there twice; a model takes each band once")
        if min(self.preprocess.std) <= 0:
            raise ValueError(f"preprocess.std holds {min(self.preprocess.std):g}; it is divided by")
        sizes = {"preprocess.resolution": self.preprocess.resolution, "context_length": self.context_length}
        for name, size in {**sizes, "embed_dim": self.embed_dim, "parameters": self.parameters}.items():
            if size < 1:
                raise ValueError(f"{name} is {size}; it must be at least 1")
        if isinstance(self.logit_scale, float) and not 1 <= self.logit_scale <= 1000:
            raise ValueError(
                f"logit_scale is {self.logit_scale:g}; it multiplies cosines and lies between 1 and 1,000 (a logarithm "
                "or a temperature must be converted)"
            )
        if isinstance(self.logit_bias, float) and not math.isfinite(self.logit_bias):
            raise ValueError(f"logit_bias is {self.logit_bias}, which is no number")
        if len(self.fingerprint) not in (0, 5):
            raise ValueError(f"fingerprint has {len(self.fingerprint)} cosines, expected 5")
        return self
