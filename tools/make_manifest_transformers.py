"""Writes the key-and-shape manifests of releases in Hugging Face's layout, from transformers' own model classes.

Run: `uv run python tools/make_manifest_transformers.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers
from make_manifest import MANIFESTS, Shapes, text
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    SiglipConfig,
    SiglipModel,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCE = f"class {{}} of transformers {transformers.__version__}, {{}}"
OLD = "*.embeddings.position_ids"
"""Buffer 0, 1, 2, ... that transformers before 4.31 wrote into checkpoints."""
LARGE = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16}
CLIP_ACTIVATION = "hidden_act quick_gelu, the default of transformers' CLIP configurations"
SIGLIP_ACTIVATION = "hidden_act gelu_pytorch_tanh, the default of transformers' SigLIP configurations"


def shapes(model: torch.nn.Module) -> Shapes:
    """Keys and shapes of a model."""
    return {key: list(tensor.shape) for key, tensor in model.state_dict().items()}


def manifests() -> Iterator[tuple[str, Shapes, dict[str, Any]]]:
    """Every manifest: its name, keys and shapes, and what is known of the release."""
    siglip = {"activation": "gelu-tanh", "activation_source": SIGLIP_ACTIVATION, "drop": [OLD]}
    clip = {"activation": "quickgelu", "activation_source": CLIP_ACTIVATION, "drop": [OLD]}
    yield (
        "hf-siglip-b-16-224",
        shapes(SiglipModel(SiglipConfig())),
        {"source": SOURCE.format("SiglipModel", "its default configuration"), **siglip},
    )
    large = SiglipConfig(text_config=LARGE, vision_config={**LARGE, "image_size": 256})
    yield (
        "hf-siglip-l-16-256",
        shapes(SiglipModel(large)),
        {"source": SOURCE.format("SiglipModel", "configuration of google/siglip-large-patch16-256"), **siglip},
    )
    street = CLIPConfig(
        text_config={"hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12},
        vision_config={**LARGE, "patch_size": 14, "image_size": 336},
        projection_dim=768,
    )
    yield (
        "hf-clip-l-14-336",
        shapes(CLIPModel(street)),
        {"source": SOURCE.format("CLIPModel", "configuration of openai/clip-vit-large-patch14-336"), **clip},
    )
    tower = CLIPVisionModelWithProjection(CLIPVisionConfig(patch_size=16))
    wide, narrow = tower.config.hidden_size, tower.config.projection_dim
    yield (
        "graft",
        {
            **{f"satellite_image_backbone.{key}": shape for key, shape in shapes(tower).items()},
            "projector.0.weight": [wide],
            "projector.0.bias": [wide],
            "projector.1.weight": [narrow, wide],
            "logit_scale": [],
        },
        {
            "source": SOURCE.format("CLIPVisionModelWithProjection", "ViT-B/16")
            + "; projector and logit_scale as the code that loads the release in public repositories declares them",
            **clip,
        },
    )


def main() -> None:
    """Write one JSON file per release layout."""
    with torch.device("meta"):
        for name, keys, facts in manifests():
            (MANIFESTS / f"{name}.json").write_text(text(keys, facts))


if __name__ == "__main__":
    main()
