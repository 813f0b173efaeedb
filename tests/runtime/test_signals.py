"""Signals that end a command are interruptions, once."""

from __future__ import annotations

import os
import signal
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from functools import partial

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


def within(seconds: float) -> None:
    """Give up after some time that no undisturbed signal needs."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)


class Referenced:
    """Something to refer to."""


def die_in_a_finalizer():
    made = Finalized()
    del made


def die_in_a_callback():
    made = Referenced()
    kept = weakref.ref(made, lambda _: os.kill(os.getpid(), signal.SIGTERM))
    del made
    return kept


@pytest.mark.parametrize("die", [die_in_a_finalizer, die_in_a_callback])
def test_one_that_python_drops_comes_again(die, capsys):
    with pytest.raises(KeyboardInterrupt), signals.watched():
        die()
        within(20)
    assert (signals.taken(), signals.taken()) == (signal.SIGTERM, None)
    assert capsys.readouterr().err == ""


def test_the_import_system_is_not_interrupted():
    done = []
    importing = compile("die(); done.append(True)", "<frozen importlib._bootstrap>", "exec")
    with pytest.raises(KeyboardInterrupt), signals.watched():
        exec(importing, {"die": partial(signal.raise_signal, signal.SIGTERM), "done": done})
        within(20)
    assert done
    assert signals.taken() == signal.SIGTERM


def test_other_exceptions_that_python_drops_are_told(capsys, monkeypatch):
    told = []
    monkeypatch.setattr("sys.unraisablehook", told.append)
    with signals.watched():
        kept = weakref.ref(made := Referenced(), lambda _: 1 / 0)
        del made
    assert [type(one.exc_value) for one in told] == [ZeroDivisionError]
    assert kept() is None


def test_a_signal_that_waits_ends_with_the_watch():
    importing = compile("die()", "<frozen importlib._bootstrap>", "exec")
    with signals.watched():
        exec(importing, {"die": partial(signal.raise_signal, signal.SIGTERM)})
    time.sleep(0.1)  # an alarm that nobody awaits would end this process
    assert signals.taken() == signal.SIGTERM
