"""Transfers: what is on the CPU stays there; on CUDA, with stand-ins, nothing waits that need not."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from senbench.models import transfer

CPU = torch.device("cpu")


def test_on_the_cpu_tiles_and_rows_are_as_they_were():
    tiles = [np.full((2, 3, 4), k, np.uint16) for k in range(3)]
    there = transfer.upload(tiles, CPU)
    assert there.dtype == torch.uint16
    np.testing.assert_array_equal(there.numpy(), np.stack(tiles))
    rows = torch.arange(6.0).view(2, 3)
    np.testing.assert_array_equal(transfer.download(rows)(), rows.numpy())


class Tensor:
    """Stands in for a tensor in pinned memory or on a device, and notes what is done with it."""

    def __init__(self, log, data, where):
        self.log, self.data, self.where = log, data, where
        self.shape, self.dtype, self.device = data.shape, data.dtype, SimpleNamespace(type=where)

    def numpy(self):
        return self.data.numpy()

    def to(self, device, non_blocking):
        self.log.append(f"to {device.type} on {current(self.log)}, wait {not non_blocking}")
        return Tensor(self.log, self.data.clone(), "cuda")

    def copy_(self, other, non_blocking):
        self.log.append(f"from {other.where} on {current(self.log)}, wait {not non_blocking}")
        self.data.copy_(other.data)

    def record_stream(self, stream):
        self.log.append(f"kept for {stream.name}")


def current(log):
    return next((line.removeprefix("enter ") for line in reversed(log) if line.startswith("enter ")), "main")


@pytest.fixture
def log(monkeypatch):
    lines: list[str] = []

    def stream(name):
        return SimpleNamespace(name=name, wait_stream=lambda other: lines.append(f"{name} waits for {other.name}"))

    @contextlib.contextmanager
    def entered(chosen):
        lines.append(f"enter {chosen.name}")
        yield
        lines.append("enter main")

    class Event:
        def record(self, stream):
            lines.append(f"event on {stream.name}")

        def synchronize(self):
            lines.append("host waits")

    main = stream("main")
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: main)
    monkeypatch.setattr(torch.cuda, "stream", entered)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(transfer, "_side", lambda device: stream("side"))
    monkeypatch.setattr(
        transfer, "pinned", lambda shape, dtype: Tensor(lines, torch.empty(shape, dtype=dtype), "pinned")
    )
    return lines


def test_tiles_are_copied_on_a_stream_of_their_own(log):
    tiles = [np.full((2, 3, 3), k, np.uint8) for k in range(4)]
    there = transfer.upload(tiles, torch.device("cuda"))
    assert log == ["enter side", "to cuda on side, wait False", "enter main", "main waits for side", "kept for main"]
    np.testing.assert_array_equal(there.data.numpy(), np.stack(tiles))


def test_the_host_waits_for_rows_only_when_they_are_asked_for(log):
    rows = torch.arange(6.0).view(2, 3)
    wait = transfer.download(Tensor(log, rows, "cuda"))
    assert log == ["from cuda on main, wait False", "event on main"]
    np.testing.assert_array_equal(wait(), rows.numpy())
    assert log[-1] == "host waits"
