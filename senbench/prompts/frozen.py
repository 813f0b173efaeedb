"""The frozen hashes of the shipped styles: the rendered prompts of each version, and its date."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from senbench.runtime import parsing
from senbench.runtime.paths import shipped

FILE = "frozen.json"
"""File below `prompts/`, written by `tools/freeze_prompts.py`."""


@dataclass(frozen=True)
class Frozen:
    """One version of one style."""

    version: int
    date: str
    """Day on which it was frozen, ISO 8601."""
    hashes: dict[str, dict[str, str]]
    """Vocabulary -> class-name set -> hash of the rendered prompts, for those that the style can render."""
    added: dict[str, str] = field(default_factory=dict)
    """Vocabulary -> day on which its hashes were added, where that is a later one."""


@cache
def frozen() -> dict[str, tuple[Frozen, ...]]:
    """Return the versions of each frozen style, oldest first."""
    path = shipped("prompts") / FILE
    if not path.is_file():
        return {}
    raw = parsing.from_json(path.read_text(encoding="utf-8"))
    return {style: tuple(Frozen(**entry) for entry in entries) for style, entries in raw["styles"].items()}


def since(style: str, version: int | None) -> str | None:
    """Return the day on which a version of a style was frozen, or None."""
    return next((entry.date for entry in frozen().get(style, ()) if entry.version == version), None)
