"""The tile tower's features with their gradients, at the least cost: what is not asked for is not computed.

A ViT's embedding is its class token's, so that in the last block no other token is asked for: a fifth of the work of
training that block. Blocks below the trained part build no graph, since nothing in them wants a gradient.
"""

from __future__ import annotations

import torch

from senbench.models.clip.vit import Block, VisionTransformer


def features(tower: torch.nn.Module, pixels: torch.Tensor) -> torch.Tensor:
    """Features (B, D), not normalised, of normalised pixels (B, 3, R, R)."""
    found: torch.Tensor = _class_token(tower, pixels) if isinstance(tower, VisionTransformer) else tower(pixels)
    return found


def _class_token(tower: VisionTransformer, pixels: torch.Tensor) -> torch.Tensor:
    patches = tower.conv1(pixels).flatten(2).transpose(1, 2)
    first = tower.class_embedding.expand(len(patches), 1, -1)
    x = tower.ln_pre(torch.cat([first, patches], dim=1) + tower.positional_embedding)
    blocks = list(tower.transformer.resblocks)
    for block in blocks[:-1]:
        x = block(x, None)
    x = tower.ln_post(_last(blocks[-1], x)) if blocks else tower.ln_post(x)
    found: torch.Tensor = x[:, 0] @ tower.proj
    return found


def _last(block: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The class token (B, 1, W) after a block."""
    assert isinstance(block, Block)
    y = block.ln_1(x)
    token = x[:, :1] + block.attn(y[:, :1], y, y, need_weights=False)[0]
    made: torch.Tensor = token + block.mlp(block.ln_2(token))
    return made
