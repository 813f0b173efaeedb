"""Writes the key-and-shape manifests: OpenAI's CLIP checkpoints, and the project's own `mini`.

The keys come from the model class of OpenAI's own package (`openai-clip`), not from open_clip, so that
the loader (open_clip) and the manifest do not share one guess. Run: `uv run python tools/make_manifest.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import open_clip
from clip.model import CLIP

if TYPE_CHECKING:
    from torch import Tensor

MANIFESTS = Path(__file__).resolve().parents[1] / "senbench" / "models" / "manifests"
# embed_dim, resolution, vision layers, width, patch, context, vocabulary, text width, heads, layers
ARCHITECTURES = {
    "openai-rn50": (1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12),
    "openai-vit-b-32": (512, 224, 12, 768, 32, 77, 49408, 512, 8, 12),
    "openai-vit-l-14": (768, 224, 24, 1024, 14, 77, 49408, 768, 12, 12),
}
SOURCE = "model class of the PyPI package openai-clip 1.0.1 (OpenAI CLIP, MIT), arguments as build_model() infers them"


def write(name: str, state: dict[str, Tensor], **facts: object) -> None:
    """Write one manifest, a key a line."""
    head = {
        **facts,
        "parameters": sum(v.numel() for k, v in state.items() if "running_" not in k and "num_b" not in k),
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    keys = [f"  {json.dumps(key)}: {list(tensor.shape)}" for key, tensor in sorted(state.items())]
    text = "{\n" + "\n".join(lines) + '\n "keys": {\n' + ",\n".join(keys) + "\n }\n}\n"
    (MANIFESTS / f"{name}.json").write_text(text)


def main() -> None:
    """Write one JSON file per architecture."""
    for name, args in ARCHITECTURES.items():
        write(
            name,
            CLIP(*args).state_dict(),
            source=SOURCE,
            activation="quickgelu",
            activation_source="class QuickGELU in clip/model.py of the same package, used in both towers",
            drop=["input_resolution", "context_length", "vocab_size"],
        )
    config = json.loads((MANIFESTS.parent / "architectures" / "mini.json").read_text())
    write(
        "mini",
        open_clip.CLIP(**config).state_dict(),
        source="senbench/models/architectures/mini.json, trained by tools/train_mini.py of this project",
        activation="quickgelu" if config["quick_gelu"] else "gelu",
        activation_source="the same file: the project's own choice",
        drop=[],
    )


if __name__ == "__main__":
    main()
