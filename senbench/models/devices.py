"""Selects the device of a run, finds its type without importing torch, and checks its precisions."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from senbench.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    import torch

    from senbench.schema.terms import Dtype, PixelPath

GPU_NODES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""Paths that exist on Linux if torch could find a CUDA device."""


def pick_device(name: str) -> torch.device:
    """Return the torch device of a name; `auto` is CUDA if available, otherwise the CPU.

    Raises:
        UsageError: The device name is unknown.
        UnavailableError: This machine has no such device.
    """
    import torch

    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"unknown device {name!r}; use auto, cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise UsageError(f"device {name!r} is not supported; use auto, cpu, cuda or cuda:N")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UnavailableError(f"device {name!r} is not on this machine ({torch.cuda.device_count()} CUDA devices)")
    return device


def kind(device: str) -> str:
    """Return the type of a device, without importing torch if only the CPU is possible.

    Raises:
        UsageError: The device name is unknown.
        UnavailableError: This machine has no such device.
    """
    if device == "cpu":
        return "cpu"
    if device == "auto" and sys.platform == "linux" and not any(Path(node).exists() for node in GPU_NODES):
        return "cpu"
    return pick_device(device).type


def pixel_path(kind: str) -> PixelPath:
    """Return where tiles are resized by default: by PIL on the host (`exact`) for a CPU, otherwise on the device.

    Args:
        kind: Type of the device.
    """
    return "exact" if kind == "cpu" else "device"


def check_precision(kind: str, dtype: Dtype) -> None:
    """Raise an error for TF32 on a device without it.

    Args:
        kind: Type of the device.
        dtype: Requested precision.

    Raises:
        UnavailableError: The device has no TF32.
    """
    if dtype != "tf32":
        return
    if kind != "cuda":
        raise UnavailableError(f"--tf32: device {kind} has no TF32, CUDA devices from A100 on have; leave it out")
    import torch

    if torch.cuda.get_device_capability() < (8, 0):
        raise UnavailableError(f"--tf32: {torch.cuda.get_device_name()} has no TF32, devices from A100 on have")
