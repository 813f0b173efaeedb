"""Generates checkpoints in the exact layout of a release, with random weights: a tool of the tests.

Built from the model class of OpenAI's own package, never from open_clip, so that the loader under test is
held against something that does not share its code. Weights are rounded to fp16, because that package
rounds them when it builds a model. Both towers get a common direction, so that cosines are positive as
those of real CLIP models are (column-mean post-processing needs that).
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from pathlib import Path

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from clip.model import CLIP, build_model

ARCHITECTURES = {
    "openai-rn50": (1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12),
    "openai-vit-b-32": (512, 224, 12, 768, 32, 77, 49408, 512, 8, 12),
}


def state_dict(layout: str, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random state dict of a layout, float32 tensors holding fp16 values."""
    torch.manual_seed(seed)
    model = CLIP(*ARCHITECTURES[layout])
    images = torch.nn.functional.interpolate(torch.randn(12, 3, 9, 9), 224, mode="bicubic")
    tokens = torch.randint(1, 49405, (12, 16))
    tokens[:, -1] = 49407
    tokens = torch.nn.functional.pad(tokens, (0, 61))
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith(".bias"):
                tensor.add_(0.02 * torch.randn_like(tensor))
            elif name.endswith("bn3.weight"):
                tensor.fill_(0.5)  # initialised to zero: the residual branch would go untested
            elif name.endswith((".weight",)) and tensor.ndim == 1:
                tensor.mul_(1 + 0.1 * torch.rand_like(tensor))
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        model.train()
        model.encode_image(images)  # batch statistics, so that activations neither vanish nor explode
        model.eval()
        direction = torch.nn.functional.normalize(torch.randn(ARCHITECTURES[layout][0]), dim=0)
        shift = _towards(direction, model.encode_image(images))
        if hasattr(model.visual, "proj"):
            model.visual.ln_post.bias.add_(torch.linalg.pinv(model.visual.proj.T) @ shift)
        else:
            model.visual.attnpool.c_proj.bias.add_(shift)
        shift = _towards(direction, model.encode_text(tokens))
        model.ln_final.bias.add_(torch.linalg.pinv(model.text_projection.T) @ shift)
        model.logit_scale.fill_(4.6052)
    return {k: (v.half().float() if v.is_floating_point() else v).clone() for k, v in model.state_dict().items()}


def _towards(direction: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
    """What to add to features so that they scatter around the direction, twice as far as they scatter."""
    spread = (features - features.mean(0)).norm(dim=1).mean()
    return 2 * spread * direction - features.mean(0)


def reference(state: dict[str, torch.Tensor]) -> torch.nn.Module:
    """OpenAI's own model over the state dict, float32 on the CPU."""
    return build_model(dict(state)).float().eval()


def write(path: Path, state: dict[str, torch.Tensor], prefix: str = "") -> Path:
    """Write a state dict as .ckpt/.pt (torch) or .safetensors, by suffix."""
    state = {prefix + k: v for k, v in state.items()}
    if path.suffix == ".safetensors":
        from safetensors.torch import save_file

        save_file(state, path)
    else:
        torch.save(state, path)
    return path
