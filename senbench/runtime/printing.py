"""The one way to the terminal: text from strangers' files, names and errors never acts on it."""

from __future__ import annotations

import re
import sys

_ACTING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, marks that change the direction of writing, halves of surrogate pairs."""


def printable(text: str) -> str:
    r"""Text with every character that acts on a terminal, or cannot be encoded, written out as `\x1b`."""
    return _ACTING.sub(lambda found: ascii(found[0])[1:-1], text)


def printable_json(text: str) -> str:
    r"""JSON with the same characters written out as `\u009b`: it means what it meant."""
    return _ACTING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def say(text: object = "", *, err: bool = False, nl: bool = True) -> None:
    """Print text.

    Args:
        text: What is printed, `printable`.
        err: To stderr.
        nl: End the line.
    """
    stream = sys.stderr if err else sys.stdout
    if stream is not None:  # as with `>&-`
        print(printable(str(text)), end="\n" if nl else "", file=stream, flush=True)
