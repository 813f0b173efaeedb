"""Prompts written on the command line: a text with `{}` where the name of a class goes."""

from __future__ import annotations

from pathlib import Path


def is_template(text: str) -> bool:
    """Whether a source of prompts is one template (`a satellite photo of {}`), not a style or a file.

    Args:
        text: As passed.
    """
    if "{}" not in text:
        return False
    try:
        return not Path(text).expanduser().is_file()
    except (OSError, ValueError, RuntimeError):  # too long for a path, a zero byte, an unknown user
        return True
