"""The contract of a model where it is enforced: QuickGELU against GELU above all, then sizes, keys and shapes.

Models with QuickGELU and with GELU have the same keys and shapes, so that a swap raises no error anywhere and gives
wrong embeddings. Three sources are held against each other, and any disagreement is refused:

1. the card against the manifest of the release its layout describes, before anything is built (`check_release`);
2. the card against what was built from the architecture's configuration, by evaluating the activation of every MLP
   block (`check_activations`);
3. a tag of open_clip's list against the architecture it is asked for with (`check_tag`).
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
"""Last part of the name of every MLP block: of open_clip, timm and transformers, and of Hugging Face text towers."""
ACTIVATIONS = ("gelu", "act", "intermediate_act_fn", "activation_fn")
"""Name of the activation inside such a block, in the same libraries."""
IMAGE_TOWER = ("visual", "vision_model", "visual_projection")
"""Parts of a model that texts do not need, in open_clip and in transformers."""


def check_release(card: ModelCard) -> None:
    """Hold the activation that a card states against that of the release its layout describes.

    Raises:
        ContractError: They disagree; both sides are named.
    """
    released = state_dict.manifest(card.layout) if card.layout else {"activation": None}
    if released["activation"] is None:  # the release leaves it open
        return
    known = (released["activation"], released.get("text_activation") or released["activation"])
    for tower, theirs in zip(("image", "text"), known, strict=True):
        if (mine := _stated(card, tower)) != theirs:
            raise ContractError(
                f"card {card.id} states activation {mine!r} for the {tower} tower, but checkpoints of layout "
                f"{card.layout!r} are {theirs!r}: {REFUSED}"
            )


def check_activations(card: ModelCard, towers: Mapping[str, set[str]]) -> None:
    """Hold the activations that a card states against those of the blocks that were built.

    Args:
        card: The contract.
        towers: Name of a tower -> what its MLP blocks compute, as `activations` finds it.

    Raises:
        ContractError: A block computes something else, or none is known.
    """
    for tower, found in towers.items():
        if found != {stated := _stated(card, tower)}:
            raise ContractError(
                f"card {card.id} states activation {stated!r} for the {tower} tower, but {card.architecture!r} is "
                f"built with {', '.join(sorted(found)) or 'none that is known'}: {REFUSED}"
            )


def check_tag(name: str, architecture: str, tag: str, *, trained: bool, built: bool) -> None:
    """Hold the activation of open_clip's pretrained tag against that of the architecture.

    Args:
        name: The model as asked for.
        architecture: open_clip's name of it.
        tag: open_clip's name of the weights.
        trained: True if the weights were trained with QuickGELU.
        built: True if the architecture is built with QuickGELU.

    Raises:
        ContractError: They disagree; the right name is given.
    """
    # an architecture made for one model (roberta-ViT-B-32) states its own activation, and its tags state none
    if trained != built and (trained or architecture.endswith("-quickgelu")):
        right = f"{architecture}-quickgelu" if trained else architecture.removesuffix("-quickgelu")
        of_tag, of_architecture = ("QuickGELU", "GELU") if trained else ("GELU", "QuickGELU")
        raise ContractError(
            f"--model {name}: the tag {tag!r} was trained with {of_tag}, {architecture!r} is built with "
            f"{of_architecture}: {REFUSED}; use openclip:{right}/{tag}"
        )


def check_sizes(card: ModelCard, **facts: tuple[Any, Any]) -> None:
    """Hold the sizes that a card states against those of its architecture.

    Args:
        card: The contract.
        **facts: What the architecture has, and what the card states; a square may be given by both its sides.

    Raises:
        ContractError: They differ; the first difference is named.
    """
    for name, (have, want) in facts.items():
        if have not in (want, [want, want]):
            raise ContractError(f"card {card.id} states {name} {want}, architecture {card.architecture!r} has {have}")


def check_layout(card: ModelCard, keys: dict[str, list[int]]) -> None:
    """Hold the keys and shapes of a card's layout against those of its architecture.

    Raises:
        ContractError: They differ; the first difference is named.
    """
    listed = keys if card.layout is None else state_dict.manifest(card.layout)["keys"]
    for key in sorted(listed.keys() | keys.keys()):
        if listed.get(key) != keys.get(key):
            raise ContractError(
                f"card {card.id}: {key} is {listed.get(key)} in layout {card.layout!r}, {keys.get(key)} in "
                f"architecture {card.architecture!r}"
            )


def activations(model: torch.nn.Module) -> tuple[set[str], set[str]]:
    """What the MLP blocks of both towers compute, by evaluating the activation of every one of them.

    Args:
        model: A model of open_clip or transformers, with or without weights.

    Returns:
        Names as in a card, or the class of a function that is none of them; of the image tower and of the
        text tower. A ResNet has no MLP block: an empty set.
    """
    found: tuple[set[str], set[str]] = (set(), set())
    for name, module in model.named_modules():
        if name.rpartition(".")[2] in BLOCKS:
            inner = next((getattr(module, a) for a in ACTIVATIONS if hasattr(module, a)), None)
            found[name.partition(".")[0] not in IMAGE_TOWER].add(activation(inner))
    return found


def activation(function: Any) -> str:
    """Name of an activation function, by evaluating it.

    Args:
        function: A module or function of one tensor.

    Returns:
        The name as in a card, or the class of a function that is none of them.
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
