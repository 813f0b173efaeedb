"""Enforces the contract of a model: above all QuickGELU against GELU, then sizes, keys and shapes.

Models with QuickGELU and with GELU have the same keys and shapes, so that confusing them raises no error anywhere and
gives wrong embeddings. Three sources are compared, and any disagreement is an error:

1. the card against the manifest of the release its layout describes, before anything is built (`check_release`);
2. the card against what was built from the architecture's configuration, by evaluating the activation of every MLP
   block (`check_activations`);
3. a tag of open_clip's list against the requested architecture (`check_tag`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from senbench.errors import ContractError
from senbench.models.checkpoints import state_dict

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch

    from senbench.schema.model_card import ModelCard

REFUSED = "refused, the embeddings would be wrong without any error"
BLOCKS = ("mlp", "intermediate")
"""Last part of the names of MLP blocks in open_clip, timm, transformers and Hugging Face text towers."""
ACTIVATIONS = ("gelu", "act", "intermediate_act_fn", "activation_fn")
"""Names of the activation inside such a block in these libraries."""
IMAGE_TOWER = ("visual", "vision_model", "visual_projection")
"""Parts of a model that text encoding does not need, in open_clip and in transformers."""


def check_release(card: ModelCard) -> None:
    """Compare the activation that a card states with that of the release its layout describes.

    Raises:
        ContractError: They disagree; the message names both.
    """
    released = state_dict.manifest(card.layout) if card.layout else {"activation": None}
    if released["activation"] is None:  # the release does not state it
        return
    known = (released["activation"], released.get("text_activation") or released["activation"])
    for tower, theirs in zip(("image", "text"), known, strict=True):
        if (mine := _stated(card, tower)) != theirs:
            raise ContractError(
                f"card {card.id} states activation {mine!r} for the {tower} tower, but checkpoints of layout "
                f"{card.layout!r} are {theirs!r}: {REFUSED}"
            )


def check_activations(card: ModelCard, towers: Mapping[str, set[str]]) -> None:
    """Compare the activations that a card states with those of the blocks that were built.

    Args:
        card: The contract.
        towers: Name of a tower -> activations of its MLP blocks, from `activations`.

    Raises:
        ContractError: A block has another or an unknown activation.
    """
    for tower, built in towers.items():
        if built != {stated := _stated(card, tower)}:
            raise ContractError(
                f"card {card.id} states activation {stated!r} for the {tower} tower, but {card.architecture!r} is "
                f"built with {', '.join(sorted(built)) or 'none that is known'}: {REFUSED}"
            )


def check_tag(name: str, architecture: str, tag: str, *, trained: bool, built: bool) -> None:
    """Compare the activation of open_clip's pretrained tag with that of the architecture.

    Args:
        name: The model as passed.
        architecture: open_clip's name of it.
        tag: open_clip's name of the weights.
        trained: True if the weights were trained with QuickGELU.
        built: True if the architecture is built with QuickGELU.

    Raises:
        ContractError: They disagree; the message gives the right name.
    """
    # an architecture for one model (roberta-ViT-B-32) states its activation, and its tags do not
    if trained != built and (trained or architecture.endswith("-quickgelu")):
        right = f"{architecture}-quickgelu" if trained else architecture.removesuffix("-quickgelu")
        of_tag, of_architecture = ("QuickGELU", "GELU") if trained else ("GELU", "QuickGELU")
        raise ContractError(
            f"--model {name}: the tag {tag!r} was trained with {of_tag}, {architecture!r} is built with "
            f"{of_architecture}: {REFUSED}; use openclip:{right}/{tag}"
        )


def check_sizes(card: ModelCard, **facts: tuple[Any, Any]) -> None:
    """Compare the sizes that a card states with those of its architecture.

    Args:
        card: The contract.
        **facts: Values of the architecture and of the card; a square may be given by both its sides.

    Raises:
        ContractError: They differ; the message names the first difference.
    """
    for name, (have, want) in facts.items():
        if have not in (want, [want, want]):
            raise ContractError(f"card {card.id} states {name} {want}, architecture {card.architecture!r} has {have}")


def check_layout(card: ModelCard, keys: dict[str, list[int]]) -> None:
    """Compare the keys and shapes of a card's layout with those of its architecture.

    Raises:
        ContractError: They differ; the message names the first difference.
    """
    listed = keys if card.layout is None else state_dict.manifest(card.layout)["keys"]
    for key in sorted(listed.keys() | keys.keys()):
        if listed.get(key) != keys.get(key):
            raise ContractError(
                f"card {card.id}: {key} is {listed.get(key)} in layout {card.layout!r}, {keys.get(key)} in "
                f"architecture {card.architecture!r}"
            )


def activations(model: torch.nn.Module) -> tuple[set[str], set[str]]:
    """Return the activations of the MLP blocks of both towers, by evaluating each of them.

    Args:
        model: A model of open_clip or transformers, with or without weights.

    Returns:
        For the image and the text tower, names as in a card, or the class of an unknown function. A ResNet has no MLP
        blocks and gives an empty set.
    """
    by_tower: tuple[set[str], set[str]] = (set(), set())
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in BLOCKS:
            inner = next((getattr(module, a) for a in ACTIVATIONS if hasattr(module, a)), None)
            by_tower[name.partition(".")[0] not in IMAGE_TOWER].add(activation(inner))
    return by_tower


def activation(function: Any) -> str:
    """Return the name of an activation function by evaluating it.

    Args:
        function: A module or function of one tensor.

    Returns:
        The name as in a card, or the class of an unknown function.
    """
    import torch
    from torch.nn.functional import gelu

    if not callable(function):
        return f"no known activation ({type(function).__name__})"
    x = torch.linspace(-3, 3, 13)
    known = {
        "quickgelu": x * torch.sigmoid(1.702 * x),
        "gelu": gelu(x),
        "gelu-tanh": gelu(x, approximate="tanh"),
        "silu": x * torch.sigmoid(x),
    }
    with torch.no_grad():
        y = function(x.clone())
    close = [name for name, values in known.items() if torch.allclose(y, values, rtol=0, atol=1e-6)]
    return close[0] if close else type(function).__name__


def _stated(card: ModelCard, tower: str) -> str:
    return (tower == "text" and card.text_activation) or card.activation
