"""Signals that end a command from outside: each interrupts as Ctrl-C does, so that what was made is kept."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C; what torchrun, Slurm and `kill` send; a terminal that was closed."""
_came: list[int] = []


def taken() -> int | None:
    """The signal that came and was not spoken of yet; None: none did."""
    number = _came[0] if _came else None
    _came.clear()
    return number


@contextmanager
def watched() -> Iterator[None]:
    """Turn the signals into KeyboardInterrupt; one that is ignored, as under `nohup`, stays so."""
    before = {}
    if threading.current_thread() is threading.main_thread():  # Python sets signals in no other
        for number in ENDING:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, _interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _: object) -> None:
    _came.append(number)
    raise KeyboardInterrupt
