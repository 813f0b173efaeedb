"""Runs independent tasks in forked processes, which share the files that their parent has opened."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import time
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
R = TypeVar("R")


class ProcessKilledError(Exception):
    """A process was ended from outside, usually for want of memory."""


def in_processes(work: Callable[[T], R], items: Sequence[T], processes: int) -> Iterator[tuple[T, R]]:
    """Call a function for every item, in several processes at once.

    If the caller stops iterating, no further items are started; those already started are finished.

    Args:
        work: The function. It is inherited by the fork, not pickled, so that it may be a closure over anything; its
            result is pickled.
        items: Its arguments; each must be picklable.
        processes: Number of processes, at least 1.

    Yields:
        Items with their results, in the order in which they are finished.

    Raises:
        ProcessKilledError: A process was ended from outside.
    """
    context = multiprocessing.get_context("fork")
    pool = ProcessPoolExecutor(min(processes, len(items)) or 1, context, _become_worker, (work, os.getpid()))
    try:
        futures: dict[Future[R], T] = {pool.submit(_do, item): item for item in items}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise ProcessKilledError(str(error)) from error
    finally:
        pool.shutdown(cancel_futures=True)


_work: Callable[[Any], Any]


def _become_worker(work: Callable[[Any], Any], parent: int) -> None:
    """Set up a worker process: it ignores Ctrl-C, which its parent handles, and ends when its parent ends."""
    from threadpoolctl import threadpool_limits

    global _work
    _work = work
    gc.freeze()  # garbage collection would copy every page shared with the parent
    threadpool_limits(1)  # OpenMP's threads are not inherited, and torch in the worker would wait for them forever
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for number in {signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT)}:
        signal.signal(number, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _do(item: Any) -> Any:
    return _work(item)
