"""Generates checkpoints in the exact layout of a release, with random weights: a tool of the tests.

What descends from OpenAI's CLIP is built from the model class of OpenAI's own package, never from open_clip, so
that the loader under test is held against something that does not share its code. Weights are rounded to fp16,
because that package rounds them when it builds a model. Both towers get a common direction, so that cosines are
positive as those of real CLIP models are (column-mean post-processing needs that).
"""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.schema.model_card import ModelCard

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from clip.model import CLIP, build_model

# embed_dim, resolution, vision layers, width, patch, context, vocabulary, text width, heads, layers
ARCHITECTURES: dict[str, tuple[Any, ...]] = {
    "openai-rn50": (1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12),
    "openai-vit-b-32": (512, 224, 12, 768, 32, 77, 49408, 512, 8, 12),
    "openai-vit-l-14": (768, 224, 24, 1024, 14, 77, 49408, 768, 12, 12),
    "narrow-vit": (64, 64, 2, 128, 16, 77, 49408, 128, 2, 2),
    "narrow-rn": (64, 64, (1, 1, 1, 1), 16, None, 77, 49408, 128, 2, 2),
}
NARROW = 128
"""Width of both towers, and of the joint embedding, in narrowed architectures."""


def state_dict(layout: str | tuple[Any, ...], seed: int = 0, images: int = 6) -> dict[str, torch.Tensor]:
    """Random state dict in OpenAI's layout, float32 tensors holding fp16 values.

    `layout` is a name in ARCHITECTURES, or such arguments themselves.
    """
    arguments = ARCHITECTURES[layout] if isinstance(layout, str) else layout
    torch.manual_seed(seed)
    model = CLIP(*arguments)
    pixels = torch.nn.functional.interpolate(torch.randn(images, 3, 9, 9), arguments[1], mode="bicubic")
    tokens = torch.randint(1, 49405, (12, 16))
    tokens[:, -1] = 49407
    tokens = torch.nn.functional.pad(tokens, (0, 61))
    with torch.no_grad():
        _perturb(model)
        for name, tensor in model.state_dict().items():
            if name.endswith("bn3.weight"):
                tensor.fill_(0.5)  # initialised to zero: the residual branch would go untested
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        model.train()
        model.encode_image(pixels)  # batch statistics, so that activations neither vanish nor explode
        model.eval()
        direction = torch.nn.functional.normalize(torch.randn(arguments[0]), dim=0)
        shift = _towards(direction, model.encode_image(pixels))
        if hasattr(model.visual, "proj"):
            model.visual.ln_post.bias.add_(torch.linalg.pinv(model.visual.proj.T) @ shift)
        else:
            model.visual.attnpool.c_proj.bias.add_(shift)
        shift = _towards(direction, model.encode_text(tokens))
        model.ln_final.bias.add_(torch.linalg.pinv(model.text_projection.T) @ shift)
        model.logit_scale.fill_(4.6052)
    return {k: (v.half().float() if v.is_floating_point() else v).clone() for k, v in model.state_dict().items()}


def _perturb(model: torch.nn.Module) -> None:
    """Give every bias and gain a value of its own: as initialised, a forgotten one would go unnoticed."""
    for name, tensor in model.state_dict().items():
        if name.endswith(("bias", "cls_token", "latent")):
            tensor.add_(0.02 * torch.randn_like(tensor))
        elif name.endswith("weight") and tensor.ndim == 1:
            tensor.mul_(1 + 0.1 * torch.rand_like(tensor))


def _towards(direction: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """What to add to features so that they scatter around the direction, twice as far as they scatter."""
    spread = (features - features.mean(0)).norm(dim=1).mean()
    return 2 * spread * direction - features.mean(0)


def reference(state: dict[str, torch.Tensor]) -> torch.nn.Module:
    """OpenAI's own model over the state dict, float32 on the CPU."""
    return build_model(dict(state)).float().eval()


def narrowed(config: dict[str, Any]) -> dict[str, Any]:
    """An open_clip configuration with two narrow layers in place of many wide ones; all else as it was."""
    config = copy.deepcopy(config)
    vision, text = config["vision_cfg"], config["text_cfg"]
    config["embed_dim"] = NARROW
    if isinstance(vision.get("layers"), list):
        vision |= {"layers": [1, 1, 1, 1], "width": 16}
    elif "timm_model_name" not in vision:
        vision |= {"layers": 2, "width": 2 * vision.get("head_width", 64)}
    if "hf_model_name" not in text:
        text |= {"layers": 2, "width": NARROW, "heads": 2}
    return config


def openai_arguments(config: dict[str, Any]) -> tuple[Any, ...]:
    """Arguments of OpenAI's model class for an open_clip configuration."""
    vision, text = config["vision_cfg"], config["text_cfg"]
    layers = vision["layers"]
    return (
        config["embed_dim"],
        vision["image_size"],
        tuple(layers) if isinstance(layers, list) else layers,
        vision["width"],
        vision.get("patch_size"),
        text["context_length"],
        text["vocab_size"],
        text["width"],
        text["heads"],
        text["layers"],
    )


def open_clip_state(architecture: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random state dict of an architecture as open_clip's own factory builds it, nothing left as initialised."""
    import open_clip

    torch.manual_seed(seed)
    model = open_clip.create_model(architecture, pretrained_text=False)
    with torch.no_grad():
        _perturb(model)
        for name, tensor in model.state_dict().items():
            if ".trunk." in name and tensor.ndim > 1:
                tensor.mul_(4)  # as initialised, a narrow tower hardly sees its pixels
        model.logit_scale.fill_(4.7)
    return {key: tensor.clone() for key, tensor in model.state_dict().items()}


def write(path: Path, state: dict[str, torch.Tensor], prefix: str = "", nesting: str = "") -> Path:
    """Write a state dict as .safetensors or, with any other suffix, as torch does; nested as a training run's."""
    state = {prefix + k: v for k, v in state.items()}
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(state, path)
    elif nesting:
        torch.save({"epoch": 20, "name": "run", nesting: state, "optimizer": {"state": {}, "param_groups": []}}, path)
    else:
        torch.save(state, path)
    return path


def released(
    folder: Path, card: ModelCard, state: dict[str, torch.Tensor], prefix: str = "", nesting: str = ""
) -> Path:
    """Write a state dict under the name, and so in the container, of the card's release."""
    name = (card.weights.member or card.weights.file or "weights.pt").rpartition("/")[2]
    return write(folder / name, state, prefix, nesting)
