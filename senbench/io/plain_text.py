"""Text files that people write: UTF-8, or UTF-16 as Windows saves it, with a byte order mark or without."""

from __future__ import annotations

import codecs
import unicodedata
from typing import TypeVar

from senbench.errors import UsageError

T = TypeVar("T")
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula, or strips from it."""


def decode(data: bytes, what: str) -> str:
    """Text of a file, without byte order mark.

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
    """Text with letters and their accents as one character each (NFC): macOS writes names with them apart."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def name_fault(name: str) -> str | None:
    """Why a file name cannot be written into a result; None where it can."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return f"{name.encode(errors='surrogateescape')!r} is not UTF-8: rename it"
    return None


def guarded(value: T) -> T | str:
    """A cell of a CSV file that no spreadsheet runs: text that begins as a formula gets an apostrophe before it."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
