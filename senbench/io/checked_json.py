"""Small JSON files of what can be made again: one that is not as it was written counts as not there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import secrets
from typing import TYPE_CHECKING, Any

from senbench.runtime import parsing

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> Any:
    """What was written there; None where there is no such file, another byte in it, or it was copied from another."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        held = parsing.from_json(path.read_bytes())
        if held["sha256"] == _digest(held["value"]) and held.get("name", path.name) == path.name:
            return held["value"]
    return None


def write(path: Path, value: Any) -> None:
    """Write a value other than None, whole or not at all; where the disk refuses, nothing is remembered."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"name": path.name, "sha256": _digest(value), "value": value}, indent=1)
        part.write_text(text, encoding="utf-8")
        part.replace(path)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
