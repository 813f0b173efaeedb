"""Reads and writes the file with the number of images that each single prompt classifies correctly."""

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
"""Pattern of the names of such files."""


def save(folder: Path, counts: SinglePrompts) -> Path:
    """Write `single-prompts-<hash>.json` atomically.

    Args:
        folder: Results folder.
        counts: What each prompt gets right.

    Returns:
        Path of the written file.

    Raises:
        UnavailableError: The file cannot be written.
    """
    return write_text(folder / name(counts), as_json(counts), "--results")


def name(counts: SinglePrompts) -> str:
    """Return the name of the file, with a hash of its content."""
    digest = hashlib.sha256(json.dumps(counts.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
    return f"single-prompts-{digest[:10]}.json"


def load(path: Path) -> SinglePrompts:
    """Read one file.

    Raises:
        UsageError: The file is not of this kind, or is of another version.
    """
    data = read_json(path, f"single prompts {path}")
    version = data.get("schema_version") if isinstance(data, dict) else None
    if version != SINGLE_PROMPTS_VERSION:
        raise UsageError(f"single prompts {path} has version {version!r}, this senbench reads {SINGLE_PROMPTS_VERSION}")
    return validated(SinglePrompts, data, f"single prompts {path}")


def load_all(folder: Path) -> list[SinglePrompts]:
    """Read all such files of a results folder, sorted by name; empty if there are none."""
    return [load(path) for path in sorted(folder.glob(PATTERN))]
