"""What a file really is, by its first bytes: servers answer with pages, and repositories with pointers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 1024
"""Bytes that are looked at."""
PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html|head|body|\?xml|!--|error)", re.IGNORECASE)
POINTER = b"version https://git-lfs.github.com/spec/"


def head(path: Path) -> bytes:
    """The first bytes of a file, at most `HEAD`."""
    with path.open("rb") as stream:
        return stream.read(HEAD)


def foreign(path: Path) -> str | None:
    """What a file is that cannot be what was asked for.

    Args:
        path: The file.

    Returns:
        In words, with what that means; None: nothing is known against it.

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
