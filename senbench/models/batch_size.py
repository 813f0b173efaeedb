"""How many images go through a model at once when nobody says."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from senbench.schema.model_card import ModelCard

SMALL = 20e6
"""Parameters up to which a model is small: several of its batches fit the cache of a CPU."""
TOKENS = 1200
"""Tokens of a batch on a CPU, whose widest layer then takes some 16 MB: a block of ViT-L/14 takes 65 ms an image with 4
at once, 90 with 32; of ViT-B/32, 7.0 with 16 and 7.1 with 32."""
MOST = 32


def chosen(card: ModelCard, model: torch.nn.Module, kind: str, *, convolutional: bool) -> int:
    """Images per batch: small on a CPU, where larger ones gain nothing; by model size on CUDA.

    The first layers of CLIP's ResNets give 3.2 MB an image: eight stay below the 32 MB from which on glibc takes
    fresh memory from the system for every layer.

    Args:
        card: The model's contract.
        model: The module that holds its image tower.
        kind: Type of the device.
        convolutional: Whether the image tower is a ResNet.
    """
    if kind == "cuda":
        if card.unit == "dn":
            return 128  # prepared tiles are 13 times larger than RGB, and several batches wait on the host
        return 1024 if card.parameters < 200e6 else 256
    if card.parameters <= SMALL:
        return 256
    if convolutional:
        return 8
    whole = min(MOST, max(1, TOKENS // tokens(model, card.preprocess.resolution)))
    return 1 << (whole.bit_length() - 1)


def tokens(model: torch.nn.Module, side: int) -> int:
    """Patches of an image, of the first convolution whose windows lie side by side; 1 where there is none.

    Args:
        model: The module that holds the image tower.
        side: Side of the images.
    """
    from torch import nn

    for layer in model.modules():
        if isinstance(layer, nn.Conv2d) and layer.stride == layer.kernel_size and layer.kernel_size[0] > 1:
            return max(1, (side // layer.kernel_size[0]) * (side // layer.kernel_size[1]))
    return 1
