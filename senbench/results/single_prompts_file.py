"""The file of what single prompts get right."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from senbench.errors import UsageError
from senbench.results.store import as_json, read_json, validated, write_text
from senbench.schema.single_prompts import SINGLE_PROMPTS_VERSION, SinglePrompts

if TYPE_CHECKING:
    from pathlib import Path

PATTERN = "single-prompts-*.json"
"""Names of such files."""


def save(folder: Path, found: SinglePrompts) -> Path:
    """Write `single-prompts-<hash>.json`, whole or not at all.

    Args:
        folder: Results folder.
        found: What each prompt gets right.

    Returns:
        Path of the written file.

    Raises:
        UnavailableError: The disk refuses.
    """
    return write_text(folder / name(found), as_json(found), "--results")


def name(found: SinglePrompts) -> str:
    """Name of the file, with a hash of everything in it."""
    digest = hashlib.sha256(json.dumps(found.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
    return f"single-prompts-{digest[:10]}.json"


def load(path: Path) -> SinglePrompts:
    """Read one file.

    Raises:
        UsageError: It is no such file, or of another version.
    """
    data = read_json(path, f"single prompts {path}")
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SINGLE_PROMPTS_VERSION:
        raise UsageError(f"single prompts {path} has version {version!r}, this senbench reads {SINGLE_PROMPTS_VERSION}")
    return validated(SinglePrompts, data, f"single prompts {path}")


def load_all(folder: Path) -> list[SinglePrompts]:
    """All such files of a results folder, by name; empty where there are none."""
    return [load(path) for path in sorted(folder.glob(PATTERN))]
