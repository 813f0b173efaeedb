"""Which parameters of the tile tower are trained, by the prefixes of their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.align.recipe import LAST_BLOCK, VISUAL
from senbench.errors import UsageError
from senbench.models.clip.vit import CLIP, VisionTransformer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

TOWER = "visual."
"""What the names of the tile tower's parameters begin with."""


def prefixes(model: nn.Module, train: Sequence[str]) -> tuple[str, ...]:
    """Prefixes of names of parameters that a setting stands for.

    Args:
        model: Plain CLIP.
        train: `last-block` (the last transformer block, the norm after it and the projection), `visual`, or prefixes.

    Raises:
        UsageError: `last-block` of a ResNet, a prefix outside the tile tower, or one that names nothing.
    """
    found: list[str] = []
    for one in train:
        if one == LAST_BLOCK:
            found += _last_block(model)
        elif one == VISUAL:
            found.append(TOWER)
        else:
            found.append(one)
    for prefix in found:
        if not prefix.startswith(TOWER):
            raise UsageError(f"--train {prefix}: only the tile tower is trained, whose names begin with {TOWER}")
        if not any(covers(prefix, name) for name, _ in model.named_parameters()):
            raise UsageError(f"--train {prefix}: no parameter of the base begins with it; `--train visual` takes all")
    return tuple(dict.fromkeys(found))


def covers(prefix: str, name: str) -> bool:
    """Whether a prefix names a parameter: `visual.layer1` covers `visual.layer1.0.conv1`, not `visual.layer10`."""
    return name == prefix or name.startswith(prefix if prefix.endswith(".") else f"{prefix}.")


def names(model: nn.Module, chosen: Sequence[str]) -> list[str]:
    """Names of the parameters below some prefixes, in the model's order."""
    return [name for name, _ in model.named_parameters() if any(covers(prefix, name) for prefix in chosen)]


def _last_block(model: nn.Module) -> list[str]:
    tower = model.visual if isinstance(model, CLIP) else None
    if not isinstance(tower, VisionTransformer):
        raise UsageError("--train last-block is for a ViT; a ResNet is trained whole, as in the paper: --train visual")
    last = len(tower.transformer.resblocks) - 1
    return [f"{TOWER}transformer.resblocks.{last}", f"{TOWER}ln_post", f"{TOWER}proj"]
