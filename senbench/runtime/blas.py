"""BLAS in one thread, where products are small: its other threads would spin between them and slow all the rest."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[Any]:
    """Context in which numpy's products use the calling thread alone."""
    limited: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return limited


@cache
def _libraries() -> ThreadpoolController:
    """BLAS as numpy loaded it; looking for it takes longer than a small data set's resamples."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
