"""Writes the key-and-shape manifests of model classes: OpenAI's, open_clip's, and the project's own `mini`.

The keys of everything in OpenAI's layout come from the model class of OpenAI's own package (`openai-clip`), not
from open_clip, so that the loader (open_clip) and the manifest do not share one guess. Architectures that only
open_clip has come from its classes. Releases that share the keys of such a class name it under `like` in a
manifest written by hand, with their own source and activation. Run: `uv run python tools/make_manifest.py`.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from open_clip import __version__ as open_clip_version

from senbench.models import architectures

if TYPE_CHECKING:
    from collections.abc import Iterator

MANIFESTS = Path(__file__).resolve().parents[1] / "senbench" / "models" / "manifests"
# embed_dim, resolution, vision layers, width, patch, context, vocabulary, text width, heads, layers
OPENAI = {
    "openai-rn50": (1024, 224, (3, 4, 6, 3), 64, None, 77, 49408, 512, 8, 12),
    "openai-vit-b-32": (512, 224, 12, 768, 32, 77, 49408, 512, 8, 12),
    "openai-vit-b-16": (512, 224, 12, 768, 16, 77, 49408, 512, 8, 12),
    "openai-vit-l-14": (768, 224, 24, 1024, 14, 77, 49408, 768, 12, 12),
    "openai-vit-l-14-336": (768, 336, 24, 1024, 14, 77, 49408, 768, 12, 12),
}
OPEN_CLIP = {
    "openclip-vit-h-14": (
        "ViT-H-14",
        "nn.GELU in both towers: the configuration states no quick_gelu",
    ),
    "openclip-siglip2-vit-b-16": ("ViT-B-16-SigLIP2", "nn.GELU in timm's tower, the tanh form in text_cfg"),
    "openclip-siglip2-so400m-14": (
        "ViT-SO400M-14-SigLIP2",
        "nn.GELU in timm's tower, the tanh form in text_cfg",
    ),
    "openclip-pe-core-b-16": ("PE-Core-B-16", "nn.GELU in timm's tower and in open_clip's text tower"),
    "openclip-xlm-roberta-base-vit-b-32": (
        "xlm-roberta-base-ViT-B-32",
        "nn.GELU in open_clip's image tower, hidden_act gelu in the configuration of xlm-roberta-base",
    ),
}
DROPPED = {"openclip-xlm-roberta-base-vit-b-32": ["text.transformer.embeddings.position_ids"]}
Shapes = dict[str, list[int]]


def classes() -> Iterator[tuple[str, Shapes, dict[str, Any]]]:
    """Every manifest: its name, the keys and shapes of its class, and what is known of the release."""
    from clip.model import CLIP

    for name, arguments in OPENAI.items():
        with torch.device("meta"):
            model = CLIP(*arguments)
        yield (
            name,
            architectures.shapes(model),
            {
                "source": "model class of the PyPI package openai-clip 1.0.1 (OpenAI CLIP, MIT), arguments as "
                "build_model() infers them",
                "activation": "quickgelu",
                "activation_source": "class QuickGELU in clip/model.py of the same package, used in both towers",
                "drop": ["input_resolution", "context_length", "vocab_size"],
            },
        )
    import open_clip

    for name, (architecture, why) in OPEN_CLIP.items():
        tanh = "tanh" in why
        yield (
            name,
            architectures.shapes(architectures.empty(open_clip.get_model_config(architecture))),
            {
                "source": f"model class of open_clip_torch {open_clip_version}, configuration {architecture}",
                "activation": "gelu",
                **({"text_activation": "gelu-tanh"} if tanh else {}),
                "activation_source": why,
                "drop": DROPPED.get(name, []),
            },
        )
    config = json.loads((architectures.FOLDER / "mini.json").read_text())
    yield (
        "mini",
        architectures.shapes(architectures.empty(config)),
        {
            "source": "senbench/models/architectures/mini.json, trained by tools/train_mini.py of this project",
            "activation": "quickgelu" if config["quick_gelu"] else "gelu",
            "activation_source": "the same file: the project's own choice",
            "drop": [],
        },
    )


def compact(shapes: Shapes) -> Shapes:
    """Keys that differ by their first number alone and share a shape, in one line: `a.{0-11}.b`."""
    numbers: dict[tuple[str, str, tuple[int, ...]], list[int]] = defaultdict(list)
    lines: Shapes = {}
    for key, shape in shapes.items():
        before, number, after = (re.match(r"(.*?\.)(\d+)(\..*)", key) or re.match(r"(.*)()()", key)).groups()
        if number:
            numbers[before, after, tuple(shape)].append(int(number))
        else:
            lines[key] = shape
    for (before, after, shape), found in numbers.items():
        for first, last in _runs(sorted(found)):
            middle = str(first) if first == last else f"{{{first}-{last}}}"
            lines[f"{before}{middle}{after}"] = list(shape)
    return dict(sorted(lines.items()))


def _runs(numbers: list[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def text(shapes: Shapes, facts: dict[str, Any]) -> str:
    """A manifest file: the facts, the number of parameters, a line for every key or run of keys."""
    sizes = {key: torch.Size(shape).numel() for key, shape in shapes.items()}
    head = {**facts, "parameters": sum(n for k, n in sizes.items() if "running_" not in k and "num_b" not in k)}
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    keys = [f"  {json.dumps(key)}: {shape}" for key, shape in compact(shapes).items()]
    return "{\n" + "\n".join(lines) + '\n "keys": {\n' + ",\n".join(keys) + "\n }\n}\n"


def main() -> None:
    """Write one JSON file per class."""
    for name, shapes, facts in classes():
        (MANIFESTS / f"{name}.json").write_text(text(shapes, facts))


if __name__ == "__main__":
    main()
