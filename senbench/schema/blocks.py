"""The blocks of a result: settings, model, dataset, prompts, timings and machine, as `result.json` holds them.

A block is written as it was read: fields keep their order, a field that another version did not write stays absent
(it reads as its default), and a field that only another version knows is kept.
"""

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

from senbench.schema.model_card import Preprocess
from senbench.schema.prompt_set import PromptFields
from senbench.schema.record import Record
from senbench.schema.run_spec import RunSpec
from senbench.schema.terms import Ensemble, Level, PixelPath, PostProcess, Task


class ResultBlock(Record):
    """Base of the blocks: what was read is what is written."""

    model_config = ConfigDict(extra="allow")
    _order: tuple[str, ...] = ()
    """Fields in the order in which they were read, where it is not the declared one."""

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Self:
        """The block that holds these fields, written in their order."""
        return cls.model_validate(data).ordered_as(data)

    def ordered_as(self, data: Mapping[str, Any]) -> Self:
        """The same block, from now on written in the order of these fields."""
        declared = [name for name in type(self).model_fields if name in data]
        usual = tuple(dict.fromkeys((*declared, *data)))
        self._order = () if tuple(data) == usual else tuple(data)  # equal blocks are equal, however they were made
        return self

    @model_serializer(mode="wrap")
    def _as_read(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found = dump(self)
        order = dict.fromkeys((*self._order, *found))
        return {name: found[name] for name in order if name in found and name in self.model_fields_set}


class SpecBlock(RunSpec, ResultBlock):
    """`RunSpec` as passed."""

    def changed(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Those of these fields that are not at their defaults, in this order."""
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if value != RunSpec.model_fields[name].default}


AsRecorded = Literal["as recorded"]
"""What whoever recorded an output did, and senbench does not know."""


class Recorded(Record):
    """What somebody else recorded, and senbench only evaluated."""

    given: Literal["embeddings", "scores", "predictions", "confusion"]
    """Embeddings of images and texts, scores (N, C), answers (N,), or only their counts (C, C)."""
    source: str
    """Who recorded it, and where it can be had."""
    licence: str | None = None
    """Licence under which it is given; None: not stated."""
    file: str
    """Base name of the file."""
    sha256: str
    """Of the file."""
    level: int = Field(ge=0, le=3)
    """Target data seen by what was recorded, as whoever evaluates it says: 0 none, 1 disjoint unlabelled, 2 the
    evaluated images, 3 labels."""
    shots: int | None = Field(default=None, ge=1)
    """Labelled images per class that the answers were learnt from; None: none."""
    joined: bool = False
    """Whether the images are tiles of a dataset that senbench opened, found by their names."""
    declared: bool = False
    """Whether the prompts were chosen before any figure was known: these are ranked."""


class Settings(ResultBlock):
    """One cell after the protocol was applied: what is really done."""

    protocol: str
    """Protocol name."""
    model: str
    """Model as passed."""
    dataset: str
    """Dataset as passed."""
    prompts: str
    """Prompt style or file as passed."""
    split: str
    """Split that was evaluated."""
    class_names: str | None = None
    """Class-name set or file; None: the vocabulary's default."""
    ensemble: Ensemble | AsRecorded
    """Ensembling rule."""
    postprocess: PostProcess | AsRecorded
    """Score post-processing."""
    preprocess: Preprocess | None
    """Preprocessing in force; None: a user's object does its own."""
    path: PixelPath | None = None
    """Where tiles are resized: `exact`, by PIL on the host, or `device`; None: a user's object does its own."""
    headline: str
    """Name of the headline metric."""
    overrides: tuple[str, ...]
    """Settings that an explicit flag changed against the protocol."""
    note: str = ""
    """The protocol's note."""
    recorded: Recorded | None = None
    """Where the outputs come from that were recorded elsewhere; None: senbench ran the model."""


class ModelBlock(ResultBlock):
    """The card, local files by name alone, and the hashes of the loaded files.

    The fields that readers use are named here; the others are those of `ModelCard`. A user's own object has `id`,
    `family`, `title` and `weights_sha256` alone.
    """

    id: str
    """Name on the command line, or the name of a user's object."""
    family: str
    """Family the card belongs to; `user` for a user's object."""
    title: str
    """Name for people."""
    adapter: str | None = None
    """Target `module:attr` of the adapter class."""
    architecture: str | None = None
    """Architecture name known to the adapter."""
    activation: str | None = None
    """Activation of the transformer MLPs."""
    licence: str | None = None
    """Licence of the weights as stated by the authors."""
    commercial_use: str | None = None
    """Whether that licence allows commercial use."""
    citation: str | None = None
    """Short reference."""
    trained_on: tuple[str, ...] = ()
    """Data the model saw, for readers."""
    synthetic: bool = False
    """True for models trained on synthetic scenes only."""
    weights_sha256: str | None
    """sha256 of the loaded checkpoint; None for a user's object."""
    weights_revision: str | None = None
    """Commit of the repository, or ETag of the address, that the file was fetched from; None: it was not fetched, or
    by an earlier version."""


class SkippedTile(Record):
    """A tile that could not be decoded."""

    id: str
    """Tile id."""
    reason: str
    """Why."""


class LeftOut(Record):
    """Files of a source that look like tiles and were not read."""

    reason: str
    """Why: `suffix .part`, ..."""
    n: int
    """Number of files."""
    names: tuple[str, ...]
    """The first of them, at most five."""


class PixelFigures(Record):
    """What the model sees, over evenly spaced tiles after reading and rendering."""

    n: int
    """Number of tiles."""
    means: tuple[float, ...]
    """Mean of each channel, in the unit of the values that the model gets."""
    zeros: float
    """Share of values at the lower end: 0, of 8-bit values also 1."""
    saturated: float
    """Share of values at the upper end: 255, or digital numbers above 20,000."""
    flat: float = 0.0
    """Share of tiles with one value throughout, in all channels."""
    two_ended: float = 0.0
    """Share of tiles in which some values are saturated and nearly all saturated or below 1,000 DN."""
    below_1000: float | None = None
    """Share of pixels with red, green or blue below 1,000 DN; None where the values cannot be turned back to DN."""


class PixelFacts(Record):
    """How pixels were read, and what came out."""

    decisions: dict[str, str] = Field(default={})
    """Topic (`bit depth`, `bands`, `scale`, `offset`, `sign`, `no data`, `alpha`, ...) -> what was decided, and from
    what it follows."""
    left_out: tuple[LeftOut, ...] = ()
    """Files that were not read; with any of them the result is incomplete."""
    figures: PixelFigures | None = None
    """What the model sees."""
    implausible: tuple[str, ...] = ()
    """What lies outside the ranges of real Sentinel-2 tiles and was accepted with `--accept-pixels`."""


class DatasetBlock(ResultBlock):
    """The evaluated images."""

    id: str
    """Dataset id."""
    title: str
    """Name for people."""
    task: Task
    """Single-label or multi-label."""
    split: str
    """Split, or `file:` and the name of a list of tiles."""
    source: str = ""
    """Where the tiles were read from; `memory`: passed from Python."""
    packed: str | None = None
    """Content hash of the packed folder; None: not packed."""
    n_expected: int
    """Tiles that the split has."""
    n_evaluated: int
    """Tiles that were evaluated."""
    subset: bool = False
    """True if fewer tiles were evaluated than the split has."""
    limit: int | None = None
    """Size of the seeded subset that was asked for; None: the whole split."""
    content_hash: str | None = None
    """sha256 over the content keys of the evaluated tiles: which pixels."""
    index_hash: str
    """sha256 over ids and labels: which tiles, with which labels."""
    classes: tuple[str, ...]
    """Class keys in label order."""
    class_names: str
    """Class-name set, or file."""
    radiometry: str
    """Rendering of digital numbers to uint8; `native-jpeg` where tiles are uint8 already."""
    band_order: str
    """Bands in the order in which the model got them."""
    level: Level | None = None
    """Processing level of the digital numbers; None for uint8, or where it is not known."""
    model_level: Level | None = None
    """Processing level that the model was trained on."""
    dn_offset: int | dict[str, int] | None = None
    """Taken off the digital numbers of a user's own folder; a mapping, offset -> tiles, where there are several."""
    dn_offset_from: str | None = None
    """How that offset was found."""
    nodata_share: float | None = None
    """Share of pixels without data, over evenly spaced tiles."""
    below_offset_share: float | None = None
    """Share of values below the offset, over the same tiles."""
    values_seen_of: int | None = None
    """Number of those tiles."""
    pixels: PixelFacts | None = None
    """How pixels were read, and what the model sees of them."""
    skipped: tuple[SkippedTile, ...] = ()
    """Tiles that could not be decoded."""
    licence: str | None = None
    """Licence of the data."""
    synthetic: bool = False
    """True for generated scenes."""
    rendering: dict[str, Any] | None = None
    """Statistics of the values that the model got."""
    tuned_on: dict[str, Any] | None = None
    """Split on whose labels thresholds were tuned, its size and index hash."""


class PromptBlock(PromptFields, ResultBlock):
    """The prompts, as `PromptSet`."""

    source: str = ""
    """`builtin:<file>` or the name of the user's file."""
    n: int
    """Number of prompts over all classes."""
    cut: int | None = None
    """Prompts that are longer than the model's context and lose their end; None: not counted."""


class Timings(ResultBlock):
    """Seconds by stage, and what they were spent on."""

    images: float | None = None
    """Seconds of the image stage."""
    images_encoded: int | None = None
    """Images that went through the model."""
    images_cached: int | None = None
    """Images whose embeddings were in the cache."""
    images_per_second: float | None = None
    """Throughput; None where some embeddings came from the cache."""
    batch_size: int | None = None
    """Images per batch."""
    processes: int | None = None
    """Processes that shared the work."""
    texts: float | None = None
    """Seconds of the text stage."""
    texts_encoded: int | None = None
    """Texts that went through the model."""
    scoring: float | None = None
    """Seconds of scoring."""


class Environment(ResultBlock):
    """The machine and the versions."""

    device: str | None = None
    """Kind of device: `cpu`, `cuda`, ...; `unknown` for a user's object."""
    device_name: str | None = None
    """Name of the processor or accelerator."""
    dtype: str
    """Precision of the encoders."""
    kernels: str | None = None
    """Kernels that multiplied on a CPU: `torch` or `onednn`; None: another device, a user's object, or an earlier
    version, whose kernels were torch's."""
    cpus: int | None = None
    """Number of processors."""
    platform: str | None = None
    """Operating system."""
    versions: dict[str, str]
    """Package -> version, of those that can change a number."""
    threads: int | None = None
    """Threads of torch; absent where every embedding came from the cache."""
    tf32: bool | None = None
    """Whether products of float32 were computed in TF32."""
