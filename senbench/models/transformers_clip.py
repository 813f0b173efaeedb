"""Adapter over transformers' CLIPModel and SiglipModel: releases in Hugging Face's own layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import ContractError, UnavailableError, brief
from senbench.models import architectures
from senbench.models.adapter import Adapter, torch_dtype
from senbench.models.checkpoints import companions, fetch, state_dict

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch
    from numpy.typing import NDArray

    from senbench.schema.model_card import ModelCard, Preprocess
    from senbench.schema.terms import Dtype

CLASSES = {
    "clip": ("CLIPConfig", "CLIPModel", "CLIPTokenizer"),
    "siglip": ("SiglipConfig", "SiglipModel", "SiglipTokenizer"),
}
"""model_type of a configuration -> transformers' classes. Its Auto classes would let the files choose."""


class TransformersAdapter(Adapter):
    """A CLIPModel or SiglipModel checkpoint, loaded strictly under its card; the configuration is shipped.

    Attributes:
        companions_sha256: Hash of each file beside the weights.
    """

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
            texts_only: As `openclip.OpenClipAdapter`.

        Raises:
            ContractError: Card, architecture, release, tokenizer and file contradict each other.
            UnavailableError: A file is damaged, or the tokenizer is not here.
        """
        self.card = card
        self.device = device
        self.dtype = dtype
        self.preprocess = preprocess or card.preprocess
        self.weights_sha256 = digest
        state_dict.check_release(card)
        configuration = config(card)
        self.model = build(card, configuration)
        self.companions_sha256 = companions.hashes(card)
        self._tokenizer = tokenizer(card, configuration)
        self.causal_text = configuration["model_type"] == "clip"  # pooled at the first end of text
        if texts_only:
            architectures.drop_images(self.model)
        keys = architectures.shapes(self.model)
        if not texts_only:
            state_dict.check_layout(card, keys)
        state = state_dict.read(path, card, digest, shapes=keys, part=keys if texts_only else None)
        # read before the model is cast: bf16 would round CLIP's 100 to 98.9
        scale, bias = state["logit_scale"].float().exp(), state.get("logit_bias")
        self.logit_scale = float(scale) if card.logit_scale == "checkpoint" else card.logit_scale
        self.logit_bias = float(bias) if bias is not None and card.logit_bias == "checkpoint" else None
        architectures.fill(self.model, state)
        self.model.to(device=device, dtype=torch_dtype(dtype))

    def truncated(self, texts: Sequence[str]) -> list[str]:
        """Texts longer than the context."""
        room = self.card.context_length
        return [text for text in texts if len(self._tokenizer(text, verbose=False)["input_ids"]) > room]

    def text_identity(self) -> dict[str, Any] | None:
        """Everything but the text that determines a text embedding, the tokenizer's files included."""
        known = super().text_identity()
        return None if known is None else {**known, "companions": self.companions_sha256}

    def describe(self) -> dict[str, Any]:
        """The card with the hashes of the loaded files."""
        return {**super().describe(), "companions_sha256": self.companions_sha256}

    def _tokenize(self, texts: list[str]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        # SigLIP attends to padding: every text must have the length it was trained with
        made = self._tokenizer(texts, padding="max_length", truncation=True, max_length=self.card.context_length)
        tokens = np.asarray(made["input_ids"], np.int64)
        if not self.causal_text:
            return tokens, np.full(len(tokens), tokens.shape[1])
        return tokens, (tokens == self._tokenizer.eos_token_id).argmax(axis=1) + 1

    def _encode_image_batch(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.get_image_features(pixel_values=pixels).pooler_output
        return features

    def _encode_token_batch(self, tokens: torch.Tensor) -> torch.Tensor:
        # no attention mask: SigLIP was trained without, and a causal tower never looks at what follows
        features: torch.Tensor = self.model.get_text_features(input_ids=tokens).pooler_output
        return features


def config(card: ModelCard) -> dict[str, Any]:
    """Transformers configuration of a card's architecture.

    Args:
        card: The contract; `architecture` names a JSON file shipped in this package, or a user's by its path.

    Raises:
        ContractError: There is no such file, or it is no configuration of a known model.
    """
    name = card.architecture
    path = Path(name) if name.endswith(".json") else architectures.FOLDER / f"{name}.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kind = found["model_type"]
        if kind in CLASSES and isinstance(found["text_config"], dict) and isinstance(found["vision_config"], dict):
            return found
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ContractError(f"card {card.id}: architecture {name!r} cannot be read: {error}") from error
    raise ContractError(f"card {card.id}: architecture {name!r} is {kind!r}, known are {', '.join(CLASSES)}")


def build(card: ModelCard, configuration: dict[str, Any]) -> Any:
    """The model of a configuration without weights: parameters on the meta device, buffers real.

    Args:
        card: The contract, which the result is held against.
        configuration: From `config`.

    Returns:
        transformers' CLIPModel or SiglipModel.

    Raises:
        ContractError: Card and architecture contradict each other, or transformers cannot build it.
    """
    import transformers

    config_class, model_class, _ = (getattr(transformers, name) for name in CLASSES[configuration["model_type"]])
    try:
        settings = config_class.from_dict(configuration)
        with architectures.parameters_on_meta():
            model = model_class(settings)
    except Exception as error:  # a user's configuration makes the library raise almost anything
        reason = brief(error)
        raise ContractError(f"card {card.id}: {card.architecture!r} cannot be built ({reason})") from error
    text, vision = settings.text_config, settings.vision_config
    sigmoid = hasattr(model, "logit_bias")
    facts = {
        "embed_dim": (text.projection_size if sigmoid else settings.projection_dim, card.embed_dim),
        "context_length": (text.max_position_embeddings, card.context_length),
        "resolution": (vision.image_size, card.preprocess.resolution),
        "logit_bias": ("checkpoint" if sigmoid else None, card.logit_bias),
    }
    for name, (have, want) in facts.items():
        if have != want:
            raise ContractError(f"card {card.id} states {name} {want}, architecture {card.architecture!r} has {have}")
    for tower, stated in (("vision", card.activation), ("text", card.text_activation or card.activation)):
        if odd := activations(getattr(model, f"{tower}_model")) - {stated}:
            raise ContractError(
                f"card {card.id} states activation {stated!r} for the {tower} tower, {card.architecture!r} is built "
                f"with {', '.join(sorted(odd))}: refused, the embeddings would be wrong without any error"
            )
    return model


def activations(tower: Any) -> set[str]:
    """What the MLP blocks of a tower compute, by evaluating the activation of every one of them.

    Args:
        tower: transformers' vision or text model, with or without weights.

    Returns:
        Names as in a card, or the class of a function that is none of them.
    """
    blocks = [module for name, module in tower.named_modules() if name.rpartition(".")[2] == "mlp"]
    return {architectures.activation(getattr(block, "activation_fn", None)) for block in blocks}


def tokenizer(card: ModelCard, configuration: dict[str, Any]) -> Any:
    """Transformers' own tokenizer over the card's companion files, held against the text tower.

    Args:
        card: The contract; `tokenizer` is `hf:OWNER/NAME`.
        configuration: From `config`.

    Returns:
        A CLIPTokenizer or SiglipTokenizer.

    Raises:
        ContractError: The card names no repository, or the tokenizer is not the text tower's.
        UnavailableError: Its files are damaged.
    """
    import transformers

    if not card.tokenizer.startswith("hf:"):
        raise ContractError(
            f"card {card.id} states tokenizer {card.tokenizer!r}, {card.architecture!r} takes that of a repository: "
            "hf:OWNER/NAME"
        )
    kind = CLASSES[configuration["model_type"]][2]
    folder = fetch.companions(card, card.tokenizer.removeprefix("hf:"))
    try:
        made = getattr(transformers, kind).from_pretrained(folder, local_files_only=True)
    except Exception as error:  # damaged files make the library raise almost anything
        reason = brief(error)
        raise UnavailableError(f"model {card.id}: the tokenizer in {folder} cannot be read ({reason})") from error
    text = configuration["text_config"]
    facts = {"tokens": (len(made), text["vocab_size"])}
    if kind == "CLIPTokenizer":  # the tower pools at the highest token, which must be the end of text
        facts["end of text"] = (made.eos_token_id, text["vocab_size"] - 1)
    else:  # padding is part of what the tower sees
        facts["padding token"] = (made.pad_token_id, text["pad_token_id"])
    for name, (have, want) in facts.items():
        if have != want:
            raise ContractError(
                f"card {card.id}: the tokenizer in {folder} has {name} {have}, the text tower of "
                f"{card.architecture!r} {want}"
            )
    return made
