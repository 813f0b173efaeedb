"""Memory that a process freed and will want again."""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from functools import cache

TRIM_THRESHOLD, MMAP_MAX = -1, -4
"""Parameters of glibc's `mallopt`."""


@cache
def keep_freed() -> None:
    """Let glibc use freed memory again instead of returning it to the system; nothing where there is no glibc.

    The layers of a model free and take the same megabytes for every batch. Fresh pages cost more than what is computed
    in them, most of all in a virtual machine.
    """
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            libc = ctypes.CDLL(None)
            libc.mallopt(MMAP_MAX, 0)
            libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)
