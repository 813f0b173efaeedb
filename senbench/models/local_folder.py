"""Makes cards for local folders that describe their model, in the layout of open_clip or transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from senbench.errors import ContractError, UsageError, brief
from senbench.models import openclip_hub, transformers_clip
from senbench.schema.model_card import HubFile, ModelCard

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "local-dir:"
"""open_clip's prefix for the path of a folder."""
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
"""Suffixes of checkpoint files."""
WEIGHTS = (*openclip_hub.WEIGHTS, "model.safetensors", "pytorch_model.bin")
"""Names of a folder's weights, the safe format first."""
TOKENIZER = (*openclip_hub.TOKENIZER, "vocab.json", "merges.txt", "spiece.model", "added_tokens.json")
FILTERS = {0: "nearest", 2: "bilinear", 3: "bicubic"}
"""Number of a filter in PIL -> its name in a card."""
ACTIVATIONS = {"quick_gelu": "quickgelu", "gelu": "gelu", "gelu_pytorch_tanh": "gelu-tanh", "silu": "silu"}
"""Name of an activation in transformers -> its name in a card."""


def path_of(name: str) -> Path | None:
    """Return the path that a model's name denotes; None for another kind of name.

    Args:
        name: As passed: `local-dir:PATH`, `hf:./folder`, `./folder`, `x.safetensors`, ...
    """
    bare = name.removeprefix(PREFIX)
    is_path = bare != name
    if name.startswith("hf:"):
        bare = name.removeprefix("hf:")
        is_path = bare.startswith((".", "/", "~")) or Path(bare).is_dir()
        if not is_path:
            return None
    path = Path(bare).expanduser()
    looks = any(mark in bare for mark in "/\\") or bare.startswith((".", "~")) or path.suffix.lower() in SUFFIXES
    return path if is_path or looks or path.is_dir() else None


def describe(name: str, path: Path, *, offline: bool) -> ModelCard:
    """Make the card of a folder, or of a file of weights in a folder.

    Licence and training data are unknown, and the card says so.

    Args:
        name: The model as passed, for messages.
        path: The folder, or the file.
        offline: Never open a socket.

    Raises:
        UsageError: There is no such folder, or no description of a model in it; the message says what was looked for.
        ContractError: The description is not of a model that can be built.
        UnavailableError: A tokenizer named in the description is missing and cannot be downloaded.
    """
    if not path.exists():
        raise UsageError(
            f"--model {name}: there is no file or folder {path}; a model is an id (`senbench models` lists them), a "
            "card FILE.toml, a folder with open_clip_config.json or config.json, openclip:ARCHITECTURE/TAG or "
            "hf:OWNER/NAME"
        )
    folder = path if path.is_dir() else path.parent
    described = [one for one in (openclip_hub.CONFIG, "config.json") if (folder / one).is_file()]
    if not described:
        if path.is_file():
            raise UsageError(
                f"--model {name}: a file of weights does not say what model it is, and neither {openclip_hub.CONFIG} "
                f"nor config.json is beside it; give it as --model ID --weights {path}, or make a card of it with "
                f"`senbench models new --like ID --weights {path}`"
            )
        there = ", ".join(sorted(one.name for one in folder.iterdir())[:5]) or "nothing"
        raise UsageError(
            f"--model {name}: the folder holds neither {openclip_hub.CONFIG} (open_clip) nor config.json "
            f"(transformers), which describe a model; it holds {there}"
        )
    folder = folder.resolve()
    weights = str(path.resolve()) if path.is_file() else _weights(name, folder)
    if described[0] == openclip_hub.CONFIG:
        return openclip_hub.describe_folder(f"{PREFIX}{folder.name}", folder, weights, offline=offline)
    return _transformers(f"{PREFIX}{folder.name}", folder, weights)


def tokenizer_files(folder: Path) -> list[HubFile]:
    """Return the files of a tokenizer in a folder, as companions of its model."""
    return [HubFile(repo=str(folder), file=name) for name in TOKENIZER if (folder / name).is_file()]


def _weights(name: str, folder: Path) -> str:
    candidates = [folder / one for one in WEIGHTS if (folder / one).is_file()]
    others = sorted(one for one in folder.iterdir() if one.suffix.lower() in SUFFIXES)
    if not candidates and len(others) != 1:
        held = f"several files of weights: {', '.join(one.name for one in others[:5])}" if others else "no weights"
        raise UsageError(
            f"--model {name}: the folder holds {held}; looked for {', '.join(WEIGHTS)}, or one file that ends with "
            f"{', '.join(SUFFIXES)}: give the file's own path as --model"
        )
    return str((candidates or others)[0])


def _transformers(name: str, folder: Path, weights: str) -> ModelCard:
    """Make the card of a folder in the layout of transformers' CLIPModel or SiglipModel."""
    path = folder / "config.json"
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
        kind = read["model_type"]
        if kind not in transformers_clip.CLASSES:
            known = ", ".join(transformers_clip.CLASSES)
            raise ContractError(f"--model {name}: config.json describes a {kind!r} model, known are {known}")
        import transformers

        settings = getattr(transformers, transformers_clip.CLASSES[kind][0]).from_dict(read)
        beside = folder / "preprocessor_config.json"
        pixels = json.loads(beside.read_text(encoding="utf-8")) if beside.is_file() else {}
        card = ModelCard.model_validate(_described(name, folder, weights, kind, (settings, pixels)))
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        said = error.errors()[0]["msg"] if isinstance(error, ValidationError) else brief(error)
        raise ContractError(f"--model {name}: config.json is not a description of a model ({said})") from error
    model = transformers_clip.build(card, transformers_clip.config(card))
    return card.model_copy(update={"parameters": sum(one.numel() for one in model.parameters())})


def _described(name: str, folder: Path, weights: str, kind: str, read: tuple[Any, Mapping[str, Any]]) -> dict[str, Any]:
    settings, pixels = read
    text, vision, sigmoid = settings.text_config, settings.vision_config, kind == "siglip"
    of_image, of_text = (ACTIVATIONS.get(one.hidden_act, one.hidden_act) for one in (vision, text))
    half = (0.5, 0.5, 0.5)
    usual = (half, half) if sigmoid else ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
    return {
        "id": name,
        "family": "transformers",
        "title": folder.name,
        "adapter": "senbench.models.transformers_clip:TransformersAdapter",
        "architecture": str(folder / "config.json"),
        "activation": of_image,
        "text_activation": None if of_text == of_image else of_text,
        "preprocess": {
            "resolution": vision.image_size,
            "resize_mode": "squash" if sigmoid or pixels.get("do_center_crop") is False else "shortest-crop",
            "interpolation": FILTERS.get(pixels.get("resample", 3), "bicubic"),
            "mean": pixels.get("image_mean", usual[0]),
            "std": pixels.get("image_std", usual[1]),
        },
        "bands": ("B04", "B03", "B02"),
        "unit": "uint8",
        "context_length": text.max_position_embeddings,
        "tokenizer": f"hf:{folder}",
        "companions": tokenizer_files(folder),
        "logit_scale": "checkpoint",
        "logit_bias": "checkpoint" if sigmoid else None,
        "embed_dim": text.projection_size if sigmoid else settings.projection_dim,
        "parameters": 1,
        "drop": ("*.position_ids",),
        "weights": {"path": weights},
        "licence": "none stated",
        "commercial_use": "not stated",
        "citation": "",
        "trained_on": (),
        "note": "made from the description in a local folder; licence and training data are not known here",
    }
