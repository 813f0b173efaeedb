"""The device of a run: by its name, by its kind without torch, and whether it has the precision asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from senbench.errors import UnavailableError, UsageError

if TYPE_CHECKING:
    import torch

    from senbench.schema.terms import Dtype, PixelPath

GPU_NODES = ("/dev/nvidiactl", "/dev/nvidia0", "/dev/kfd", "/dev/dxg")
"""What Linux has where there is a device that torch could use as CUDA."""


def pick_device(name: str) -> torch.device:
    """The torch device of a name; `auto` is CUDA where there is one, else the CPU.

    Raises:
        UsageError: No such device name.
        UnavailableError: The device is not on this machine.
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
    """Type of the device of a name, without torch where the name or the machine leaves only the CPU.

    Raises:
        UsageError: No such device name.
        UnavailableError: The device is not on this machine.
    """
    if device == "cpu":
        return "cpu"
    if device == "auto" and sys.platform == "linux" and not any(Path(node).exists() for node in GPU_NODES):
        return "cpu"
    return pick_device(device).type


def pixel_path(kind: str) -> PixelPath:
    """Where tiles are resized unless a run says otherwise: by PIL on the host (`exact`) for a CPU, else on the device.

    Args:
        kind: Type of the device.
    """
    return "exact" if kind == "cpu" else "device"


def check_precision(kind: str, dtype: Dtype) -> None:
    """Refuse TF32 where nothing would be computed in it.

    Args:
        kind: Type of the device.
        dtype: Precision asked for.

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
