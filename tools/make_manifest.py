"""Writes the key-and-shape manifests of OpenAI's CLIP checkpoints.

The keys come from the model class of OpenAI's own package (`openai-clip`), not from open_clip, so that
the loader (open_clip) and the manifest do not share one guess. Run: `uv run python tools/make_manifest.py`.
"""

from __future__ import annotations

import json
from pathlib import Path

from clip.model import CLIP

MANIFESTS = Path(__file__).resolve().parents[1] / "senbench" / "models" / "manifests"
# embed_dim, resolution, vision layers, width, patch, context, vocabulary, text width, heads, layers
ARCHITECTURES = {
    "openai-rn50": (1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12),
    "openai-vit-b-32": (512, 224, 12, 768, 32, 77, 49408, 512, 8, 12),
    "openai-vit-l-14": (768, 224, 24, 1024, 14, 77, 49408, 768, 12, 12),
}
SOURCE = "model class of the PyPI package openai-clip 1.0.1 (OpenAI CLIP, MIT), arguments as build_model() infers them"


def main() -> None:
    """Write one JSON file per architecture."""
    for name, args in ARCHITECTURES.items():
        state = CLIP(*args).state_dict()
        manifest = {
            "source": SOURCE,
            "activation": "quickgelu",
            "activation_source": "class QuickGELU in clip/model.py of the same package, used in both towers",
            "drop": ["input_resolution", "context_length", "vocab_size"],
            "parameters": sum(v.numel() for k, v in state.items() if "running_" not in k and "num_b" not in k),
            "keys": {k: list(v.shape) for k, v in sorted(state.items())},
        }
        text = json.dumps(manifest, indent=0).replace("[\n", "[").replace("\n]", "]")
        lines = []
        for line in text.splitlines():
            joined = lines and lines[-1].endswith(("[", ",")) and line[:1].isdigit()
            if joined:
                lines[-1] += line
            else:
                lines.append(line)
        (MANIFESTS / f"{name}.json").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
