"""Which kernels multiply on a CPU: torch's own (`F.linear`) or oneDNN's (`onednn.py`), timed once on a machine.

The decision is kept in SENBENCH_HOME under all that it depends on, and read there without torch. It moves the last bits
of an embedding, so that it is part of the cache key and of a result.
"""

from __future__ import annotations

import hashlib
import json
import time
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from senbench.errors import UnavailableError, UsageError
from senbench.io import checked_json
from senbench.models import devices
from senbench.runtime import environment
from senbench.runtime.paths import base_name, home
from senbench.schema.terms import Kernels

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from senbench.models.checkpoints.checkpoint import Checkpoint
    from senbench.schema.terms import Dtype

FOLDER = "kernels"
"""In SENBENCH_HOME: one file per decision."""
SECONDS = 0.5
"""How long a decision may take, but for the first two rounds."""
ROUNDS = 5
CLEARLY = 0.95
"""oneDNN's kernels are taken where they need at most this share of torch's time: a tie keeps torch's bits."""


def known(checkpoint: Checkpoint) -> Kernels | None:
    """The kernels of a checkpoint as far as they are known without torch; None: they are to be timed.

    Raises:
        UsageError: oneDNN's are asked for, and are not for such a model.
    """
    why_not = unfit(checkpoint)
    if checkpoint.kernels == "onednn" and why_not:
        raise UsageError(f"--kernels onednn: {why_not}; leave it out")
    if checkpoint.kernels != "auto":
        return checkpoint.kernels
    if why_not:
        return "torch"
    found = checked_json.read(_place(checkpoint))
    return found["kernels"] if isinstance(found, dict) and found.get("kernels") in get_args(Kernels) else None


def identity(kernels: Kernels) -> dict[str, str]:
    """What kernels add to a cache key; torch's add nothing, as when there were no others."""
    return {} if kernels == "torch" else {"kernels": kernels}


def with_kernels(settings: dict[str, Any], kernels: Kernels) -> dict[str, Any]:
    """Settings of a cache key, had these kernels multiplied."""
    return {name: value for name, value in settings.items() if name != "kernels"} | identity(kernels)


def chosen(checkpoint: Checkpoint, model: torch.nn.Module) -> Kernels:
    """The kernels of a checkpoint; timed and kept if they are not known.

    Args:
        checkpoint: The file and how it is loaded.
        model: Its model, with or without weights: the shapes are real.

    Raises:
        UsageError: As `known`.
        UnavailableError: oneDNN's are asked for, and this torch has none.
    """
    from senbench.models import onednn

    if (found := known(checkpoint)) == "onednn" and not onednn.available():
        raise UnavailableError(
            "--kernels onednn: torch was built without oneDNN here; give --kernels torch (rows differ in the last bits)"
        )
    if found is not None:
        return found
    shape = largest(model)
    if shape is None or not onednn.available():
        return "torch"
    seconds = timed(shape, checkpoint.dtype)
    decision: Kernels = "onednn" if seconds["onednn"] < CLEARLY * seconds["torch"] else "torch"
    checked_json.write(
        _place(checkpoint), {"kernels": decision, "seconds": seconds, "shape": shape, **_about(checkpoint)}
    )
    return decision


def largest(model: torch.nn.Module) -> tuple[int, int] | None:
    """Outputs and inputs of the largest linear layer of a model; None where it has none."""
    from torch import nn

    layers = [(m.out_features, m.in_features) for m in model.modules() if isinstance(m, nn.Linear)]
    return max(layers, key=lambda shape: shape[0] * shape[1], default=None)


@cache
def timed(shape: tuple[int, int], dtype: Dtype) -> dict[str, float]:
    """Seconds of one product by each kind of kernels, the least of interleaved rounds.

    Args:
        shape: Outputs and inputs of the layer.
        dtype: Precision.

    Returns:
        Kernels -> seconds; infinity where they refuse.
    """
    import torch

    from senbench.models import onednn

    generator = torch.Generator().manual_seed(0)
    weight, bias, x = (
        torch.randn(size, generator=generator).to(torch.bfloat16 if dtype == "bf16" else torch.float32)
        for size in (shape, shape[:1], (onednn.ROWS, shape[1]))
    )
    least = {"torch": float("inf"), "onednn": float("inf")}
    with torch.inference_mode():
        try:
            laid_out = onednn.laid_out(weight)
            onednn.product(x, laid_out, bias)
        except RuntimeError:  # a processor without the instructions
            return least
        ways: dict[str, Callable[[], torch.Tensor]] = {
            "torch": lambda: torch.nn.functional.linear(x, weight, bias),
            "onednn": lambda: onednn.product(x, laid_out, bias),
        }
        began = time.perf_counter()
        for k in range(ROUNDS):
            for name, way in ways.items():
                start = time.perf_counter()
                way()
                least[name] = min(least[name], time.perf_counter() - start)
            if k and time.perf_counter() - began > SECONDS:
                break
    return least


def unfit(checkpoint: Checkpoint) -> str:
    """Why oneDNN's kernels are not for a model on this device, as a clause; empty if they are."""
    if (kind := devices.kind(checkpoint.device)) != "cpu":
        return f"device {kind} does not multiply by oneDNN"
    if checkpoint.dtype not in ("float32", "bf16"):
        return f"oneDNN is used in float32 and bf16, not in {checkpoint.dtype}"
    if not checkpoint.card.adapter.startswith("senbench."):
        return f"model {checkpoint.card.id} is built by {checkpoint.card.adapter.partition(':')[0]}, not by senbench"
    return ""


def _about(checkpoint: Checkpoint) -> dict[str, Any]:
    """All that a decision depends on."""
    return {
        "cpu": environment.cpu_generation(),
        "torch": environment.versions().get("torch"),
        "threads": environment.threads(),
        "dtype": checkpoint.dtype,
        "architecture": base_name(checkpoint.card.architecture),
    }


def _place(checkpoint: Checkpoint) -> Path:
    """Where the decision is kept."""
    digest = hashlib.sha256(json.dumps(_about(checkpoint), sort_keys=True).encode()).hexdigest()
    return home() / FOLDER / f"{digest[:32]}.json"
