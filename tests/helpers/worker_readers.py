"""Readers that worker processes import by name."""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial

import numpy as np

from senbench.datasets.tiles import TileError
from senbench.errors import UsageError


def plain(i: int) -> np.ndarray:
    return np.full((4, 5, 3), i % 256, np.uint8)


def odd(i: int) -> np.ndarray:
    """Tiles of other types, layouts and sizes; 5 and 7 do not fit the shared memory together."""
    if i == 1:
        raise TileError("tile 1: truncated")
    if i in (5, 7):
        return np.full((2000, 3000, 3), i, np.uint8)
    print("what a library prints on standard output")
    return np.arange(i * 8, dtype=(np.uint8, np.uint16, np.float32)[i % 3]).reshape(2, i, 4).transpose(1, 0, 2)[::-1]


def killed(i: int) -> np.ndarray:
    if i == 40:
        os.kill(os.getpid(), signal.SIGKILL)
    return plain(i)


def wrong(i: int) -> np.ndarray:
    if i == 40:
        raise UsageError("this dataset has no such band")
    return plain(i)


class Strange(Exception):
    """Cannot be pickled: its arguments are not those of its text."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def strange(i: int) -> np.ndarray:
    raise Strange(i, 2)


def imported(i: int) -> np.ndarray:
    names = ("torch", "open_clip", "torchvision", "transformers", "torchgeo", "sklearn", "pandas")
    return np.array([[name in sys.modules for name in names]])


def pid(i: int) -> np.ndarray:
    time.sleep(0.01)
    return np.array([[os.getpid()]])


def loaded_in(parent: int, i: int) -> np.ndarray:
    return np.array([[os.getpid() != parent]])


elsewhere = partial(loaded_in, os.getpid())
