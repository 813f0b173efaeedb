"""Pooling: the photos of a tile become one target. Weights depend on the photos alone, never on the tile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from senbench.align.recipe import Pool


class Average(nn.Module):
    """Mean of the photos' embeddings; nothing is learned."""

    def __init__(self, dim: int) -> None:
        """Nothing to hold; `dim` as for all poolings."""
        super().__init__()

    def forward(self, photos: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """Photos (B, K, D) and which of them are there, bool (B, K) -> targets (B, D), not normalised."""
        weights = there.to(photos.dtype)
        return (photos * weights[..., None]).sum(1) / weights.sum(1, keepdim=True)


class AttentionPerImage(nn.Module):
    """One score a photo, linear in its embedding; softmax over the photos (SenCLIP's `attpool_perimage`)."""

    def __init__(self, dim: int) -> None:
        """D parameters, as torch draws them."""
        super().__init__()
        self.score = nn.Linear(dim, 1, bias=False)

    def forward(self, photos: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """As `Average.forward`."""
        return _attended(photos, self.score(photos), there)


class AttentionPerDim(nn.Module):
    """One score a photo and dimension; softmax over the photos in each dimension (SenCLIP's `attpool_perdim`)."""

    def __init__(self, dim: int) -> None:
        """D x D parameters, as torch draws them."""
        super().__init__()
        self.score = nn.Linear(dim, dim, bias=False)

    def forward(self, photos: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """As `Average.forward`."""
        return _attended(photos, self.score(photos), there)


POOLINGS: dict[Pool, type[nn.Module]] = {
    "avg": Average,
    "att-image": AttentionPerImage,
    "att-dim": AttentionPerDim,
}


def _attended(photos: torch.Tensor, scores: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Sum of the photos by softmax of their scores, (B, K, 1) or (B, K, D)."""
    weights = scores.masked_fill(~there[..., None], -torch.inf).softmax(dim=1)
    return (photos * weights).sum(1)
