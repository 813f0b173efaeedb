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
"""Columns of `published.csv`; leaderboard/README.md says what each holds. An empty cell was not stated."""
PRESUMED = " (presumed)"
"""End of an activation that follows from the tool and the year, and that the source does not state."""


@dataclass(frozen=True)
class PublishedFigures:
    """The published figures.

    Attributes:
        rows: One per figure, by column.
        models: (model, architecture, weights) as published -> model id here.
    """

    rows: tuple[dict[str, str], ...]
    models: Mapping[tuple[str, str, str], str]

    def model_of(self, row: Mapping[str, str]) -> str | None:
        """Model id here of a row; None where the release has no card."""
        return self.models.get((row["model"], row["arch"], row["weights"]))


def read(folder: Path | None = None) -> PublishedFigures:
    """Read the published figures.

    Args:
        folder: Folder of `published.csv` and `published_models.csv`; None: the shipped ones.

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
