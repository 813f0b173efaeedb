"""What a result records about the machine: device, threads, platform and package versions."""

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
"""Precision -> CPU flags (x86, Arm) of which any one shows native matrix products in that precision."""
PACKAGES = ("torch", "torchvision", "open_clip_torch", "torchgeo", "numpy", "pillow", "pyarrow")


def versions() -> dict[str, str]:
    """Return the installed versions of the packages that can change a figure."""
    installed = {name: have for name in PACKAGES if (have := _installed(name)) is not None}
    return {"python": platform.python_version(), **installed}


@cache
def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cpuinfo(*names: str) -> str | None:
    """Return the first entry of /proc/cpuinfo with one of these names; None without one, as outside Linux."""
    try:
        lines = CPUINFO.read_text(errors="replace").splitlines()
    except OSError:
        return None
    entries = (line.partition(":") for line in lines)
    return next((value.strip() for key, _, value in entries if key.strip() in names), None)


def own_version() -> str:
    """Return the installed version of senbench."""
    return _installed("senbench") or "0+unknown"  # a source tree that was never installed


def cpu() -> str:
    """Return the name of the processor, which Linux states only in /proc/cpuinfo."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def cpu_generation() -> str:
    """Return name and stepping of the processor: cloud machines give several generations one name."""
    return " ".join([cpu(), *(_cpuinfo(name) or "-" for name in ("cpu family", "model", "stepping"))])


def cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def threads() -> int:
    """Return how many threads torch will use, as far as that is known without importing torch."""
    omp_threads = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return int(omp_threads) if omp_threads.isascii() and omp_threads.isdigit() and int(omp_threads) else cores()


def emulated(device: str, dtype: str) -> str | None:
    """Return a warning if the processor has no instructions for a reduced precision.

    Args:
        device: Type of the device, such as `cpu`.
        dtype: Precision of the encoders.

    Returns:
        One line; None if the processor has the instructions, or does not state them.
    """
    flags = _cpuinfo("flags", "Features")
    wanted = INSTRUCTIONS.get(dtype, ())
    if device != "cpu" or not wanted or flags is None or not set(wanted).isdisjoint(flags.split()):
        return None
    return f"this CPU has no {dtype} instructions: --dtype {dtype} is emulated, slower than float32"


def describe(device: Any, dtype: str, kernels: str | None = None) -> dict[str, Any]:
    """Return the environment block of a result.

    Args:
        device: Device the model ran on, or the type of the one its cached embeddings were made on; None for a user's
            object.
        dtype: Precision of the encoders.
        kernels: Kernels used for matrix products; None if unknown or not on a CPU.
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
    if device is not None and (kind != "cpu" or "torch" in sys.modules):  # otherwise torch computed nothing
        import torch

        block["threads"] = torch.get_num_threads()
        block["tf32"] = dtype == "tf32"  # adapters set it for their own calls, so that torch's default does not matter
        if kind == "cuda":
            block["device_name"] = torch.cuda.get_device_name(getattr(device, "index", None))
    return block
