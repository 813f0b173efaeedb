"""SenCLIP's projection head: on the tile's side, while training only; the release evaluates without it."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import gelu

from senbench.align.recipe import DROPOUT


class ProjectionHead(nn.Module):
    """LayerNorm of the sum of features, a first layer of them, and a second layer of that, which is dropped in part.

    Both layers start at zero, so that the head starts as LayerNorm alone.
    """

    def __init__(self, dim: int) -> None:
        """Parameters for embeddings of `dim` dimensions."""
        super().__init__()
        self.first, self.second, self.norm = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.LayerNorm(dim)
        for layer in (self.first, self.second):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, features: torch.Tensor, kept: torch.Tensor | None = None) -> torch.Tensor:
        """Features (B, D) -> (B, D).

        Args:
            features: Of the tile tower, not normalised.
            kept: Which values of the second layer are kept, bool (B, D); None: all, as in evaluation.
        """
        first = self.first(features)
        second = self.second(gelu(first))
        if kept is not None:
            second = second * kept / (1 - DROPOUT)
        made: torch.Tensor = self.norm(features + first + second)
        return made
