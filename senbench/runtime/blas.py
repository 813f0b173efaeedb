"""BLAS in one thread for small matrix products, between which its other threads would spin and slow all else down."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from threadpoolctl import ThreadpoolController


def one_thread() -> AbstractContextManager[Any]:
    """Return a context in which NumPy's matrix products use only the calling thread."""
    limited: AbstractContextManager[Any] = _libraries().limit(limits=1, user_api="blas")
    return limited


@cache
def _libraries() -> ThreadpoolController:
    """Return NumPy's BLAS, kept because finding it takes longer than the resamples of a small dataset."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
