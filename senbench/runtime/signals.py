"""Turns signals that end a command into KeyboardInterrupt, so that work done so far is saved."""

from __future__ import annotations

import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""Ctrl-C; the signal of torchrun, Slurm and `kill`; a closed terminal."""
_AGAIN_AFTER = 0.02
"""Seconds after which an interruption that did not take effect is repeated."""
_CAN_REPEAT = hasattr(signal, "setitimer")
_came: list[int] = []


def taken() -> int | None:
    """Return, once, the number of the signal that arrived; None if none did or it was returned before."""
    number = _came[0] if _came else None
    _came.clear()
    return number


@contextmanager
def watched() -> Iterator[None]:
    """Turn the signals into KeyboardInterrupt; a signal that was ignored before, as under `nohup`, stays ignored.

    No signal is lost. Python drops exceptions raised in a finalizer or in the callback of a weak reference, and an
    exception inside the import system can leave its lock held, so that threads wait forever. In both cases the
    interruption is raised a moment later.
    """
    before = {}
    hook = sys.unraisablehook
    if threading.current_thread() is threading.main_thread():  # Python sets signal handlers in the main thread only
        for number in ENDING:
            if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                before[number] = signal.signal(number, _interrupt)
        if _CAN_REPEAT and before and signal.getsignal(signal.SIGALRM) == signal.SIG_DFL:
            before[signal.SIGALRM] = signal.signal(signal.SIGALRM, _interrupt_again)
            sys.unraisablehook = lambda dropped: _repeat() if _is_ours(dropped.exc_type) else hook(dropped)
    try:
        yield
    finally:
        sys.unraisablehook = hook
        if _CAN_REPEAT and signal.SIGALRM in before:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _came.append(number)
    if _CAN_REPEAT and frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        _repeat()
        return
    raise KeyboardInterrupt


def _interrupt_again(_: int, frame: FrameType | None) -> None:
    if _came:  # otherwise it was reported meanwhile
        _interrupt(_came.pop(), frame)


def _is_ours(kind: type[BaseException]) -> bool:
    return kind is KeyboardInterrupt and bool(_came)


def _repeat() -> None:
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_AFTER)
