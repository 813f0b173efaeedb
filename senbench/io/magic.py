"""Recognises web pages and Git LFS pointers by their first bytes, where a data file was expected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 1024
"""Number of bytes read for this."""
PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|\?xml|!--|error)", re.IGNORECASE)
POINTER = b"version https://git-lfs.github.com/spec/"


def head(path: Path) -> bytes:
    """Return the first bytes of a file, at most `HEAD`."""
    with path.open("rb") as stream:
        return stream.read(HEAD)


def foreign(path: Path) -> str | None:
    """Describe a file that cannot be the requested one.

    Args:
        path: The file.

    Returns:
        A description of what the file is; None if its first bytes raise no suspicion.

    Raises:
        OSError: It cannot be read.
    """
    first = head(path)
    if not first:
        return "an empty file"
    if PAGE.match(first):
        return "a web page (a login, an error or a preview) and not the file itself"
    if first.startswith(POINTER):
        size = re.search(rb"^size (\d+)", first, re.MULTILINE)
        of = f" of {int(size[1]):,} bytes" if size else ""
        return f"a Git LFS pointer to a file{of}, which was cloned without its content (`git lfs pull` brings it)"
    return None
