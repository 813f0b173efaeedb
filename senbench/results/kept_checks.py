"""Caches the findings of the checks of a result by a hash of its files."""

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
"""Version of the checks; increase it whenever they change, so that all results are checked again."""


def read(folder: Path) -> list[str] | None:
    """Return the cached findings on a result with these bytes, one line each; None if it was never checked.

    Args:
        folder: Result folder.
    """
    place = _place(folder)
    cached = None if place is None else checked_json.read(place)
    return [str(line) for line in cached] if isinstance(cached, list) else None


def keep(folder: Path, contradictions: list[str]) -> None:
    """Cache the findings under SENBENCH_HOME, unless the files cannot be read.

    A run caches an empty list for the result that it has just computed, because checking would compute the same figures
    again. If the files change afterwards, they are checked.

    Args:
        folder: Result folder.
        contradictions: One line each.
    """
    if (place := _place(folder)) is not None:
        checked_json.write(place, contradictions)


def _place(folder: Path) -> Path | None:
    digest = hashlib.sha256(f"{VERSION} {own_version()} {np.__version__}".encode())
    try:
        for name in ("result.json", predictions.FILE):
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    except OSError:
        return None
    return home() / "audited" / f"{digest.hexdigest()}.json"
