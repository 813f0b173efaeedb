"""A process that was forked after torch had computed waits forever for threads that it did not inherit."""

from __future__ import annotations

import os

from senbench.errors import UsageError

_computed_in: int | None = None


def refuse() -> None:
    """Note that this process computes with torch; refuse where it was forked from one that did.

    Raises:
        UsageError: It was.
    """
    global _computed_in
    if _computed_in is None:
        _computed_in = os.getpid()
    elif _computed_in != os.getpid():
        raise UsageError(
            "this process was forked after its parent had computed with a model, and its threads are not inherited: "
            'it would wait forever; start processes with multiprocessing.get_context("spawn")'
        )
