"""CLIP's ResNet in torch alone, as `clip.py` has its transformers.

Three convolutions first, strides that average, attention as the pooling (Radford et al. 2021). Keys are those of
OpenAI's checkpoints, rows open_clip's to the last bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, multi_head_attention_forward, relu

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPANSION = 4
"""Channels after a block over those inside it."""


class Bottleneck(nn.Module):
    """Residual block of three convolutions; a stride is an average over its window."""

    def __init__(self, channels: int, inner: int, stride: int) -> None:
        """Parameters without values.

        Args:
            channels: Channels of what comes in.
            inner: Channels inside; `EXPANSION` times as many come out.
            stride: 1 or 2.
        """
        super().__init__()
        outer = inner * EXPANSION
        self.stride = stride
        self.conv1, self.bn1 = nn.Conv2d(channels, inner, 1, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.bn2 = nn.Conv2d(inner, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner)
        self.conv3, self.bn3 = nn.Conv2d(inner, outer, 1, bias=False), nn.BatchNorm2d(outer)
        self.downsample = None
        if stride > 1 or channels != outer:
            self.downsample = nn.Sequential(nn.Conv2d(channels, outer, 1, bias=False), nn.BatchNorm2d(outer))

    def _pooled(self, x: torch.Tensor) -> torch.Tensor:
        return avg_pool2d(x, self.stride) if self.stride > 1 else x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, 4 x inner, H / stride, W / stride)."""
        y = relu(self.bn1(self.conv1(x)), inplace=True)
        y = relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(self._pooled(y)))
        return relu(y + (x if self.downsample is None else self.downsample(self._pooled(x))), inplace=True)


class AttentionPool(nn.Module):
    """The mean of all places asks them by attention; its answer is the embedding."""

    def __init__(self, places: int, channels: int, heads: int, dim: int) -> None:
        """Parameters without values.

        Args:
            places: Places of the last feature map.
            channels: Its channels.
            heads: Attention heads.
            dim: Dimension of the embeddings.
        """
        super().__init__()
        self.heads = heads
        self.positional_embedding = nn.Parameter(torch.empty(places + 1, channels))
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(channels, channels) for _ in range(3))
        self.c_proj = nn.Linear(channels, dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W) -> (B, D)."""
        places = x.flatten(2).permute(2, 0, 1)
        tokens = torch.cat([places.mean(dim=0, keepdim=True), places]) + self.positional_embedding[:, None]
        answers, _ = multi_head_attention_forward(
            tokens,
            tokens,
            tokens,
            embed_dim_to_check=tokens.shape[-1],
            num_heads=self.heads,
            in_proj_weight=None,
            in_proj_bias=torch.cat([self.q_proj.bias, self.k_proj.bias, self.v_proj.bias]),
            bias_k=None,
            bias_v=None,
            add_zero_attn=False,
            dropout_p=0.0,
            out_proj_weight=self.c_proj.weight,
            out_proj_bias=self.c_proj.bias,
            training=False,
            need_weights=False,
            use_separate_proj_weight=True,
            q_proj_weight=self.q_proj.weight,
            k_proj_weight=self.k_proj.weight,
            v_proj_weight=self.v_proj.weight,
        )
        return answers[0]


class ModifiedResNet(nn.Module):
    """The image tower."""

    def __init__(self, dim: int, *, image_size: int, layers: Sequence[int], width: int, head_width: int = 64) -> None:
        """Parameters without values.

        Args:
            dim: Dimension of the embeddings.
            image_size: Side of the images.
            layers: Blocks of each of the four stages.
            width: Channels of the first.
            head_width: Width of a head of the pooling's attention.

        Raises:
            ValueError: The stages are not four, or heads do not share the channels evenly.
        """
        super().__init__()
        half, last = width // 2, width * 8 * EXPANSION
        if len(layers) != 4 or last % (last // head_width):
            raise ValueError(
                f"four stages and a divisor of {last} are needed, not layers {layers}, head_width {head_width}"
            )
        self.conv1, self.bn1 = nn.Conv2d(3, half, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(half)
        self.conv2, self.bn2 = nn.Conv2d(half, half, 3, padding=1, bias=False), nn.BatchNorm2d(half)
        self.conv3, self.bn3 = nn.Conv2d(half, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.layer1 = _stage(width, width, layers[0], 1)
        self.layer2 = _stage(width * EXPANSION, width * 2, layers[1], 2)
        self.layer3 = _stage(width * 2 * EXPANSION, width * 4, layers[2], 2)
        self.layer4 = _stage(width * 4 * EXPANSION, width * 8, layers[3], 2)
        self.attnpool = AttentionPool((image_size // 32) ** 2, last, last // head_width, dim)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalised pixels (B, 3, R, R) -> features (B, D)."""
        x = relu(self.bn1(self.conv1(pixels)), inplace=True)
        x = relu(self.bn2(self.conv2(x)), inplace=True)
        x = avg_pool2d(relu(self.bn3(self.conv3(x)), inplace=True), 2)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        features: torch.Tensor = self.attnpool(x)
        return features


def _stage(channels: int, inner: int, blocks: int, stride: int) -> nn.Sequential:
    rest = [Bottleneck(inner * EXPANSION, inner, 1) for _ in range(blocks - 1)]
    return nn.Sequential(Bottleneck(channels, inner, stride), *rest)
