"""Adapter for Llama3-MS-CLIP: CLIP's ViT-B/16 with a patch embedding of ten Sentinel-2 bands.

The release is the state dict of a training module with one CLIP model under three names; its tensors are stored once
and listed three times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from senbench.errors import ContractError
from senbench.models.openclip import OpenClipAdapter

if TYPE_CHECKING:
    import torch

    from senbench.models.checkpoints.checkpoint import Checkpoint
    from senbench.schema.model_card import ModelCard

COPIES = ("clip_base_model.model.", "image_encoder.model.", "text_encoder.model.")
"""Names of the model inside the training module."""
TEMPERATURE = "temperature"
"""Key of the training loss's scale, which the released evaluation does not use: it multiplies cosines by 100."""


class MsClipAdapter(OpenClipAdapter):
    """A CLIP checkpoint for digital numbers in the release's layout, loaded strictly by its card."""

    def _build(self, card: ModelCard) -> torch.nn.Module:
        if isinstance(card.logit_scale, str) or isinstance(card.logit_bias, str):
            raise ContractError(f"card {card.id}: the release scores with a fixed scale; state it as a number")
        return widen(super()._build(card), len(card.bands))

    def _released_keys(self, keys: dict[str, list[int]]) -> dict[str, list[int]]:
        return released(keys)

    def _own_state(self, state: dict[str, torch.Tensor], checkpoint: Checkpoint) -> dict[str, torch.Tensor]:
        """Return the model of a released state dict.

        Raises:
            ContractError: The copies differ, so that it is unknown which one the release would use.
        """
        import torch

        first, *others = COPIES
        model = {key.removeprefix(first): tensor for key, tensor in state.items() if key.startswith(first)}
        for copy in others:
            for key, tensor in model.items():
                if not torch.equal(tensor, state[copy + key]):
                    raise ContractError(
                        f"weights {checkpoint.file.name}: {copy + key} differs from {first + key}, but "
                        f"{checkpoint.card.id} is released as one model under three names; convert the towers into "
                        "one, or get the released file"
                    )
        return model


def widen(model: torch.nn.Module, bands: int) -> torch.nn.Module:
    """Replace the patch embedding of an empty model by one with another number of channels.

    Args:
        model: CLIP with a ViT, its parameters on the meta device.
        bands: Number of channels.

    Returns:
        The same model.
    """
    from torch import nn

    visual = model.get_submodule("visual")
    wide, _, height, width = visual.get_parameter("conv1.weight").shape
    visual.conv1 = nn.Conv2d(bands, wide, (height, width), (height, width), bias=False, device="meta")
    return model


def released(keys: dict[str, list[int]]) -> dict[str, list[int]]:
    """Return keys and shapes of the released file, from those of the model in it."""
    return {**{copy + key: shape for copy in COPIES for key, shape in keys.items()}, TEMPERATURE: []}
