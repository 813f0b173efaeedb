"""Decodes text files in UTF-8 with or without a byte order mark, or in UTF-16 as Windows saves it."""

from __future__ import annotations

import codecs
import unicodedata
from typing import TypeVar

from senbench.errors import UsageError

T = TypeVar("T")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula, or strips from it."""


def decode(data: bytes, what: str) -> str:
    """Decode the text of a file, without its byte order mark.

    Args:
        data: Its bytes.
        what: The file, for messages.

    Raises:
        UsageError: It is neither UTF-8 nor UTF-16 with a byte order mark; names the line.
    """
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(f"{what}: not a text file in UTF-8 (line {line}): save it as UTF-8") from error
    if "\0" in text:
        raise UsageError(f"{what}: not a text file (it has zero bytes): save it as UTF-8")
    return text


def composed(text: str) -> str:
    """Normalise a text to NFC, where a letter and its accent are one character; macOS writes them as two."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def name_fault(name: str) -> str | None:
    """Return why a file name cannot be written into a result; None if it can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return f"{name.encode(errors='surrogateescape')!r} is not UTF-8: rename it"
    return None


def guarded(value: T) -> T | str:
    """A cell of a CSV file that no spreadsheet runs: text that begins as a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
