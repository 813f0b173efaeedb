"""Reads and writes the file with one run's comparisons of prompt styles and models."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from senbench.errors import UsageError
from senbench.results.store import as_json, read_json, validated, write_text
from senbench.schema.factorial import FACTORIAL_VERSION, Factorial

if TYPE_CHECKING:
    from pathlib import Path


def save(folder: Path, factorial: Factorial) -> Path:
    """Write `factorial-<hash>.json` atomically; the hash is that of the compared results.

    Args:
        folder: Results folder.
        factorial: The comparisons.

    Returns:
        Path of the written file.

    Raises:
        UnavailableError: The file cannot be written.
    """
    digest = hashlib.sha256(json.dumps(factorial.run_ids).encode()).hexdigest()[:10]
    return write_text(folder / f"factorial-{digest}.json", as_json(factorial), "--results")


def load(path: Path) -> Factorial:
    """Read one such file.

    Raises:
        UsageError: The file is not a factorial, or is of another version.
    """
    data = read_json(path, f"factorial {path}")
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != FACTORIAL_VERSION:
        raise UsageError(f"factorial {path} has version {version!r}, this senbench reads {FACTORIAL_VERSION}")
    return validated(Factorial, data, f"factorial {path}")


def load_all(folder: Path) -> list[Factorial]:
    """Read all such files of a results folder, sorted by name; empty if there are none."""
    return [load(path) for path in sorted(folder.glob("factorial-*.json"))]
