"""What a result records of the machine: device, threads, platform, versions."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

CPUINFO = Path("/proc/cpuinfo")
INSTRUCTIONS = {"bf16": ("avx512_bf16", "amx_bf16", "bf16"), "fp16": ("avx512_fp16", "amx_fp16", "asimdhp")}
"""Precision -> flags of x86 and Arm processors, one of which multiplies in it."""
PACKAGES = ("torch", "torchvision", "open_clip_torch", "torchgeo", "numpy", "pillow", "pyarrow")


def versions() -> dict[str, str]:
    """Installed versions of the packages that can change a number."""
    found = {name: have for name in PACKAGES if (have := _installed(name)) is not None}
    return {"python": platform.python_version(), **found}


@cache
def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpuinfo(*names: str) -> str | None:
    """First entry of /proc/cpuinfo of one of these names; None where there is none, as outside Linux."""
    try:
        lines = CPUINFO.read_text(errors="replace").splitlines()
    except OSError:
        return None
    entries = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in entries if key.strip() in names), None)


def own_version() -> str:
    """Version of senbench as it is installed."""
    return _installed("senbench") or "0+unknown"  # a source tree that was never installed


def cpu() -> str:
    """Name of the processor: Linux tells it only in /proc/cpuinfo."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def cpu_generation() -> str:
    """Name and version of the processor: cloud machines give several generations one name."""
    return " ".join([cpu(), *(_cpuinfo(name) or "-" for name in ("cpu family", "model", "stepping"))])


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Threads that torch is going to compute with, as far as that is told without it."""
    told = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(told) if told.isascii() and told.isdigit() and int(told) else cores()


def emulated(device: str, dtype: str) -> str | None:
    """What a reader must know of a reduced precision that the processor has no instructions for.

    Args:
        device: Type of the device, such as `cpu`.
        dtype: Precision of the encoders.

    Returns:
        One line; None where it has them, or does not tell.
    """
    flags = _cpuinfo("flags", "Features")
    wanted = INSTRUCTIONS.get(dtype, ())
    if device != "cpu" or not wanted or flags is None or not set(wanted).isdisjoint(flags.split()):
        return None
    return f"this CPU has no {dtype} instructions: --dtype {dtype} is emulated, slower than float32"


def describe(device: Any, dtype: str, kernels: str | None = None) -> dict[str, Any]:
    """Environment block of a result.

    Args:
        device: Device the model ran on, or the type of the one its cached embeddings were made on; None for a user's
            object.
        dtype: Precision of the encoders.
        kernels: Kernels that multiplied; None: not known, or of no CPU.
    """
    kind = getattr(device, "type", "unknown")
    block: dict[str, Any] = {
        "device": kind,
        "device_name": cpu(),
        "dtype": dtype,
        **({"kernels": kernels} if kernels and kind == "cpu" else {}),
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
