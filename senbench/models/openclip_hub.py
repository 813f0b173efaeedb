"""Cards made on the spot for what open_clip can load: `openclip:ARCHITECTURE/TAG` and `hf:OWNER/NAME`."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from typing import Any

from senbench.errors import ContractError, UnavailableError, UsageError
from senbench.io import download, hub
from senbench.io.download import Fetch
from senbench.runtime import lookup
from senbench.runtime.paths import PACKAGE, weights_folder
from senbench.schema.model_card import HubFile, ModelCard

FOLDER = PACKAGE / "models" / "architectures"
CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
"""Names that open_clip gives its files on the hub, the safe format first."""
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
RESIZE = {"shortest": "shortest-crop", "squash": "squash"}


def describe(name: str, *, offline: bool) -> ModelCard:
    """Card of a model that open_clip knows by tag, or that the hub holds in open_clip's layout.

    Licence and training data are not known from either, and the card says so.

    Args:
        name: `openclip:ARCHITECTURE/TAG` or `hf:OWNER/NAME`.
        offline: Never open a socket.

    Returns:
        The card.

    Raises:
        UsageError: No such architecture, tag or open_clip model.
        ContractError: Tag and architecture disagree about the activation.
        UnavailableError: The repository cannot be reached, or nothing of it is here and `offline`.
    """
    kind, _, rest = name.partition(":")
    if rest.count("/") != 1 or rest.startswith("/") or rest.endswith("/"):
        form = "openclip:ARCHITECTURE/TAG" if kind == "openclip" else "hf:OWNER/NAME"
        raise UsageError(f"--model {name}: expected {form}")
    first, _, second = rest.partition("/")
    return _of_tag(name, first, second, offline) if kind == "openclip" else _of_repository(name, rest, offline)


def _of_tag(name: str, architecture: str, tag: str, offline: bool) -> ModelCard:
    import open_clip

    config = open_clip.get_model_config(architecture)
    if config is None:
        raise lookup.unknown("open_clip architecture", architecture, open_clip.list_models())
    tags = open_clip.list_pretrained_tags_by_model(architecture)
    if tag not in tags:
        raise lookup.unknown(f"tag of {architecture}", tag, tags)
    released = open_clip.get_pretrained_cfg(architecture, tag)
    trained, built = bool(released.get("quick_gelu", False)), bool(config.get("quick_gelu", False))
    # an architecture made for one model (roberta-ViT-B-32) states its own activation, and its tags state none
    if trained != built and (trained or architecture.endswith("-quickgelu")):
        right = f"{architecture}-quickgelu" if trained else architecture.removesuffix("-quickgelu")
        raise ContractError(
            f"--model {name}: the tag {tag!r} was trained with {_gelu(trained)}, {architecture!r} is built with "
            f"{_gelu(built)}: refused, the embeddings would be wrong without any error; use openclip:{right}/{tag}"
        )
    if repo := released.get("hf_hub"):
        owner, project, *file = repo.rstrip("/").split("/")
        repo = f"{owner}/{project}"
        source: dict[str, Any] = {"repo": repo, "file": "/".join(file) or _weights_file(name, repo, offline)}
    elif url := released.get("url"):
        source = {"url": url}
    else:
        raise UsageError(f"--model {name}: open_clip names no file for this tag")
    return _card(name, architecture, config, released, source, offline)


def _of_repository(name: str, repo: str, offline: bool) -> ModelCard:
    order = Fetch(hub.RepoFile(repo, CONFIG), weights_folder(name) / CONFIG, what=f"description of {name}")
    path = download.fetch(order, offline=offline)
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        config, preprocess = described["model_cfg"], described.get("preprocess_cfg", {})
        return _card(
            name, str(path), config, preprocess, {"repo": repo, "file": _weights_file(name, repo, offline)}, offline
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnavailableError(f"--model {name}: {CONFIG} of {repo} is no description of an open_clip model") from error


def _card(
    name: str,
    architecture: str,
    config: dict[str, Any],
    preprocess: dict[str, Any],
    source: dict[str, Any],
    offline: bool,
) -> ModelCard:
    text, vision = config["text_cfg"], config["vision_cfg"]
    tokenizer, companions = "clip-bpe", []
    if repo := text.get("hf_tokenizer_name"):
        tokenizer = f"hf:{repo}"
        companions += [HubFile(repo=repo, file=f) for f in _listed(repo, TOKENIZER, name, offline)]
    if (repo := text.get("hf_model_name")) and not (FOLDER / repo).is_dir():
        companions.append(HubFile(repo=repo, file="config.json"))
        folder = weights_folder(name) / "companions" / repo.replace("/", "--")
        what = f"configuration of the text tower of {name}"
        download.fetch(Fetch(hub.RepoFile(repo, "config.json"), folder / "config.json", what=what), offline=offline)
        config = {**config, "text_cfg": {**text, "hf_model_name": str(folder)}}
    size = vision.get("image_size", 224)
    return ModelCard.model_validate(
        {
            "id": name,
            "family": "open_clip",
            "title": name.partition(":")[2],
            "adapter": "senbench.models.openclip:OpenClipAdapter",
            "architecture": architecture,
            **_built(name, config),
            "preprocess": {
                "resolution": size[0] if isinstance(size, list) else size,
                "resize_mode": RESIZE[preprocess.get("resize_mode", "shortest")],
                "interpolation": preprocess.get("interpolation", "bicubic"),
                "mean": preprocess.get("mean", (0.48145466, 0.4578275, 0.40821073)),
                "std": preprocess.get("std", (0.26862954, 0.26130258, 0.27577711)),
            },
            "bands": ("B04", "B03", "B02"),
            "unit": "uint8",
            "context_length": text.get("context_length", 77),
            "tokenizer": tokenizer,
            "logit_scale": "checkpoint",
            "logit_bias": "checkpoint" if config.get("init_logit_bias") is not None else None,
            "embed_dim": config["embed_dim"],
            "weights": source,
            "companions": companions,
            "licence": "none stated",
            "commercial_use": "not stated",
            "citation": "",
            "trained_on": (),
            "note": "made from open_clip's own description; licence and training data are not known here",
        }
    )


def _gelu(quick: bool) -> str:
    return "QuickGELU" if quick else "GELU"


def _built(name: str, config: dict[str, Any]) -> dict[str, Any]:
    """Activations and size of what open_clip builds from a configuration."""
    from senbench.models import architectures

    model = architectures.empty(config)
    image, text = architectures.activations(model)
    if len(text) != 1 or len(image) > 1:
        raise ContractError(f"--model {name}: blocks of one tower differ in their activation: {image}, {text}")
    (of_text,) = text
    of_image = next(iter(image), of_text)  # a ResNet has no such block
    return {
        "activation": of_image,
        "text_activation": None if of_text == of_image else of_text,
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def _weights_file(name: str, repo: str, offline: bool) -> str:
    found = _listed(repo, WEIGHTS, name, offline)
    if not found:
        raise UsageError(f"--model {name}: {repo} holds none of {', '.join(WEIGHTS)}: not an open_clip model")
    return found[0]


def _listing(repo: str) -> str:
    return f"{repo.replace('/', '--')}.files.json"


def _listed(repo: str, names: tuple[str, ...], name: str, offline: bool) -> list[str]:
    """Which of the names a repository holds, as it was when it was first asked: half a fetch hides no file."""
    with suppress(OSError, ValueError):
        known = json.loads((weights_folder(name) / _listing(repo)).read_text(encoding="utf-8"))
        return [file for file in names if file in known]
    if offline or download.offline_by_environment():
        raise UnavailableError(
            f"--model {name}: nothing of {repo} is in {weights_folder(name)}, and nothing is fetched offline; run "
            f"`senbench models fetch {name}` on a networked machine and copy that folder"
        )
    _, held = hub.list_repo(repo, repo_type="model")
    folder = weights_folder(name)
    with suppress(OSError):  # a read-only home: asked again next time
        folder.mkdir(parents=True, exist_ok=True)
        partial = folder / f".{secrets.token_hex(4)}"
        partial.write_text(json.dumps(held), encoding="utf-8")
        partial.replace(folder / _listing(repo))
    return [file for file in names if file in held]
