"""Adapter for releases in Hugging Face's layout, based on transformers' CLIPModel and SiglipModel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from senbench.errors import ContractError, UnavailableError, brief
from senbench.models import architectures, contract
from senbench.models.adapter import Adapter
from senbench.models.checkpoints import fetch
from senbench.models.encoder import Tokenizer
from senbench.runtime import parsing

if TYPE_CHECKING:
    import torch

    from senbench.schema.model_card import ModelCard

CLASSES = {
    "clip": ("CLIPConfig", "CLIPModel", "CLIPTokenizer"),
    "siglip": ("SiglipConfig", "SiglipModel", "SiglipTokenizer"),
}
"""model_type of a configuration -> transformers' classes; its Auto classes would let the files choose the code."""


class TransformersAdapter(Adapter):
    """A CLIPModel or SiglipModel checkpoint, loaded strictly by its card; the configuration is shipped."""

    def _build(self, card: ModelCard) -> torch.nn.Module:
        configuration = config(card)
        model = build(card, configuration)
        fetch.companion_files(card)
        self._tokenizer = tokenizer(card, configuration)
        self.causal_text = configuration["model_type"] == "clip"  # pooled at the first end of text
        return model

    def _encode_image_batch(self, pixels: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.model.get_image_features(pixel_values=pixels).pooler_output
        return features

    def _encode_token_batch(self, tokens: torch.Tensor) -> torch.Tensor:
        # no attention mask: SigLIP was trained without one, and a causal tower ignores what follows
        features: torch.Tensor = self.model.get_text_features(input_ids=tokens).pooler_output
        return features


def config(card: ModelCard) -> dict[str, Any]:
    """Return the transformers configuration of a card's architecture.

    Args:
        card: The contract; `architecture` names a JSON file shipped in this package, or a user's by its path.

    Raises:
        ContractError: There is no such file, or it is not a configuration of a known model.
    """
    name = card.architecture
    path = Path(name) if name.endswith(".json") else architectures.FOLDER / f"{name}.json"
    try:
        configuration: dict[str, Any] = parsing.from_json(path.read_text(encoding="utf-8"))
        kind = configuration["model_type"]
        if (
            kind in CLASSES
            and isinstance(configuration["text_config"], dict)
            and isinstance(configuration["vision_config"], dict)
        ):
            return configuration
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ContractError(f"card {card.id}: architecture {name!r} cannot be read: {error}") from error
    raise ContractError(f"card {card.id}: architecture {name!r} is {kind!r}, known are {', '.join(CLASSES)}")


def build(card: ModelCard, configuration: dict[str, Any]) -> torch.nn.Module:
    """Build the model of a configuration without weights: parameters on the meta device, real buffers.

    Args:
        card: The contract against which the result is checked.
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
            model: torch.nn.Module = model_class(settings)
    except Exception as error:  # for a user's configuration the library may raise almost anything
        reason = brief(error)
        raise ContractError(f"card {card.id}: {card.architecture!r} cannot be built ({reason})") from error
    text, vision = settings.text_config, settings.vision_config
    sigmoid = hasattr(model, "logit_bias")
    contract.check_sizes(
        card,
        embed_dim=(text.projection_size if sigmoid else settings.projection_dim, card.embed_dim),
        context_length=(text.max_position_embeddings, card.context_length),
        resolution=(vision.image_size, card.preprocess.resolution),
        logit_bias=("checkpoint" if sigmoid else None, card.logit_bias),
    )
    contract.check_activations(card, dict(zip(("vision", "text"), contract.activations(model), strict=True)))
    return model


def tokenizer(card: ModelCard, configuration: dict[str, Any]) -> Tokenizer:
    """Return transformers' tokenizer of the card's companion files, checked against the text tower.

    Args:
        card: The contract; `tokenizer` is `hf:OWNER/NAME`.
        configuration: From `config`.

    Returns:
        Over a CLIPTokenizer or SiglipTokenizer.

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
    else:  # the tower attends to padding
        facts["padding token"] = (made.pad_token_id, text["pad_token_id"])
    for name, (have, want) in facts.items():
        if have != want:
            raise ContractError(
                f"card {card.id}: the tokenizer in {folder} has {name} {have}, the text tower of "
                f"{card.architecture!r} {want}"
            )
    # SigLIP attends to padding, so that every text must have the training length
    pad: dict[str, Any] = {"padding": "max_length", "truncation": True, "max_length": card.context_length}
    return Tokenizer(
        lambda texts: np.asarray(made(texts, **pad)["input_ids"], np.int64),
        lambda text: len(made(text, verbose=False)["input_ids"]),
    )
