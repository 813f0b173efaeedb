"""The queue of negatives: a ring of the last targets, as pure functions of tensors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch.nn.functional import normalize

if TYPE_CHECKING:
    import torch


def random(size: int, dim: int, generator: torch.Generator) -> torch.Tensor:
    """Random unit vectors, Gaussian before they are normalised, as the release starts.

    Args:
        size: K.
        dim: D.
        generator: On the CPU.

    Returns:
        float32 (K, D).
    """
    import torch

    return normalize(torch.randn(size, dim, generator=generator), dim=1)


def enqueued(queue: torch.Tensor, pointer: int, keys: torch.Tensor) -> tuple[torch.Tensor, int]:
    """The queue after a step, whose own targets were no negatives in it.

    Args:
        queue: (K, D); it is not changed.
        pointer: Where the next key goes, 0..K-1.
        keys: Unit rows (B, D); B divides K, so that a batch never wraps.

    Returns:
        The queue (K, D), and the pointer.
    """
    changed = queue.clone()
    changed[pointer : pointer + len(keys)] = keys.detach()
    return changed, (pointer + len(keys)) % len(queue)
