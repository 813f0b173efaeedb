"""Refuses to compute in a process forked after torch had computed: torch would wait forever for missing threads."""

from __future__ import annotations

import os

from senbench.errors import UsageError

_computed_in: int | None = None


def refuse() -> None:
    """Record that this process computes with torch, and refuse if its parent had computed before the fork.

    Raises:
        UsageError: The parent of this process had already computed with torch.
    """
    global _computed_in
    if _computed_in is None:
        _computed_in = os.getpid()
    elif _computed_in != os.getpid():
        raise UsageError(
            "this process was forked after its parent had computed with a model, and its threads are not inherited: "
            'it would wait forever; start processes with multiprocessing.get_context("spawn")'
        )
