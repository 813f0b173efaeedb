"""Adapter over open_clip's CLIP class: every checkpoint in OpenAI's or open_clip's layout."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from senbench.errors import ContractError
from senbench.models import files, weights
from senbench.models.adapter import Adapter
from senbench.paths import PACKAGE

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from senbench.spec import Dtype, ModelCard, Preprocess

ARCHITECTURES = PACKAGE / "models" / "architectures"
ACTIVATIONS = {"quickgelu": "QuickGELU", "gelu": "GELU"}


class OpenClipAdapter(Adapter):
    """A CLIP checkpoint in open_clip's architecture, loaded strictly under its card."""

    causal_text = True

    def __init__(
        self,
        card: ModelCard,
        path: Path,
        *,
        digest: str,
        device: torch.device,
        dtype: Dtype,
        preprocess: Preprocess | None = None,
    ) -> None:
        """Load the checkpoint.

        Args:
            card: The contract.
            path: Checkpoint file.
            digest: Its sha256.
            device: Where to put the model.
            dtype: Precision of the encoders; float32 is canonical.
            preprocess: Replaces the card's preprocessing (a protocol's choice).

        Raises:
            ContractError: Card, architecture and file contradict each other.
            UnavailableError: The file is damaged.
        """
        self.card = card
        self.device = device
        self.dtype = dtype
        self.preprocess = preprocess or card.preprocess
        check_activation(card)
        self.weights_sha256 = digest
        state = weights.read(path, card, digest)
        # read before the model is cast: bf16 would round CLIP's 100 to 98.9
        stored = float(state["logit_scale"].float().exp()) if "logit_scale" in state else None
        self.logit_scale = stored if card.logit_scale == "checkpoint" else card.logit_scale
        self.model = _build(card, state, dtype).to(device)
        self.logit_bias = None if card.logit_bias == "checkpoint" else card.logit_bias
        self._tokenizer = _tokenizer(card)

    def truncated(self, texts: Any) -> list[str]:
        """Texts longer than the context."""
        room = self.card.context_length - 2
        return [text for text in texts if len(self._tokenizer.encode(text)) > room]

    def _tokenize(self, texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        tokens = self._tokenizer(texts, context_length=self.card.context_length).numpy()
        lengths = tokens.argmax(axis=1) + 1  # the end-of-text token has the highest id
        return tokens, lengths

    def _encode_image_batch(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.encode_image(pixels.to(_torch_dtype(self.dtype)))
        return features

    def _encode_token_batch(self, tokens: torch.Tensor) -> torch.Tensor:
        return encode_cut(self.model, tokens)


def encode_cut(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """open_clip's `CLIP.encode_text`, with position embedding and causal mask cut to the batch's length.

    Args:
        model: `open_clip.CLIP` with a causal text tower.
        tokens: int64 (B, L), L at most the context length, every end of text included.

    Returns:
        Features (B, D), not normalised.
    """
    length = tokens.shape[1]
    kind = model.transformer.get_cast_dtype()
    x = model.token_embedding(tokens).to(kind) + model.positional_embedding[:length].to(kind)
    x = model.transformer(x, attn_mask=model.attn_mask[:length, :length])
    x = model.ln_final(x)
    x = x[range(len(x)), tokens.argmax(dim=-1)]
    features: torch.Tensor = x @ model.text_projection
    return features


def architecture(card: ModelCard) -> dict[str, Any]:
    """open_clip configuration of the card's architecture.

    Args:
        card: The contract; `architecture` names an open_clip model, or a JSON file shipped beside the
            weights.

    Raises:
        ContractError: Neither exists.
    """
    shipped = ARCHITECTURES / f"{card.architecture}.json"
    if shipped.is_file():
        config: dict[str, Any] = json.loads(shipped.read_text(encoding="utf-8"))
        return config
    import open_clip

    found = open_clip.get_model_config(card.architecture)
    if found is None:
        raise ContractError(f"card {card.id}: open_clip has no architecture {card.architecture!r}")
    return dict(found)


def check_activation(card: ModelCard) -> None:
    """Hold the activation of card, architecture and release against each other.

    QuickGELU and GELU models have the same keys and shapes, so that nothing else can notice a swap.

    Raises:
        ContractError: Two of the three disagree; both sides are named.
    """
    released = weights.manifest(card.layout)["activation"] if card.layout else None
    if released is not None and released != card.activation:
        raise ContractError(
            f"card {card.id} states activation {card.activation!r}, but checkpoints of layout "
            f"{card.layout!r} are {released!r}: refused, the embeddings would be wrong without any error"
        )
    built = "quickgelu" if architecture(card).get("quick_gelu", False) else "gelu"
    if built != card.activation:
        raise ContractError(
            f"card {card.id} states activation {card.activation!r}, but the architecture "
            f"{card.architecture!r} is {built!r}; name an architecture that has it"
        )


def _build(card: ModelCard, state: dict[str, Any], dtype: Dtype) -> Any:
    import open_clip
    import torch

    config = architecture(card)
    facts = {
        "embed_dim": (config["embed_dim"], card.embed_dim),
        "context_length": (config["text_cfg"]["context_length"], card.context_length),
        "resolution": (config["vision_cfg"]["image_size"], card.preprocess.resolution),
    }
    for name, (have, want) in facts.items():
        if have != want:
            raise ContractError(f"card {card.id} states {name} {want}, architecture {card.architecture!r} has {have}")
    with torch.device("meta"):  # no random initialisation: every tensor comes from the file
        model = open_clip.CLIP(**config)
    state = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    model.load_state_dict(state, strict=True, assign=True)
    context = card.context_length
    model.attn_mask = torch.full((context, context), float("-inf")).triu_(1)
    if any(t.is_meta for t in (*model.parameters(), *model.buffers())):
        raise ContractError(f"card {card.id}: the file leaves tensors of {card.architecture!r} unset")
    wanted = ACTIVATIONS[card.activation]
    built = {type(m).__name__ for n, m in model.named_modules() if re.search(r"\.mlp\.gelu$", n)}
    if built != {wanted}:
        raise ContractError(f"card {card.id} wants {wanted} in every block, open_clip built {sorted(built)}")
    kind = _torch_dtype(dtype)
    if kind is not torch.float32:
        model.to(kind)
    return model.eval().requires_grad_(False)


def _tokenizer(card: ModelCard) -> Any:
    from open_clip.tokenizer import SimpleTokenizer

    if card.tokenizer == "clip-bpe":
        return SimpleTokenizer(context_length=card.context_length)
    return SimpleTokenizer(bpe_path=str(files.SHIPPED / card.tokenizer), context_length=card.context_length)


def _torch_dtype(dtype: Dtype) -> torch.dtype:
    import torch

    return {"float32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}[dtype]
