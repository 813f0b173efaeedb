"""Small JSON files with a checksum. A file whose checksum does not match is ignored, and its content rebuilt."""

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
    """Return the value written to this path; None if the file is missing, changed, or was copied under another name."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        held = parsing.from_json(path.read_bytes())
        if held["sha256"] == _digest(held["value"]) and held.get("name", path.name) == path.name:
            return held["value"]
    return None


def write(path: Path, value: Any) -> None:
    """Write a value other than None atomically; errors of the disk are ignored, since the value can be rebuilt."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"name": path.name, "sha256": _digest(value), "value": value}, indent=1)
        part.write_text(text, encoding="utf-8")
        part.replace(path)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
