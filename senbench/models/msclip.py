"""Adapter for Llama3-MS-CLIP: CLIP's ViT-B/16 with a patch embedding of ten Sentinel-2 bands.

The release is the state dict of a training module that holds one CLIP model under three names; its tensors are
stored once and listed three times.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from senbench.errors import ContractError
from senbench.models import architectures, tokenizers
from senbench.models.adapter import torch_dtype
from senbench.models.checkpoints import state_dict
from senbench.models.openclip import OpenClipAdapter

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from senbench.schema.model_card import ModelCard, Preprocess
    from senbench.schema.terms import Dtype

COPIES = ("clip_base_model.model.", "image_encoder.model.", "text_encoder.model.")
"""Names of the one model inside the training module."""
TEMPERATURE = "temperature"
"""Scale of the training loss, which the released evaluation does not use: it multiplies cosines by 100."""


class MsClipAdapter(OpenClipAdapter):
    """A CLIP checkpoint of digital numbers in the release's layout, loaded strictly under its card."""

    def __init__(
        self,
        card: ModelCard,
        path: Path,
        *,
        digest: str,
        device: torch.device,
        dtype: Dtype,
        preprocess: Preprocess | None = None,
        texts_only: bool = False,
    ) -> None:
        """Load the checkpoint.

        Args:
            card: The contract; its bands give the channels of the patch embedding.
            path: Checkpoint file.
            digest: Its sha256.
            device: Where to put the model.
            dtype: Precision of the encoders; float32 is canonical.
            preprocess: Replaces the card's preprocessing.
            texts_only: As `OpenClipAdapter`.

        Raises:
            ContractError: Card, architecture, release and file contradict each other, or the three copies of the
                model in the file differ.
            UnavailableError: The file is damaged.
        """
        self.card = card
        self.device = device
        self.dtype = dtype
        self.preprocess = preprocess or card.preprocess
        self.weights_sha256 = digest
        if isinstance(card.logit_scale, str) or isinstance(card.logit_bias, str):
            raise ContractError(f"card {card.id}: the release scores with a fixed scale; state it as a number")
        self.logit_scale, self.logit_bias = card.logit_scale, card.logit_bias
        state_dict.check_release(card)
        config = architectures.config(card)
        self.model = widen(architectures.build(card, config), len(card.bands))
        self._tokenizer = tokenizers.make(card, config["text_cfg"], self.model.vocab_size)
        self.causal_text = architectures.causal(self.model)
        if texts_only:
            architectures.drop_images(self.model)
        keys = released(architectures.shapes(self.model))
        if not texts_only:
            state_dict.check_layout(card, keys)
        part = keys if texts_only else None
        state = merged(state_dict.read(path, card, digest, shapes=keys, part=part), card, path.name)
        architectures.fill(self.model, state)
        self.model.to(device=device, dtype=torch_dtype(dtype))


def widen(model: Any, bands: int) -> Any:
    """Give an empty model a patch embedding of another number of channels.

    Args:
        model: CLIP with a ViT, its parameters on the meta device.
        bands: Number of channels.

    Returns:
        The same model.
    """
    from torch import nn

    old = model.visual.conv1
    model.visual.conv1 = nn.Conv2d(
        bands, old.out_channels, kernel_size=old.kernel_size, stride=old.stride, bias=False, device="meta"
    )
    return model


def released(keys: dict[str, list[int]]) -> dict[str, list[int]]:
    """Keys and shapes of the released file, from those of the one model in it."""
    return {**{copy + key: shape for copy in COPIES for key, shape in keys.items()}, TEMPERATURE: []}


def merged(state: dict[str, torch.Tensor], card: ModelCard, name: str) -> dict[str, torch.Tensor]:
    """The one model of a released state dict.

    Args:
        state: All keys of `released`.
        card: The contract, for messages.
        name: Name of the file, for messages.

    Returns:
        Key -> tensor, in open_clip's layout.

    Raises:
        ContractError: The copies differ: which of them the release would use is not known.
    """
    import torch

    first, *others = COPIES
    model = {key.removeprefix(first): tensor for key, tensor in state.items() if key.startswith(first)}
    for copy in others:
        for key, tensor in model.items():
            if not torch.equal(tensor, state[copy + key]):
                raise ContractError(
                    f"weights {name}: {copy + key} differs from {first + key}, but {card.id} is released as one model "
                    "under three names; convert the towers into one, or get the released file"
                )
    return model
