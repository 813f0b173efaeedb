"""open_clip's architectures: their configuration, and a model without weights.

Plain CLIP is built from torch alone (`clip/`), everything else by open_clip.
"""

from __future__ import annotations

import sys
import threading
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from senbench.errors import ContractError, UnavailableError, brief
from senbench.models import contract
from senbench.models.checkpoints import fetch
from senbench.runtime import parsing
from senbench.runtime.paths import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import torch

    from senbench.schema.model_card import ModelCard

FOLDER = PACKAGE / "models" / "architectures"
PLAIN_CLIP = {"embed_dim", "vision_cfg", "text_cfg", "quick_gelu"}
"""Entries of a configuration that `clip/vit.py` supports; any other would change the computation."""
PLAIN_TEXT = {"context_length", "vocab_size", "width", "heads", "layers"}
"""The same for its text tower; all of them are required."""
PLAIN_RESNET = {"image_size", "width"}
"""The same for a ResNet image tower (`clip/resnet.py`), besides its layers; `head_width` is optional."""
PLAIN_VIT = PLAIN_RESNET | {"patch_size"}
"""The same for a ViT; `head_width` and `mlp_ratio` are optional."""


def config(card: ModelCard) -> dict[str, Any]:
    """Return the open_clip configuration of a card's architecture.

    Args:
        card: The contract; `architecture` names an open_clip model, a JSON file shipped in this package, or
            a user's JSON file by its path.

    Raises:
        ContractError: None of them exists, or the file is not a configuration.
    """
    name = card.architecture
    places = [Path(name)] if name.endswith(".json") else [FOLDER / f"{name}.json", *_open_clips(name)]
    if path := next((place for place in places if place.is_file()), None):
        try:
            read = parsing.from_json(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ContractError(f"card {card.id}: architecture {path.name} cannot be read: {error}") from error
        if isinstance(read, dict):
            read = read.get("model_cfg", read)  # open_clip_config.json on the hub nests it
        if missing := _missing(read):
            raise ContractError(
                f"card {card.id}: architecture {path.name} is no open_clip configuration, without a usable {missing}"
            )
        return dict(read)
    if name.endswith(".json"):
        raise ContractError(f"card {card.id}: architecture {name}: no such file")
    import open_clip

    known = open_clip.get_model_config(name)
    if known is None:
        raise ContractError(f"card {card.id}: open_clip has no architecture {name!r}")
    return dict(known)


def _missing(read: Any) -> str:
    """Return the required entries that a configuration lacks, as text."""
    sizes = ("embed_dim",) if isinstance(read, dict) and isinstance(read.get("embed_dim"), int) else ()
    towers = [t for t in ("vision_cfg", "text_cfg") if isinstance(read, dict) and isinstance(read.get(t), dict)]
    return ", ".join(name for name in ("embed_dim", "vision_cfg", "text_cfg") if name not in (*sizes, *towers))


def _open_clips(name: str) -> list[Path]:
    """Return the files in which open_clip's package may have this configuration, without importing open_clip."""
    spec = None if "open_clip" in sys.modules else find_spec("open_clip")
    return [] if spec is None or spec.origin is None else [Path(spec.origin).parent / "model_configs" / f"{name}.json"]


def build(card: ModelCard, configuration: dict[str, Any]) -> torch.nn.Module:
    """Build the model of an architecture without weights: parameters are on the meta device, buffers are real.

    Args:
        card: The contract against which the result is checked, and whose companions may configure a text tower.
        configuration: open_clip's configuration.

    Returns:
        As `empty`.

    Raises:
        ContractError: Card and architecture contradict each other.
        UnavailableError: The configuration of a Hugging Face text tower is missing.
    """
    text, vision = configuration["text_cfg"], configuration["vision_cfg"]
    contract.check_sizes(
        card,
        embed_dim=(configuration["embed_dim"], card.embed_dim),
        context_length=(text.get("context_length", 77), card.context_length),
        resolution=(vision.get("image_size", 224), card.preprocess.resolution),
        logit_bias=(configuration.get("init_logit_bias") is not None, card.logit_bias == "checkpoint"),
    )
    name = text.get("hf_model_name")
    if name and any(companion.repo == name for companion in card.companions):
        text = {**text, "hf_model_name": str(fetch.companions(card, name))}
    try:
        model = empty({**configuration, "text_cfg": text})
    except ContractError as error:
        raise ContractError(f"card {card.id}: architecture {card.architecture!r}: {error}") from error
    of_image, of_text = contract.activations(model)
    contract.check_activations(card, ({} if convolutional(model) else {"image": of_image}) | {"text": of_text})
    return model


def empty(configuration: dict[str, Any]) -> torch.nn.Module:
    """Build the model of a configuration with its parameters on the meta device.

    Buffers that checkpoints do not contain (attention masks, rotary positions, position ids) are computed by the
    library.

    Args:
        configuration: open_clip's configuration; `hf_model_name` of a Hugging Face text tower is one whose
            configuration this package ships, or a folder that contains it.

    Returns:
        `clip.CLIP` if the text tower is plain CLIP's, with an image tower of the same module or of open_clip; else
        open_clip's `CLIP` or `CustomTextCLIP`, as its own factory chooses.

    Raises:
        ContractError: No CLIP can be built from it.
        UnavailableError: The configuration of the text tower is missing.

    """
    known = dict(configuration)
    if "multimodal_cfg" in known:
        raise ContractError("CoCa models are not supported: only towers of images and texts")
    custom = known.pop("custom_text", False)
    if name := known["text_cfg"].get("hf_model_name"):
        custom = True
        folder = next((f for f in (FOLDER / name, Path(name)) if (f / "config.json").is_file()), None)
        if folder is None:
            raise UnavailableError(f"config.json of the text tower {name} is not here; run `senbench models fetch ID`")
        known["text_cfg"] = {**known["text_cfg"], "hf_model_name": str(folder), "hf_model_pretrained": False}
    try:
        with parameters_on_meta():
            if not custom and known.keys() <= PLAIN_CLIP and known["text_cfg"].keys() == PLAIN_TEXT:
                return _plain(known)
            import open_clip

            model: torch.nn.Module = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**known)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        said = brief(error)
        raise ContractError(f"no model can be built from this configuration: {type(error).__name__}: {said}") from error
    return model


def _plain(configuration: dict[str, Any]) -> torch.nn.Module:
    from torch import nn

    from senbench.models.clip import vit

    activation = vit.QuickGELU if configuration.get("quick_gelu", False) else nn.GELU
    visual = _image_tower(configuration, activation)
    return vit.CLIP(configuration["embed_dim"], configuration["text_cfg"], activation, visual)


def _image_tower(configuration: dict[str, Any], activation: type[torch.nn.Module]) -> torch.nn.Module:
    """Build CLIP's ViT or ResNet if it supports every entry of the configuration; otherwise open_clip's tower."""
    from senbench.models.clip import resnet, vit

    dim, vision = configuration["embed_dim"], dict(configuration["vision_cfg"])
    layers = vision.pop("layers", None)
    if isinstance(layers, list) and vision.get("patch_size") is None:
        vision.pop("patch_size", None)  # also stated for ResNets, which have none
    numbers = all(isinstance(value, int | float) for value in vision.values())
    if numbers and isinstance(layers, int) and PLAIN_VIT <= vision.keys() <= PLAIN_VIT | {"head_width", "mlp_ratio"}:
        return vit.VisionTransformer(vit.VisionConfig(layers=layers, **vision), dim, activation)
    if numbers and isinstance(layers, list) and PLAIN_RESNET <= vision.keys() <= PLAIN_RESNET | {"head_width"}:
        return resnet.ModifiedResNet(dim, layers=layers, **vision)
    import open_clip

    visual: torch.nn.Module = open_clip.CLIP(**configuration).visual
    return visual


def fill(model: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Load weights into a model, in float32 and ready to encode.

    Args:
        model: From `build`.
        state: Key -> tensor, exactly the model's keys; half-precision tensors are replaced one by one in this
            dictionary, so that there is never a complete second copy.
    """
    for key in list(state):
        if state[key].is_floating_point():
            state[key] = state[key].float()
    model.load_state_dict(state, strict=True, assign=True)
    model.eval().requires_grad_(requires_grad=False)


def drop_images(model: torch.nn.Module) -> None:
    """Remove the image tower from an empty model of open_clip or transformers, to load the text tower only."""
    for name in contract.IMAGE_TOWER:
        if hasattr(model, name):
            delattr(model, name)


def shapes(model: torch.nn.Module) -> dict[str, list[int]]:
    """Return keys and shapes of the checkpoint that a model needs."""
    return {key: list(tensor.shape) for key, tensor in model.state_dict().items()}


class TextTower(Protocol):
    """CLIP's text tower, of senbench or of open_clip."""

    token_embedding: Callable[[torch.Tensor], torch.Tensor]
    positional_embedding: torch.Tensor
    transformer: Callable[..., torch.Tensor]
    attn_mask: torch.Tensor
    ln_final: Callable[[torch.Tensor], torch.Tensor]
    text_projection: torch.Tensor | torch.nn.Module | None


def text_tower(model: torch.nn.Module) -> TextTower:
    """Return the text tower of a model, which may be the model itself (`CLIP`) or a part (`CustomTextCLIP`)."""
    tower: Any = model
    part: TextTower = getattr(tower, "text", tower)
    return part


def causal(model: torch.nn.Module) -> bool:
    """Return whether tokens after the end of a text do not matter: causal, and pooled at the highest token."""
    tower = text_tower(model)
    pool = getattr(tower, "text_pool_type", getattr(tower, "pool_type", None))
    masked = getattr(tower, "attn_mask", None) is not None
    return masked and pool == "argmax" and getattr(tower, "cls_emb", None) is None


def convolutional(model: torch.nn.Module) -> bool:
    """Return whether the image tower is CLIP's ResNet."""
    return type(getattr(model, "visual", None)).__name__ == "ModifiedResNet"


@contextmanager
def parameters_on_meta() -> Iterator[None]:
    """Create the parameters of modules built in this context on the meta device, and real buffers.

    This avoids memory, random initialisation and a second copy of the checkpoint.
    """
    import torch
    from torch.nn.modules.module import register_module_parameter_registration_hook

    thread = threading.get_ident()

    def empty(module: Any, name: str, parameter: Any) -> Any:
        # the hook is global: ignore modules that another thread builds meanwhile
        if parameter is None or parameter.is_meta or threading.get_ident() != thread:
            return None
        return torch.nn.Parameter(parameter.detach().to("meta"), requires_grad=False)

    handle = register_module_parameter_registration_hook(empty)
    try:
        with torch.random.fork_rng(devices=[]):  # restore the state of the caller's random numbers
            yield
    finally:
        handle.remove()
