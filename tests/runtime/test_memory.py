"""Freed memory that is used again, and weights that are returned."""

from __future__ import annotations

import subprocess
import sys

import pytest

from senbench.runtime import memory

CODE = """if True:
    import re, resource, sys
    import numpy as np
    from senbench.runtime import memory
    def faults():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        np.ones(1 << 23)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
    def resident():
        return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
    before = resident()
    if sys.argv[1] == "as read":
        with memory.reading_weights():
            weights = [np.ones(1 << 18) for _ in range(50)]
    else:
        weights = [np.ones(1 << 18) for _ in range(50)]
    held, end = resident() - before, np.ones(1 << 10)
    for i in range(0, 50, 2):
        weights[i] = None
    freed = before + held - resident()
    faults()
    print(held, freed, faults())
"""
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc's")


def measured(how):
    done = subprocess.run([sys.executable, "-c", CODE, how], capture_output=True, text=True, check=True)
    return map(int, done.stdout.split())


def test_weights_are_returned_and_what_comes_after_them_takes_the_pages_of_the_one_before():
    held, freed, faults = measured("as read")
    assert held == pytest.approx(100, abs=15)
    assert freed == pytest.approx(50, abs=15)
    assert faults < 100
    assert list(measured("as ever"))[2] > 10 * (faults + 1)


def test_without_glibc_nothing_happens(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    with memory.reading_weights():
        pass
