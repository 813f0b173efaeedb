"""Parses JSON and TOML from outside; any malformed text raises ValueError."""

from __future__ import annotations

import json
from typing import Any


def from_json(text: str | bytes, **hooks: Any) -> Any:
    """Parse JSON.

    Args:
        text: The document.
        hooks: Keyword arguments of `json.loads`.

    Raises:
        ValueError: The text is no JSON, is nested too deeply, or holds an integer of thousands of digits.
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
    """Return an error that is meaningful to the author of the text rather than to the parser's."""
    if isinstance(error, RecursionError):
        return ValueError("nested too deeply")
    if "int_max_str_digits" in str(error):
        return ValueError("a whole number has thousands of digits")
    return error
