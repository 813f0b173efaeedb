"""The loss: each tile is told apart from other places by the target of its own (docs/methods.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def contrastive(
    tiles: torch.Tensor, targets: torch.Tensor, negatives: torch.Tensor, scale: torch.Tensor, own: torch.Tensor | None
) -> torch.Tensor:
    """Loss of each tile, -log(e^(a s.G) / (e^(a s.G) + sum_k e^(a s.Q_k))).

    One direction only: tiles against ground targets. The negatives carry no gradient.

    Args:
        tiles: s, unit rows (B, D).
        targets: G, unit rows (B, D).
        negatives: Q, unit rows (M, D).
        scale: a, the inverse of the temperature, ().
        own: int64 (B,), which negative is the tile's own target and is left out; None: none is. Where only some of the
            negatives are targets of the batch, these come first.

    Returns:
        (B,).
    """
    import torch

    positive = scale * (tiles * targets).sum(1, keepdim=True)
    others = scale * tiles @ negatives.detach().T
    if own is not None:
        others = others.scatter(1, own[:, None], -torch.inf)
    logits = torch.cat([positive, others], dim=1)
    losses: torch.Tensor = logits.logsumexp(dim=1) - positive[:, 0]
    return losses
