"""Signals that end a command are interruptions, once."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from senbench.runtime import signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_each_is_an_interruption_that_is_told_once(number):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), signals.watched():
        os.kill(os.getpid(), number)
    assert (signals.taken(), signals.taken()) == (number, None)
    assert signal.getsignal(number) == before


def test_what_is_ignored_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with signals.watched():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signals.taken() is None


def test_a_thread_that_is_not_the_first_watches_nothing():
    with ThreadPoolExecutor(1) as elsewhere:
        assert elsewhere.submit(lambda: signals.watched().__enter__()).result() is None
