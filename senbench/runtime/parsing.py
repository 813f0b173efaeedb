"""JSON and TOML from elsewhere: whatever is wrong with a text is one kind of error."""

from __future__ import annotations

import json
from typing import Any


def from_json(text: str | bytes, **hooks: Any) -> Any:
    """Parse JSON.

    Args:
        text: The document.
        hooks: As `json.loads` takes them.

    Raises:
        ValueError: It is none, is nested too deeply, or holds a whole number of thousands of digits.
    """
    try:
        return json.loads(text, **hooks)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def from_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: As `from_json`.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
