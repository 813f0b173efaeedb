"""The file of the comparisons of styles and models that one run made."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from senbench.errors import UsageError
from senbench.results.store import as_json, read_json, validated, write_text
from senbench.schema.factorial import FACTORIAL_VERSION, Factorial

if TYPE_CHECKING:
    from pathlib import Path


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
