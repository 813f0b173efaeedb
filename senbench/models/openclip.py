"""Adapter over CLIP and open_clip's classes: every checkpoint in OpenAI's or open_clip's layout."""

from __future__ import annotations

import hashlib
import json
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.models import architectures, tokenizers
from senbench.models.adapter import Adapter, torch_dtype
from senbench.models.checkpoints import companions, state_dict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import torch
    from numpy.typing import NDArray

    from senbench.schema.model_card import ModelCard, Preprocess
    from senbench.schema.terms import Dtype


class OpenClipAdapter(Adapter):
    """A checkpoint in one of open_clip's architectures, loaded strictly under its card.

    Attributes:
        companions_sha256: Hash of each file beside the weights.
    """

    companions_sha256: Mapping[str, str] = MappingProxyType({})

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
            card: The contract.
            path: Checkpoint file.
            digest: Its sha256.
            device: Where to put the model.
            dtype: Precision of the encoders; float32 is canonical.
            preprocess: Replaces the card's preprocessing (a protocol's choice).
            texts_only: Leave the image tower of a file that was held against the card before in the file.

        Raises:
            ContractError: Card, architecture, release and file contradict each other.
            UnavailableError: The file is damaged, or files needed beside it are not here.
        """
        self.card = card
        self.device = device
        self.dtype = dtype
        self.preprocess = preprocess or card.preprocess
        self.weights_sha256 = digest
        state_dict.check_release(card)
        self.companions_sha256 = companions.hashes(card)
        config = architectures.config(card)
        self.model = architectures.build(card, config, texts_only=texts_only)
        self._tokenizer = tokenizers.make(card, config["text_cfg"], self.model.vocab_size)
        self.causal_text = architectures.causal(self.model)
        keys = architectures.shapes(self.model)
        if not texts_only:
            state_dict.check_layout(card, keys)
        state = state_dict.read(path, card, digest, shapes=keys, part=keys if texts_only else None)
        # read before the model is cast: bf16 would round CLIP's 100 to 98.9
        stored = float(state["logit_scale"].float().exp()) if "logit_scale" in state else None
        self.logit_scale = stored if card.logit_scale == "checkpoint" else card.logit_scale
        self.logit_bias = float(state["logit_bias"]) if card.logit_bias == "checkpoint" else card.logit_bias
        architectures.fill(self.model, state)
        self.model.to(device=device, dtype=torch_dtype(dtype))
        self.convolutional = not texts_only and architectures.convolutional(self.model)
        if device.type == "cuda":
            self._by_channel()

    def _by_channel(self) -> None:
        """Lay a ResNet out as CUDA's convolutions want it; on a CPU rows would differ by 7e-6 for 10 % of the time."""
        import torch

        self.channels_last = self.convolutional
        if self.channels_last:
            self.model.visual.to(memory_format=torch.channels_last)

    def truncated(self, texts: Sequence[str]) -> list[str]:
        """Texts longer than the context."""
        return [text for text in texts if self._tokenizer.count(text) > self.card.context_length]

    def text_identity(self) -> dict[str, Any] | None:
        """Everything but the text that determines a text embedding, files beside the weights included."""
        known = super().text_identity()
        beside: dict[str, Any] = {"vocabulary": tokenizers.vocabulary_sha256(self.card)}
        if self.companions_sha256:
            beside["companions"] = dict(self.companions_sha256)
        return None if known is None else {**known, **beside}

    def _identity(self) -> dict[str, Any]:
        return {**super()._identity(), "configuration": self.configuration_sha256}

    @property
    def configuration_sha256(self) -> str:
        """Hash of what the architecture's name stands for: a file of a user's, or open_clip's, may change."""
        text = json.dumps(architectures.config(self.card), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def describe(self) -> dict[str, Any]:
        """The card with the hashes of the loaded files."""
        beside: dict[str, Any] = {"configuration_sha256": self.configuration_sha256}
        if self.companions_sha256:
            beside["companions_sha256"] = dict(self.companions_sha256)
        return {**super().describe(), **beside}

    def _tokenize(self, texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        tokens = self._tokenizer.tokenize(texts)
        if not self.causal_text:
            return tokens, np.full(len(tokens), tokens.shape[1])
        return tokens, tokens.argmax(axis=1) + 1  # the end-of-text token has the highest id

    def _encode_image_batch(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.encode_image(pixels.to(torch_dtype(self.dtype)))
        return features

    def _encode_token_batch(self, tokens: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = encode_cut(self.model, tokens) if self.causal_text else self.model.encode_text(tokens)
        return features


def encode_cut(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """Text features, with position embedding and causal mask cut to the batch's length.

    Args:
        model: `clip.CLIP`, or open_clip's `CLIP` or `CustomTextCLIP`, with a text tower that is `architectures.causal`.
        tokens: int64 (B, L), L at most the context length, every end of text included.

    Returns:
        Features (B, D), not normalised.
    """
    import torch

    tower = architectures.text_tower(model)
    length = tokens.shape[1]
    x = tower.token_embedding(tokens) + tower.positional_embedding[:length]
    x = tower.transformer(x, attn_mask=tower.attn_mask[:length, :length])
    x = tower.ln_final(x)
    x = x[range(len(x)), tokens.argmax(dim=-1)]
    project = tower.text_projection
    features: torch.Tensor = (
        x if project is None else project(x) if isinstance(project, torch.nn.Module) else x @ project
    )
    return features


def count_parameters(configuration: dict[str, Any]) -> int:
    """Number of parameters of an open_clip configuration, both towers."""
    return sum(p.numel() for p in architectures.empty(configuration).parameters())
