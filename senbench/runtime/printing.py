"""Prints to the terminal with control characters escaped, since names and errors may come from untrusted files."""

from __future__ import annotations

import re
import sys

_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters except tab and line feed, marks that change the writing direction, and lone surrogates."""


def printable(text: str) -> str:
    r"""Escape, as `\x1b`, every character that controls a terminal or cannot be encoded."""
    return _ACTING.sub(lambda match: ascii(match[0])[1:-1], text)


def printable_json(text: str) -> str:
    r"""Escape the same characters of a JSON document as `\u009b`, which keeps its meaning."""
    return _ACTING.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def say(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print text.

    Args:
        text: Printed after `printable`.
        err: To stderr.
        nl: End the line.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is not None:  # stdout is closed, as with `>&-`
        print(printable(str(text)), end="\n" if nl else "", file=stream, flush=True)
