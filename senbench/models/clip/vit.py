"""CLIP in torch alone: two transformers, without the seconds that importing a library of all architectures takes.

After Radford et al. 2021 (openai/CLIP, `model.py`), under the keys of its checkpoints, which open_clip shares; rows
equal open_clip's to the last bit. Any other tower is built by the library that it comes from.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping


class QuickGELU(nn.Module):
    """x sigmoid(1.702 x), which OpenAI's models were trained with."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Activate, of any shape."""
        return x * torch.sigmoid(1.702 * x)


class Block(nn.Module):
    """Pre-norm residual block: attention, then a perceptron."""

    def __init__(self, width: int, heads: int, hidden: int, activation: type[nn.Module]) -> None:
        """Parameters without values.

        Args:
            width: Width of the tokens.
            heads: Attention heads.
            hidden: Width inside the perceptron.
            activation: What activates it, `QuickGELU` or GELU.
        """
        super().__init__()
        self.ln_1 = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.ln_2 = nn.LayerNorm(width)
        parts = {
            "c_fc": nn.Linear(width, hidden),
            "gelu": activation(),
            "c_proj": nn.Linear(hidden, width),
        }
        self.mlp = nn.Sequential(OrderedDict(parts))

    def forward(self, x: torch.Tensor, attn_mask: torch.Tensor | None) -> torch.Tensor:
        """Tokens (B, L, W) -> (B, L, W); the mask (L, L) is added to the scores of attention."""
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=attn_mask)[0]
        tokens: torch.Tensor = x + self.mlp(self.ln_2(x))
        return tokens


class Transformer(nn.Module):
    """Blocks one after the other."""

    def __init__(self, width: int, layers: int, heads: int, activation: type[nn.Module], ratio: float = 4.0) -> None:
        """Parameters without values; `ratio`: width inside the perceptrons over `width`."""
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, int(width * ratio), activation) for _ in range(layers))

    def forward(self, x: torch.Tensor, attn_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Tokens (B, L, W) -> (B, L, W)."""
        for block in self.resblocks:
            x = block(x, attn_mask)
        return x


@dataclass(frozen=True, kw_only=True)
class VisionConfig:
    """Sizes of the image tower, under open_clip's names.

    Attributes:
        image_size: Side of the images.
        patch_size: Side of a patch.
        width: Width of the tokens.
        layers: Number of blocks.
        head_width: Width of an attention head.
        mlp_ratio: As `ratio` of `Transformer`.
    """

    image_size: int
    patch_size: int
    width: int
    layers: int
    head_width: int = 64
    mlp_ratio: float = 4.0


class VisionTransformer(nn.Module):
    """The image tower: patches, a class token, blocks, and a projection of that token."""

    def __init__(self, config: VisionConfig, dim: int, activation: type[nn.Module]) -> None:
        """Parameters without values.

        Args:
            config: Sizes.
            dim: Dimension of the embeddings.
            activation: As in `Block`.
        """
        super().__init__()
        width, patch = config.width, config.patch_size
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.positional_embedding = nn.Parameter(torch.empty((config.image_size // patch) ** 2 + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = Transformer(width, config.layers, width // config.head_width, activation, config.mlp_ratio)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(torch.empty(width, dim))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (B, 3, R, R) -> features (B, D)."""
        patches = self.conv1(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(patches), 1, -1)
        x = torch.cat([first, patches], dim=1) + self.positional_embedding
        x = self.ln_post(self.transformer(self.ln_pre(x)))
        features: torch.Tensor = x[:, 0] @ self.proj
        return features


class CLIP(nn.Module):
    """CLIP's text tower beside an image tower; `openclip.encode_cut` encodes texts.

    Attributes:
        text_pool_type: Where a text is pooled: at its highest token, which is its end.
    """

    text_pool_type = "argmax"

    def __init__(self, dim: int, text: Mapping[str, Any], activation: type[nn.Module], visual: nn.Module) -> None:
        """Parameters without values, but for those of `visual`.

        Args:
            dim: Dimension of the embeddings.
            text: `context_length`, `vocab_size`, `width`, `heads`, `layers`.
            activation: As in `Block`.
            visual: The image tower, pixels (B, C, R, R) -> features (B, D).
        """
        super().__init__()
        self.visual = visual
        self.vocab_size, length, width = text["vocab_size"], text["context_length"], text["width"]
        # given, not drawn: drawing normal numbers for a tensor of the meta device imports torch's compiler, 3 s
        table = torch.empty(self.vocab_size, width)
        self.token_embedding = nn.Embedding.from_pretrained(table)  # type: ignore[no-untyped-call]
        self.positional_embedding = nn.Parameter(torch.empty(length, width))
        self.transformer = Transformer(width, text["layers"], text["heads"], activation)
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.empty(width, dim))
        self.logit_scale = nn.Parameter(torch.empty(()))
        self.register_buffer("attn_mask", torch.full((length, length), -torch.inf).triu_(1), persistent=False)

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        """Features (B, D), not normalised, of pixels (B, C, R, R)."""
        features: torch.Tensor = self.visual(pixels)
        return features
