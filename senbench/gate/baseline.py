"""The baseline of the gate: what a run must still be, small enough to commit."""

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
"""Float32's own rounding in a figure: no noise is smaller."""
MAX_NOISE = 0.01
"""Two runs that differ by more than a point do not differ by rounding."""
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
"""What may change with a version of senbench only."""
PASSED = ("split", "class_names", "ensemble", "postprocess", "radiometry", "labels", "tune", "limit", "seed", "dtype")
"""Fields of `RunSpec` that tell two runs of one model, prompt style, dataset and protocol apart."""


class GuardedFigure(Record):
    """A figure and the ends of its interval."""

    value: FiniteFloat | None
    """Value; None where undefined."""
    ci: tuple[FiniteFloat, FiniteFloat] | None
    """95 % interval; None where none can be given."""


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
    """Version that made it."""
    n: int = Field(ge=1)
    """Images evaluated."""
    index_hash: str
    """Which images, with which labels."""
    clusters_hash: str | None
    """Which image is in which cluster; None without clusters."""
    metric: Literal["top1", "map_macro"]
    """Figure that must not drop."""
    metrics: dict[str, GuardedFigure] = Field(min_length=1)
    """All figures."""
    classes: dict[str, FiniteFloat | None]
    """Recall or average precision of each class."""
    answers: str
    """Class index of each image's answer, or its true labels among the k best; sorted by id, packed."""
    left_out: str | None
    """Multi-label: `metric` without each cluster (image, where there are none) minus `metric`, packed; else None."""
    left_out_by_size: dict[str, str] = Field(default={})
    """The same by clusters of other sizes, of which a paired test takes the one with the largest error."""
    noise: float = Field(ge=ROUNDING, le=MAX_NOISE)
    """Largest change of a figure, and largest share of changed answers, that repeating the run has shown."""
    noise_measured: bool
    """False: the run was not repeated, and `noise` is rounding alone."""

    @property
    def key(self) -> tuple[str, str, str, str]:
        """As `key_of` its result."""
        return portable.name(self.model), portable.name(self.prompts), portable.name(self.dataset), self.protocol

    @property
    def name(self) -> str:
        """Name for people."""
        told = (self.model, self.prompts, self.dataset, self.protocol)
        return " ".join([*told, *(f"{key}={value}" for key, value in self.passed.items())])


class Blessing(Record):
    """One entry of the history."""

    who: str | None
    """Name as it was given; None: it was not."""
    when: str
    """UTC time, ISO 8601."""
    why: str = Field(min_length=1)
    """Reason given."""
    senbench_version: str
    """Version that blessed."""
    runs: dict[str, str]
    """Run -> `added`, `changed`, `unchanged` or `removed`."""


class Baseline(Record):
    """Guarded runs and who accepted them when and why."""

    kind: Literal["senbench-baseline"] = "senbench-baseline"
    """What the file is."""
    version: Literal[1] = 1
    """Version of this layout."""
    runs: tuple[BaselineRun, ...] = Field(min_length=1)
    """Guarded runs, at least one."""
    history: tuple[Blessing, ...] = Field(min_length=1)
    """Blessings, oldest first."""


def read(path: Path) -> Baseline:
    """Read and check a baseline.

    Raises:
        UsageError: It cannot be read, is empty, malformed, or of another version.
    """
    otherwise = f"; write one with `senbench baseline bless --out {path} --why REASON`"
    data = read_json(path, f"baseline {path}", otherwise, MAX_BYTES)
    if not isinstance(data, dict) or data.get("kind") != "senbench-baseline":
        raise UsageError(f"baseline {path} is no baseline of senbench; write one with `senbench baseline bless`")
    if data.get("version") != VERSION:
        raise UsageError(
            f"baseline {path} has version {data.get('version')!r}, this senbench reads {VERSION}: bless it"
        )
    found = validated(Baseline, data, f"baseline {path} is malformed")
    if len({(run.key, json.dumps(run.passed)) for run in found.runs}) < len(found.runs):
        raise UsageError(f"baseline {path} is malformed: a run occurs twice")
    return found


def key_of(result: RunResult) -> tuple[str, str, str, str]:
    """Model, prompts, dataset as passed, and protocol: the name under which a run is guarded."""
    how = result.resolved  # an earlier version recorded paths
    return portable.name(how.model), portable.name(how.prompts), portable.name(how.dataset), result.protocol


def passed_of(result: RunResult) -> dict[str, Any]:
    """Further settings as passed, where they are not the defaults."""
    return portable.fields(result.spec.changed(PASSED))


def settings_of(result: RunResult) -> dict[str, Any]:
    """Settings in force and hashes, by dotted path; None where the result has no such field."""
    data = result.model_dump(mode="json", exclude={"per_class", "per_label", "confusion", "groups"})
    parts = {path: path.rpartition(".") for path in SETTINGS}
    return {path: (data[block] if block else data).get(field) for path, (block, _, field) in parts.items()}


def pack(values: NDArray[Any]) -> str:
    """An array as text: its bytes, little-endian, compressed, base64."""
    return base64.b64encode(zlib.compress(values.astype(values.dtype.newbyteorder("<")).tobytes(), 9)).decode()


def unpack(text: str, dtype: str, n: int) -> NDArray[Any]:
    """The array again.

    Raises:
        UsageError: It is not that many numbers.
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
