"""Comparisons of styles and models that one run made: their record and its file."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Literal

from senbench.errors import UsageError
from senbench.results.store import as_json, read_json, validated, write_text
from senbench.schema.record import Record

if TYPE_CHECKING:
    from pathlib import Path

FACTORIAL_VERSION = 1
"""Version of the layout of `factorial-<hash>.json`."""


class Difference(Record):
    """A signed sum of figures, with its uncertainty under resampled prompts and images."""

    value: float | None
    """Difference: of figures in 0..1, or of log-odds; None where it is undefined."""
    ci: tuple[float, float] | None
    """95 % interval, not adjusted for the number of comparisons; None where none can be given."""
    p: float | None
    """Two-sided p of no difference, not adjusted; None where none can be given."""
    error_prompts: float | None
    """Standard error from resampling prompts alone, all images as they are."""
    error_images: float | None
    """Standard error from resampling images (whole clusters) alone, all prompts as they are."""
    interval: str
    """How the interval was made, or `none: <reason>`."""


class ClassDifference(Record):
    """The difference of one class's recall or average precision."""

    key: str
    """Class key."""
    points: Difference
    """The difference, 0..1."""
    p_holm: float | None
    """p adjusted by Holm over the classes of this comparison that have one."""


class Contrast(Record):
    """One comparison."""

    kind: Literal["styles", "models", "interaction"]
    """`styles`: first style minus second, one model; `models`: first model minus second, one style;
    `interaction`: the styles' difference of the first model minus that of the second."""
    models: tuple[str, ...]
    """One model id, or first and second."""
    styles: tuple[str, ...]
    """One prompt set's id, or first and second."""
    control: bool
    """True if one of the styles is a control."""
    matched: bool | None
    """True if prompt j of both styles was drawn jointly, as they show the same cue; None for one style."""
    points: Difference
    """Difference of the headline figure."""
    log_odds: Difference
    """Difference of its log-odds."""
    per_class: tuple[ClassDifference, ...]
    """Differences of each class's figure, in label order."""


class Factorial(Record):
    """All comparisons of the styles and models of one run on one dataset."""

    schema_version: int = FACTORIAL_VERSION
    """Version of this layout."""
    run_ids: tuple[str, ...]
    """Results compared, model by model."""
    dataset: str
    """Dataset id."""
    split: str
    """Its split."""
    index_hash: str
    """Which tiles, with which labels."""
    headline: str
    """Figure that is compared: `top1` or `map_macro`; per class recall or average precision."""
    access_levels: tuple[int, ...]
    """Access level of each result."""
    class_names: dict[str, str]
    """Class key -> its name, in label order."""
    seed: int
    """Seed of the draws."""
    draws: int
    """Number of crossed draws."""
    units: int
    """Clusters, or images where there are none, that are resampled."""
    clustered: bool
    """False: images are resampled one by one, and intervals are too narrow."""
    contrasts: tuple[Contrast, ...]
    """The comparisons."""
    notes: tuple[str, ...]
    """What was not compared, and why."""


def save(folder: Path, found: Factorial) -> Path:
    """Write `factorial-<hash>.json`, whole or not at all; the hash is of the results compared.

    Args:
        folder: Results folder.
        found: The comparisons.

    Returns:
        Path of the written file.

    Raises:
        UnavailableError: The disk refuses.
    """
    digest = hashlib.sha256(json.dumps(found.run_ids).encode()).hexdigest()[:10]
    return write_text(folder / f"factorial-{digest}.json", as_json(found), "--results")


def load(path: Path) -> Factorial:
    """Read one file.

    Raises:
        UsageError: It is no such file, or of another version.
    """
    data = read_json(path, f"factorial {path}")
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != FACTORIAL_VERSION:
        raise UsageError(f"factorial {path} has version {version!r}, this senbench reads {FACTORIAL_VERSION}")
    return validated(Factorial, data, f"factorial {path}")


def load_all(folder: Path) -> list[Factorial]:
    """All such files of a results folder, by name; empty where there are none."""
    return [load(path) for path in sorted(folder.glob("factorial-*.json"))]
