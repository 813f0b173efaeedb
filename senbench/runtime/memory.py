"""Where glibc takes the memory of large arrays from; elsewhere nothing is changed.

The layers of a model free and take the same megabytes for every batch: they use them again, because fresh pages cost
more than what is computed in them, most of all in a virtual machine. Its weights go back to the system when they are
freed, so that those which are laid out anew are not held twice.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
"""Parameters of glibc's `mallopt`."""
WEIGHT = 1 << 20
"""Bytes from which on an array that is read is mapped by itself."""


@contextmanager
def reading_weights() -> Iterator[None]:
    """Arrays that are made inside are returned to the system once they are freed; later ones are used again."""
    _set(MMAP_THRESHOLD, WEIGHT)
    _set(MMAP_MAX, 1 << 16)
    try:
        yield
    finally:
        _set(MMAP_MAX, 0)
        _set(TRIM_THRESHOLD, 2**31 - 1)


def _set(parameter: int, value: int) -> None:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).mallopt(parameter, value)
