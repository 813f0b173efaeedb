"""Transfers batches to a device and rows back; on CUDA neither waits for the device."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch
    from numpy.typing import NDArray


def upload(batch: Sequence[NDArray[Any]], device: torch.device) -> torch.Tensor:
    """Upload tiles of one size as one tensor.

    On CUDA they are collated in pinned memory and copied on a separate stream; running computations continue meanwhile,
    and later ones on the current stream wait for the copy.

    Args:
        batch: B arrays (H, W, C) of one size and type.
        device: Target device.

    Returns:
        (B, H, W, C) of the same type, on the device.
    """
    import torch

    if device.type != "cuda":
        return torch.from_numpy(np.stack(batch))
    host = pinned((len(batch), *batch[0].shape), torch.from_numpy(batch[0][:0]).dtype)
    np.stack(batch, out=host.numpy())
    side, here = _side(device), torch.cuda.current_stream(device)
    with torch.cuda.stream(side):
        there = host.to(device, non_blocking=True)
    here.wait_stream(side)
    there.record_stream(here)  # keeps the side stream from reusing the memory before it was read
    return there


def download(rows: torch.Tensor) -> Callable[[], NDArray[np.float32]]:
    """Start copying rows to the host.

    Args:
        rows: float32 (B, D).

    Returns:
        A function that waits for the copy and returns it, float32 (B, D).
    """
    import torch

    if rows.device.type != "cuda":
        return rows.numpy
    host = pinned(tuple(rows.shape), rows.dtype)
    host.copy_(rows, non_blocking=True)
    done = torch.cuda.Event()  # type: ignore[no-untyped-call]
    done.record(torch.cuda.current_stream(rows.device))

    def wait() -> NDArray[np.float32]:
        done.synchronize()
        array: NDArray[np.float32] = host.numpy().copy()  # copied, because the pinned memory is reused
        return array

    return wait


def pinned(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Allocate pinned host memory, which a device can access directly."""
    import torch

    return torch.empty(shape, dtype=dtype, pin_memory=True)


@lru_cache(maxsize=8)
def _side(device: torch.device) -> torch.cuda.Stream:
    import torch

    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
