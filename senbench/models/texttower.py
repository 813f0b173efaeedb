"""CLIP's text tower in torch alone: new prompts on kept images need neither open_clip nor the image tower.

It serves plain CLIP (Radford et al. 2021, openai/CLIP `model.py`), whose keys open_clip shares; any other text
tower is encoded by the library that it comes from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from senbench.models import architectures, tokenizers, weights
from senbench.models.adapter import TextEncoder, torch_dtype

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from senbench.spec import Dtype, ModelCard

ADAPTER = "senbench.models.openclip:OpenClipAdapter"
"""Family whose checkpoints hold both towers under CLIP's own keys."""
SETTINGS = {"context_length", "vocab_size", "width", "heads", "layers"}
"""All that the configuration of a plain text tower says; any other entry changes what is computed."""
BLOCK = {
    "ln_1.weight": (1,),
    "ln_1.bias": (1,),
    "attn.in_proj_weight": (3, 1),
    "attn.in_proj_bias": (3,),
    "attn.out_proj.weight": (1, 1),
    "attn.out_proj.bias": (1,),
    "ln_2.weight": (1,),
    "ln_2.bias": (1,),
    "mlp.c_fc.weight": (4, 1),
    "mlp.c_fc.bias": (4,),
    "mlp.c_proj.weight": (1, 4),
    "mlp.c_proj.bias": (1,),
}
"""Tensors of a block -> shape, in units of the width."""
BLOCKS = "transformer.resblocks"


def serves(card: ModelCard) -> bool:
    """True if the text tower of a card is plain CLIP's, with an activation that is known here."""
    if card.adapter != ADAPTER:
        return False
    found = architectures.config(card)
    plain = set(found["text_cfg"]) == SETTINGS and not found.get("custom_text") and "multimodal_cfg" not in found
    return plain and _activation(card) in ("quickgelu", "gelu")


def _activation(card: ModelCard) -> str:
    return card.text_activation or card.activation


def shapes(configuration: dict[str, Any]) -> dict[str, list[int]]:
    """Keys and shapes of the text tower in a checkpoint of an open_clip configuration."""
    text = configuration["text_cfg"]
    width = text["width"]
    return {
        "token_embedding.weight": [text["vocab_size"], width],
        "positional_embedding": [text["context_length"], width],
        "ln_final.weight": [width],
        "ln_final.bias": [width],
        "text_projection": [width, configuration["embed_dim"]],
        **{
            f"{BLOCKS}.{i}.{name}": [width * times for times in sizes]
            for i in range(text["layers"])
            for name, sizes in BLOCK.items()
        },
    }


def features(state: Mapping[str, torch.Tensor], tokens: torch.Tensor, *, heads: int, quick: bool) -> torch.Tensor:
    """Text features, not normalised.

    Pre-norm residual blocks of causal attention and a perceptron, pooled at the end of the text: nothing after it is
    seen, so that tokens may be cut there.

    Args:
        state: Tensors of `shapes`, of one type, on one device.
        tokens: int64 (B, L), L at most the context length; the end of a text is its highest token.
        heads: Attention heads.
        quick: Whether the perceptrons are activated by QuickGELU, x sigmoid(1.702 x), or by GELU.

    Returns:
        (B, D) of the type of the tensors.
    """
    import torch
    from torch.nn.functional import gelu, layer_norm, linear, multi_head_attention_forward

    n, length = tokens.shape
    width = state["ln_final.weight"].shape[0]
    layers = sum(key.endswith(".ln_1.weight") for key in state)
    x = state["token_embedding.weight"][tokens] + state["positional_embedding"][:length]
    mask = torch.full((length, length), -torch.inf, dtype=x.dtype, device=x.device).triu_(1)
    for i in range(layers):
        own = {name: state[f"{BLOCKS}.{i}.{name}"] for name in BLOCK}
        y = layer_norm(x, (width,), own["ln_1.weight"], own["ln_1.bias"])
        y = y.transpose(0, 1)  # the tokens first, as torch's own attention has them: the same last bits
        y, _ = multi_head_attention_forward(
            y,
            y,
            y,
            width,
            heads,
            own["attn.in_proj_weight"],
            own["attn.in_proj_bias"],
            None,
            None,
            False,
            0.0,
            own["attn.out_proj.weight"],
            own["attn.out_proj.bias"],
            training=False,
            need_weights=False,
            attn_mask=mask,
        )
        x = x + y.transpose(0, 1)
        y = layer_norm(x, (width,), own["ln_2.weight"], own["ln_2.bias"])
        y = linear(y, own["mlp.c_fc.weight"], own["mlp.c_fc.bias"])
        y = y * torch.sigmoid(1.702 * y) if quick else gelu(y)
        x = x + linear(y, own["mlp.c_proj.weight"], own["mlp.c_proj.bias"])
    x = layer_norm(x, (width,), state["ln_final.weight"], state["ln_final.bias"])
    return x[torch.arange(n, device=x.device), tokens.argmax(dim=-1)] @ state["text_projection"]


class TextTower(TextEncoder):
    """The text tower of a checkpoint, without the rest of the model."""

    causal_text = True

    def __init__(
        self,
        card: ModelCard,
        path: Path,
        *,
        digest: str,
        device: torch.device,
        dtype: Dtype,
        model: Any = None,
    ) -> None:
        """Read the text tower's tensors, or share those of a loaded model.

        Args:
            card: The contract, which the file was held against before (`Deferred`).
            path: Checkpoint file.
            digest: Its sha256.
            device: Where to put the tensors.
            dtype: Precision.
            model: The loaded model of the same file, device and precision (open_clip's `CLIP`), if there is one.

        Raises:
            ContractError: The file has not the text tower that the card states.
            UnavailableError: The file is damaged.
        """
        self.card, self.device, self.dtype = card, device, dtype
        configuration = architectures.config(card)
        text = configuration["text_cfg"]
        self._heads = text["heads"]
        self._tokenizer = tokenizers.make(card, text, text["vocab_size"])
        wanted = shapes(configuration)
        state = weights.read(path, card, digest, part=wanted) if model is None else model.state_dict()
        kind = torch_dtype(dtype)
        # by way of float32, as the whole model is filled
        self._state = {key: state[key].float().to(device, kind) if model is None else state[key] for key in wanted}

    def _tokenize(self, texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        tokens = self._tokenizer.tokenize(texts)
        return tokens, tokens.argmax(axis=1) + 1

    def _encode_token_batch(self, tokens: torch.Tensor) -> torch.Tensor:
        return features(self._state, tokens, heads=self._heads, quick=_activation(self.card) == "quickgelu")
