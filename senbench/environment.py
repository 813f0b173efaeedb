"""What a result records of the machine: device, threads, platform, versions."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("torch", "torchvision", "open_clip_torch", "torchgeo", "numpy", "pillow", "pyarrow")


def versions() -> dict[str, str]:
    """Installed versions of the packages that can change a number."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _cpu() -> str:
    """Name of the processor: Linux tells it only in /proc/cpuinfo."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def describe(device: Any, dtype: str) -> dict[str, Any]:
    """Environment block of a result.

    Args:
        device: Device the model ran on, or the type of the one its cached embeddings were made on; None for a user's
            object.
        dtype: Precision of the encoders.
    """
    kind = getattr(device, "type", "unknown")
    block: dict[str, Any] = {
        "device": kind,
        "device_name": _cpu(),
        "dtype": dtype,
        "cpus": os.cpu_count(),
        "platform": platform.platform(aliased=True, terse=True),
        "versions": versions(),
    }
    if device is not None and (kind != "cpu" or "torch" in sys.modules):  # else nothing was computed with torch
        import torch

        block["threads"] = torch.get_num_threads()
        block["tf32"] = dtype == "tf32"  # adapters switch it for their own calls, whatever torch's default is
        if kind == "cuda":
            block["device_name"] = torch.cuda.get_device_name(getattr(device, "index", None))
    return block
