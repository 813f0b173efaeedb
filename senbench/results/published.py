"""Published figures, as their papers state them (`leaderboard/published.csv`)."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from senbench.errors import UnavailableError
from senbench.runtime.paths import shipped

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COLUMNS = (
    "source",
    "year",
    "dataset",
    "split",
    "split_list",
    "n",
    "metric",
    "printed_as",
    "arch",
    "model",
    "weights",
    "activation",
    "tool",
    "prompts",
    "templates",
    "class_names",
    "value",
    "protocol",
    "note",
)
"""Columns of `published.csv`, described in leaderboard/README.md; an empty cell means that the paper does not say."""
PRESUMED = " (presumed)"
"""Suffix of an activation that is inferred from tool and year because the source does not state it."""


@dataclass(frozen=True)
class PublishedFigures:
    """The published figures.

    Attributes:
        rows: One mapping of columns per figure.
        models: (model, architecture, weights) as published -> model id of senbench.
    """

    rows: tuple[dict[str, str], ...]
    models: Mapping[tuple[str, str, str], str]

    def model_of(self, row: Mapping[str, str]) -> str | None:
        """Return the model id of a row; None if the release has no card."""
        return self.models.get((row["model"], row["arch"], row["weights"]))


def read(folder: Path | None = None) -> PublishedFigures:
    """Read the published figures.

    Args:
        folder: Folder of `published.csv` and `published_models.csv`; None for the shipped ones.

    Raises:
        UnavailableError: A file is missing.
    """
    folder = folder or shipped("leaderboard")
    try:
        with (folder / "published.csv").open(encoding="utf-8", newline="") as stream:
            rows = tuple(csv.DictReader(stream))
        with (folder / "published_models.csv").open(encoding="utf-8", newline="") as stream:
            models = {(m["model"], m["arch"], m["weights"]): m["id"] for m in csv.DictReader(stream)}
    except OSError as error:
        raise UnavailableError(f"published figures under {folder}: {error.strerror}; install senbench again") from error
    return PublishedFigures(rows, models)
