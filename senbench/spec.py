"""The nouns of senbench: frozen records that every room shares; those of a result are in `record.py`."""

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

BANDS = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12")
"""Sentinel-2's bands by wavelength. The golden image of `models verify` depends on the positions in this list."""

Activation = Literal["quickgelu", "gelu", "gelu-tanh", "silu"]
ResizeMode = Literal["squash", "shortest-crop"]
PixelPath = Literal["exact", "device"]
Interpolation = Literal["bicubic", "bilinear"]
Unit = Literal["uint8", "dn"]
Collection = Literal["eurosat", "bigearthnet", "senbench-scenes"]
Level = Literal["L1C", "L2A"]
CommercialUse = Literal["allowed", "forbidden", "not stated"]
Grade = Literal[
    "images",
    "captions from labels",
    "other split of the same data set",
    "same geography and sensor",
    "unknown",
    "none known",
]
Task = Literal["single-label", "multi-label"]
Ensemble = Literal["norm-mean-norm", "mean-norm", "logit-mean", "prob-mean", "max", "dap"]
PostProcess = Literal["none", "column-mean"]
Dtype = Literal["float32", "tf32", "bf16", "fp16"]
"""Precision of the encoders; `tf32`: float32 whose products a CUDA device computes in TF32."""


class Noun(BaseModel):
    """Frozen record; a misspelt field is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Preprocess(Noun):
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


class HubFile(Noun):
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


class WeightsSource(Noun):
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


class ModelCard(Noun):
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
    """Native multiplier of the cosine; `checkpoint`: exp of the file's tensor; None: there is none."""
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
    contamination: dict[Collection, Grade] = {}
    """Collection of a dataset (`eurosat`, `bigearthnet`) -> how close the training data come to it (docs/methods.md);
    what is not listed is `unknown`."""
    derived_from: str = ""
    """Card whose checkpoint this one was initialised from, where `frozen` can be checked against it."""
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
        known = set(BANDS)
        if strange := [band for band in self.bands if band not in known]:
            raise ValueError(f"bands: {strange[0]!r} is no Sentinel-2 band; known are {', '.join(BANDS)}")
        for name in ("mean", "std"):
            values = getattr(self.preprocess, name)
            if len(values) != len(self.bands):
                raise ValueError(f"preprocess.{name} has {len(values)} values for {len(self.bands)} bands")
        if min(self.preprocess.std) <= 0:
            raise ValueError(f"preprocess.std holds {min(self.preprocess.std):g}; it is divided by")
        if len(self.fingerprint) not in (0, 5):
            raise ValueError(f"fingerprint has {len(self.fingerprint)} cosines, expected 5")
        return self


class ClassEntry(Noun):
    """One class of a dataset: its key on disk, its published names, what one sees of it."""

    key: str
    """Canonical key: the folder name in the dataset."""
    names: dict[str, str]
    """Class name in each class-name set, e.g. `{"senclip": "Sea or Lake", ...}`."""
    ground: tuple[str, ...] = ()
    """Cues as seen from the ground."""
    aerial: tuple[str, ...] = ()
    """Cues as seen from above, matched pairwise to `ground`."""
    ground_short: tuple[str, ...] = ()
    """Cues of at most eight words, as seen from the ground."""
    aerial_short: tuple[str, ...] = ()
    """The same as seen from above, matched pairwise to `ground_short`."""


class Vocabulary(Noun):
    """Class names and cues of a dataset, read from `prompts/classes/<id>.yaml`."""

    id: str
    """Dataset vocabulary id, e.g. `eurosat`."""
    title: str
    """Name for people."""
    default_names: str
    """Class-name set used when none is asked for."""
    classes: tuple[ClassEntry, ...]
    """Classes in label order."""


class DatasetInfo(Noun):
    """Static facts of one dataset."""

    id: str
    """Name on the command line, e.g. `eurosat-rgb`."""
    title: str
    """Name for people."""
    collection: str
    """What the images are taken from, whatever the split or the file format: `eurosat`, `bigearthnet`, ..."""
    task: Task
    """Single-label or multi-label."""
    classes: tuple[str, ...]
    """Class keys in label order."""
    vocabulary: str
    """Vocabulary id under `prompts/classes/`, or a path to a YAML file."""
    splits: dict[str, int]
    """Split name -> number of tiles it must have."""
    default_split: str
    """Split used by the `standard` protocol."""
    bands: tuple[str, ...]
    """Bands a tile has, by name."""
    unit: Unit
    """`uint8` RGB or `dn`."""
    level: Level | None = None
    """Processing level of the digital numbers; None for `uint8`, or where it is not known."""
    tile_size: int | None
    """Side of a tile in pixels; None where sizes vary."""
    radiometry: str
    """Default rendering of DN to uint8; `native-jpeg` where tiles are uint8 already."""
    licence: str
    """Licence of the data."""
    citation: str
    """Short reference."""
    synthetic: bool = False
    """True for generated scenes: labelled everywhere."""


class PromptSet(Noun):
    """Rendered prompts of one style for one dataset, aligned to its classes by name."""

    id: str
    """Name in tables: the style, or the file's stem."""
    style: str
    """Style the prompts claim to be: `generic`, `aerial`, `ground`, `mixed`, `control`, `clip`, ... or `custom`."""
    version: int | None = None
    """Version stated by the template; None: none stated."""
    source: str
    """`builtin:<file>` or the name of the user's file."""
    class_names: str
    """Class-name set the templates were rendered with."""
    names: tuple[str, ...]
    """Class names used, in label order."""
    texts: dict[str, tuple[str, ...]]
    """Class key -> prompts, in label order."""
    template_aligned: bool
    """True if prompt j of every class comes from one template (needed by `prob-mean`)."""
    hash: str
    """sha256 of the canonical JSON of `texts`."""
    warnings: tuple[str, ...] = Field(default=(), exclude=True)
    """What the linter warned of before an evaluation, one line per code; written with the result's own."""
    access_level: int = 0
    """Target data seen in choosing the prompts: 0 none, 1 disjoint unlabelled, 2 the evaluated images, 3 labels."""
    provenance: dict[str, Any] = {}
    """How the prompts were chosen, for a pack that `prompts select` or `prompts sensitivity` wrote."""

    @property
    def n(self) -> int:
        """Number of prompts over all classes."""
        return sum(len(t) for t in self.texts.values())


class RunSpec(Noun):
    """Everything that determines a run, as passed; a grid of models x prompts x datasets."""

    models: tuple[str, ...]
    """Model ids or aliases."""
    prompts: tuple[str, ...]
    """Prompt styles, or paths to `.j2` or `.json` files."""
    datasets: tuple[str, ...] = ("eurosat",)
    """Dataset ids."""
    protocol: str = "standard"
    """Named bundle of settings; explicit fields below override it."""
    split: str | None = None
    """Split name or a file of tile names; None: the protocol's."""
    data_dir: str | None = None
    """Folder that holds the data; None: under SENBENCH_HOME."""
    weights: str | None = None
    """Local checkpoint file, for a single model."""
    accept_new_weights: bool = False
    """Accept a weights file that changed since it was first used."""
    class_names: str | None = None
    """Class-name set, or a YAML file for `folder:` datasets."""
    ensemble: Ensemble | None = None
    """Ensembling rule; None: the protocol's."""
    postprocess: PostProcess | None = None
    """Score post-processing; None: the protocol's."""
    radiometry: str | None = None
    """Rendering of DN; None: the dataset's default."""
    dn_offset: Literal["auto", "0", "1000"] = "auto"
    """DN to subtract from the tiles of a user's own folder; `auto`: what their metadata tell."""
    labels: Literal["own", "v1"] = "own"
    """`v1`: BigEarthNet v2's patches under the labels that v1 gave to their pixels."""
    tune: str | None = None
    """Multi-label: split on whose labels the thresholds of the `tuned` figures are chosen (access level 3)."""
    anchors: str | None = None
    """Split on whose labels supervised classifiers are trained on the same embeddings, as a line for scale."""
    limit: int | None = None
    """Evaluate a stratified, seeded subset of this many tiles."""
    seed: int = 0
    """Seed of the subset and the bootstrap."""
    device: str = "auto"
    """`auto`, `cpu`, `cuda`, `cuda:1`, ..."""
    dtype: Dtype = "float32"
    """Precision of the encoders; scores are always float32."""
    exact: bool = False
    """Resize with PIL on the host where the device would do it; protocols that set the normalisation always do."""
    batch_size: int | None = None
    """Images per batch; None: chosen by device and model."""
    on_error: Literal["stop", "skip"] = "stop"
    """What to do with a tile that cannot be decoded."""
    offline: bool = False
    """Never open a socket."""
    cache: bool = True
    """Keep and reuse image embeddings under SENBENCH_HOME."""
    noise: int | None = Field(default=None, ge=1)
    """Repeat the run on so many tiles under other batch sizes, precisions and resizing; None: it is not repeated."""
    results: str | None = "results"
    """Folder for result files; None: nothing is written."""
