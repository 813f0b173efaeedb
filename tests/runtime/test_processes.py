"""Work in forked processes: all of it, once each, by closures; a killed process is told."""

from __future__ import annotations

import os
import signal

import pytest

from senbench.runtime.processes import ProcessKilledError, in_processes


def test_every_item_is_done_once_in_other_processes():
    opened = {"factor": 3, "handle": lambda value: value}  # a function cannot be pickled
    done = dict(in_processes(lambda k: (opened["handle"](k) * opened["factor"], os.getpid()), range(20), 2))
    assert {k: value for k, (value, _) in done.items()} == {k: 3 * k for k in range(20)}
    assert os.getpid() not in {process for _, process in done.values()}


def test_nothing_to_do():
    assert list(in_processes(lambda k: k, [], 2)) == []


def test_an_error_of_the_work_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        list(in_processes(lambda k: 1 // k, [0], 1))


def test_a_killed_process_is_told():
    with pytest.raises(ProcessKilledError):
        list(in_processes(lambda k: os.kill(os.getpid(), signal.SIGKILL), [1], 1))
