"""Settings of glibc's allocator for large arrays; no effect with other C libraries.

A model's layers allocate and free the same megabytes for every batch. Reusing this memory matters, because fresh
pages cost more than the computation in them, most of all in a virtual machine. The memory of a checkpoint, however,
is returned to the system when freed, so that weights converted to another layout are not held twice.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TRIM_THRESHOLD, MMAP_THRESHOLD, MMAP_MAX = -1, -3, -4
"""Parameter numbers of glibc's `mallopt`."""
WEIGHT = 1 << 20
"""Size in bytes from which an array is allocated by its own memory mapping."""


@contextmanager
def reading_weights() -> Iterator[None]:
    """Return the memory of arrays made in this context to the system when freed; reuse that of later arrays."""
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
