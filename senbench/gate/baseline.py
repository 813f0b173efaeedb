"""The baseline of the gate: the guarded figures and answers of runs, small enough to commit."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field, FiniteFloat

from senbench.errors import UsageError
from senbench.results import portable
from senbench.results.store import read_json, validated
from senbench.schema.record import Record

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from senbench.schema.result import RunResult

VERSION = 1
ROUNDING = 1e-6
"""Smallest numeric noise of a figure, from float32 rounding."""
MAX_NOISE = 0.01
"""Largest numeric noise; a difference of more than a point is not rounding."""
MAX_BYTES = 64 << 20

SETTINGS = (
    "model.weights_sha256",
    "model.configuration_sha256",
    "prompts.hash",
    "dataset.split",
    "dataset.class_names",
    "dataset.classes",
    "dataset.radiometry",
    "dataset.band_order",
    "resolved.preprocess",
    "ensemble",
    "postprocess",
    "access_level",
    "environment.dtype",
)
"""Settings that may change only with a new version of senbench."""
PASSED = ("split", "class_names", "ensemble", "postprocess", "radiometry", "labels", "tune", "limit", "seed", "dtype")
"""Fields of `RunSpec` that distinguish two runs of one model, prompt style, dataset and protocol."""


class GuardedFigure(Record):
    """A figure with its interval."""

    value: FiniteFloat | None
    """Value; None if undefined."""
    ci: tuple[FiniteFloat, FiniteFloat] | None
    """95 % interval, or None."""


class BaselineRun(Record):
    """One guarded run."""

    model: str
    """Model as passed."""
    prompts: str
    """Prompt style or file as passed."""
    dataset: str
    """Dataset as passed."""
    protocol: str
    """Protocol."""
    passed: dict[str, Any]
    """Further settings as passed."""
    settings: dict[str, Any]
    """Settings in force and hashes, by dotted path in the result."""
    run_id: str
    """Id of the blessed run."""
    senbench_version: str
    """Version of senbench that made it."""
    n: int = Field(ge=1)
    """Images evaluated."""
    index_hash: str
    """Hash of the images and their labels."""
    clusters_hash: str | None
    """Hash of the assignment of images to clusters; None without clusters."""
    metric: Literal["top1", "map_macro"]
    """Name of the figure that must not drop."""
    metrics: dict[str, GuardedFigure] = Field(min_length=1)
    """All figures."""
    classes: dict[str, FiniteFloat | None]
    """Recall or average precision of each class."""
    answers: str
    """Predicted class of each image, or the number of its true labels among the k best; sorted by id, packed."""
    left_out: str | None
    """Multi-label: `metric` without each cluster (or image, without clusters) minus `metric`, packed; else None."""
    left_out_by_size: dict[str, str] = Field(default={})
    """The same by clusters of other block sizes; a paired test uses the size with the largest error."""
    noise: float = Field(ge=ROUNDING, le=MAX_NOISE)
    """Largest change of a figure, or share of changed answers, seen when the run was repeated."""
    noise_measured: bool
    """Whether the run was repeated; otherwise `noise` is rounding alone."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """Return the same key as `key_of` for the result."""
        return portable.name(self.model), portable.name(self.prompts), portable.name(self.dataset), self.protocol

    @property
    def name(self) -> str:
        """Name for people."""
        parts = (self.model, self.prompts, self.dataset, self.protocol)
        return " ".join([*parts, *(f"{key}={value}" for key, value in self.passed.items())])


class Blessing(Record):
    """One entry of a baseline's history."""

    who: str | None
    """Name as passed, or None."""
    when: str
    """UTC time, ISO 8601."""
    why: str = Field(min_length=1)
    """Reason given."""
    senbench_version: str
    """Version that blessed."""
    runs: dict[str, str]
    """Run -> `added`, `changed`, `unchanged` or `removed`."""


class Baseline(Record):
    """Guarded runs, and the history of who accepted them, when and why."""

    kind: Literal["senbench-baseline"] = "senbench-baseline"
    """Kind of the file."""
    version: Literal[1] = 1
    """Version of this layout."""
    runs: tuple[BaselineRun, ...] = Field(min_length=1)
    """Guarded runs, at least one."""
    history: tuple[Blessing, ...] = Field(min_length=1)
    """Blessings, oldest first."""


def read(path: Path) -> Baseline:
    """Read and check a baseline.

    Raises:
        UsageError: The file cannot be read, is empty, malformed, or of another version.
    """
    otherwise = f"; write one with `senbench baseline bless --out {path} --why REASON`"
    data = read_json(path, f"baseline {path}", otherwise, MAX_BYTES)
    if not isinstance(data, dict) or data.get("kind") != "senbench-baseline":
        raise UsageError(f"{path} is not a baseline of senbench; write one with `senbench baseline bless`")
    if data.get("version") != VERSION:
        raise UsageError(
            f"baseline {path} has version {data.get('version')!r}, this senbench reads {VERSION}: bless it"
        )
    baseline = validated(Baseline, data, f"baseline {path} is malformed")
    if len({(run.key, json.dumps(run.passed)) for run in baseline.runs}) < len(baseline.runs):
        raise UsageError(f"baseline {path} is malformed: a run occurs twice")
    return baseline


def key_of(result: RunResult) -> tuple[str, str, str, str]:
    """Return model, prompts and dataset as passed, and protocol, by which a run is guarded."""
    settings = result.resolved  # earlier versions recorded paths
    return (
        portable.name(settings.model),
        portable.name(settings.prompts),
        portable.name(settings.dataset),
        result.protocol,
    )


def passed_of(result: RunResult) -> dict[str, Any]:
    """Return the other settings as passed, if they differ from the defaults."""
    return portable.fields(result.spec.changed(PASSED))


def settings_of(result: RunResult) -> dict[str, Any]:
    """Return resolved settings and hashes by dotted path; None if the result has no such field."""
    data = result.model_dump(mode="json", exclude={"per_class", "per_label", "confusion", "groups"})
    parts = {path: path.rpartition(".") for path in SETTINGS}
    return {path: (data[block] if block else data).get(field) for path, (block, _, field) in parts.items()}


def pack(values: NDArray[Any]) -> str:
    """Encode an array as text: its little-endian bytes, compressed, in base64."""
    return base64.b64encode(zlib.compress(values.astype(values.dtype.newbyteorder("<")).tobytes(), 9)).decode()


def unpack(text: str, dtype: str, n: int) -> NDArray[Any]:
    """Decode a packed array.

    Raises:
        UsageError: The text is damaged, or is not `n` numbers.
    """
    size = np.dtype(dtype).itemsize * n
    try:
        inflate = zlib.decompressobj()
        data = inflate.decompress(base64.b64decode(text, validate=True), size + 1)
    except (binascii.Error, ValueError, zlib.error) as error:
        raise UsageError(f"baseline is malformed: packed numbers are damaged ({error})") from error
    if len(data) != size or not inflate.eof:
        raise UsageError(f"baseline is malformed: packed numbers are not {n:,} of type {dtype}")
    return np.frombuffer(data, np.dtype(dtype).newbyteorder("<"))
