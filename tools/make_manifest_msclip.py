"""Writes the manifest of Llama3-MS-CLIP: open_clip's ViT-B/16 with ten bands, listed three times, and a temperature.

The keys of one model come from open_clip's class, their three names and the temperature from the attributes of the
authors' training module. Run: `uv run python tools/make_manifest_msclip.py`.
"""

from __future__ import annotations

import json

import open_clip
import torch
from make_manifest import MANIFESTS, compact

from senbench.models import architectures, msclip, registry

LAYOUT = "msclip-vit-b-16"


def manifest() -> str:
    """The file: facts, the number of parameters of the one model in it, a line for every key or run of keys."""
    card = registry.find("llama3-ms-clip")
    shapes = architectures.shapes(msclip.widen(architectures.build(card, architectures.config(card)), len(card.bands)))
    head = {
        "source": f"model class of open_clip_torch {open_clip.__version__}, configuration {card.architecture}, with a "
        "conv1 of ten channels; listed under the three attributes that hold it in the authors' training module "
        "(class CLIPDualEncoderModel of IBM/MS-CLIP, read in a fork of it at commit 8d156e85), beside its scalar "
        "temperature; the released file itself has not been read",
        "activation": "gelu",
        "activation_source": "the authors' code builds ViT-B-16 without quick_gelu and starts from LAION-2B weights",
        "drop": [],
        "parameters": sum(torch.Size(shape).numel() for shape in shapes.values()),
    }
    lines = [f" {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    keys = [f"  {json.dumps(key)}: {shape}" for key, shape in compact(msclip.released(shapes)).items()]
    return "{\n" + "\n".join(lines) + '\n "keys": {\n' + ",\n".join(keys) + "\n }\n}\n"


if __name__ == "__main__":
    (MANIFESTS / f"{LAYOUT}.json").write_text(manifest())
