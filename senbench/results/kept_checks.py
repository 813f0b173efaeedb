"""What checks of a result have found, kept by the bytes of its files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from senbench.io import checked_json
from senbench.results import predictions
from senbench.runtime.environment import own_version
from senbench.runtime.paths import home

if TYPE_CHECKING:
    from pathlib import Path

VERSION = 1
"""Raised when the checks change, so that everything is looked at anew."""


def read(folder: Path) -> list[str] | None:
    """What was found in a result with these bytes, one line each; None where it was never checked.

    Args:
        folder: Result folder.
    """
    place = _place(folder)
    found = None if place is None else checked_json.read(place)
    return [str(line) for line in found] if isinstance(found, list) else None


def keep(folder: Path, found: list[str]) -> None:
    """Keep what was found under SENBENCH_HOME; not where the files cannot be read.

    A run keeps an empty list for the result that it has just computed: it would be computed again to the same figures.
    Whatever is changed in the files afterwards is checked.

    Args:
        folder: Result folder.
        found: One line for each contradiction.
    """
    if (place := _place(folder)) is not None:
        checked_json.write(place, found)


def _place(folder: Path) -> Path | None:
    digest = hashlib.sha256(f"{VERSION} {own_version()} {np.__version__}".encode())
    try:
        for name in ("result.json", predictions.FILE):
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError:
        return None
    return home() / "audited" / f"{digest.hexdigest()}.json"
