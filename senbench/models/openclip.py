"""Adapter for checkpoints in OpenAI's or open_clip's layout, based on CLIP and open_clip's classes."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from senbench.models import architectures, tokenizers
from senbench.models.adapter import Adapter, torch_dtype
from senbench.models.checkpoints import fetch

if TYPE_CHECKING:
    import torch

    from senbench.schema.model_card import ModelCard


class OpenClipAdapter(Adapter):
    """A checkpoint in one of open_clip's architectures, loaded strictly by its card."""

    def _build(self, card: ModelCard) -> torch.nn.Module:
        fetch.companion_files(card)  # some companions configure the architecture
        config = architectures.config(card)
        model: Any = architectures.build(card, config)
        self._tokenizer = tokenizers.make(card, config["text_cfg"], model.vocab_size)
        self.causal_text = architectures.causal(model)
        built: torch.nn.Module = model
        return built

    def text_identity(self) -> dict[str, Any] | None:
        """Return everything except the text that determines a text embedding, including companion files."""
        known = super().text_identity()
        return None if known is None else {**known, "vocabulary": tokenizers.vocabulary_sha256(self.card)}

    def _identity(self) -> dict[str, Any]:
        return {**super()._identity(), "configuration": self.configuration_sha256}

    @property
    def configuration_sha256(self) -> str:
        """Return the hash of the architecture's configuration, since a user's file or open_clip's may change."""
        text = json.dumps(architectures.config(self.card), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _described(self) -> dict[str, Any]:
        return {"configuration_sha256": self.configuration_sha256}

    def _encode_image_batch(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.encode_image(pixels.to(torch_dtype(self.dtype)))
        return features

    def _encode_token_batch(self, tokens: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = encode_cut(self.model, tokens) if self.causal_text else self.model.encode_text(tokens)
        return features


def encode_cut(model: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """Compute text features, with position embedding and causal mask cut to the batch's length.

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
    x = tower.ln_final(x)[range(len(x)), tokens.argmax(dim=-1)]
    project = tower.text_projection
    if project is None:
        return x
    features: torch.Tensor = project(x) if isinstance(project, torch.nn.Module) else x @ project
    return features
