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
    except (RecursionError, ValueError) as error:
        raise _plain(error) from error


def from_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        ValueError: As `from_json`.
    """
    import tomllib

    try:
        return tomllib.loads(text)
    except (RecursionError, ValueError) as error:
        raise _plain(error) from error


def _plain(error: Exception) -> Exception:
    """The error in words for whoever wrote the text, not for whoever parses it."""
    if isinstance(error, RecursionError):
        return ValueError("nested too deeply")
    if "int_max_str_digits" in str(error):
        return ValueError("a whole number has thousands of digits")
    return error
