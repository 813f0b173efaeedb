"""Makes cards for models that open_clip can load: `openclip:ARCHITECTURE/TAG` and `hf:OWNER/NAME`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from senbench.errors import ContractError, UnavailableError, UsageError
from senbench.io import checked_json, download, hub
from senbench.io.download import Fetch
from senbench.models import architectures, contract
from senbench.runtime import lookup, parsing
from senbench.runtime.paths import weights_folder
from senbench.schema.model_card import HubFile, ModelCard

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CONFIG = "open_clip_config.json"
WEIGHTS = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
"""File names of open_clip's weights on the hub, the safe format first."""
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
RESIZE = {"shortest": "shortest-crop", "squash": "squash"}


def describe(name: str, *, offline: bool) -> ModelCard:
    """Make the card of a model that open_clip knows by tag, or that is on the hub in open_clip's layout.

    Licence and training data are unknown, and the card says so.

    Args:
        name: `openclip:ARCHITECTURE/TAG` or `hf:OWNER/NAME`.
        offline: Never open a socket.

    Returns:
        The card.

    Raises:
        UsageError: There is no such architecture, tag or open_clip model.
        ContractError: Tag and architecture disagree about the activation.
        UnavailableError: The repository cannot be reached, or `offline` is set and none of its files exist locally.
    """
    kind, _, rest = name.partition(":")
    if rest.count("/") != 1 or rest.startswith("/") or rest.endswith("/"):
        form = "openclip:ARCHITECTURE/TAG" if kind == "openclip" else "hf:OWNER/NAME"
        raise UsageError(f"--model {name}: expected {form}")
    model = _HubModel(name=name, offline=offline)
    return model.of_tag(*rest.split("/")) if kind == "openclip" else model.of_repository(rest)


def describe_folder(name: str, folder: Path, weights: str, *, offline: bool) -> ModelCard:
    """Make the card of a local folder in open_clip's layout.

    Args:
        name: Id of the card.
        folder: Folder with `open_clip_config.json`, and optionally the files of the tokenizer that it names.
        weights: The file of weights.
        offline: Never open a socket.

    Raises:
        UnavailableError: The description is invalid, or files that it names cannot be downloaded.
        ContractError: No model can be built from it.
    """
    model = _HubModel(name=name, offline=offline, folder=folder)
    return model.of_description(folder / CONFIG, CONFIG, lambda: {"path": weights})


@dataclass(frozen=True, kw_only=True)
class _HubModel:
    """A requested model.

    Attributes:
        name: `openclip:ARCHITECTURE/TAG` or `hf:OWNER/NAME`.
        offline: Never open a socket.
        folder: Local folder whose files have priority over those of the hub, or None.
    """

    name: str
    offline: bool
    folder: Path | None = None

    def of_tag(self, architecture: str, tag: str) -> ModelCard:
        """Make the card of a tag of open_clip's list."""
        import open_clip

        config = open_clip.get_model_config(architecture)
        if config is None:
            raise lookup.unknown("open_clip architecture", architecture, open_clip.list_models())
        tags = open_clip.list_pretrained_tags_by_model(architecture)
        if tag not in tags:
            raise lookup.unknown(f"tag of {architecture}", tag, tags)
        released = open_clip.get_pretrained_cfg(architecture, tag)
        trained, built = (bool(known.get("quick_gelu", False)) for known in (released, config))
        contract.check_tag(self.name, architecture, tag, trained=trained, built=built)
        if repo := released.get("hf_hub"):
            owner, project, *file = repo.rstrip("/").split("/")
            repo = f"{owner}/{project}"
            source: dict[str, Any] = {"repo": repo, "file": "/".join(file) or self._weights_file(repo)}
        elif url := released.get("url"):
            source = {"url": url}
        else:
            raise UsageError(f"--model {self.name}: open_clip names no file for this tag")
        return self._card(architecture, config, released, source)

    def of_repository(self, repo: str) -> ModelCard:
        """Make the card of a repository of the hub."""
        path = self._fetched(repo, CONFIG, weights_folder(self.name), f"description of {self.name}")
        return self.of_description(
            path, f"{CONFIG} of {repo}", lambda: {"repo": repo, "file": self._weights_file(repo)}
        )

    def of_description(self, path: Path, what: str, source: Callable[[], dict[str, Any]]) -> ModelCard:
        """Make the card of a file `open_clip_config.json`, with the location of the weights."""
        try:
            described = parsing.from_json(path.read_text(encoding="utf-8"))
            config, preprocess = described["model_cfg"], described.get("preprocess_cfg", {})
            return self._card(str(path), config, preprocess, source())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UnavailableError(f"--model {self.name}: {what} is not a description of an open_clip model") from error

    def _card(
        self, architecture: str, config: dict[str, Any], preprocess: dict[str, Any], source: dict[str, Any]
    ) -> ModelCard:
        text, vision = config["text_cfg"], config["vision_cfg"]
        tokenizer, companions = "clip-bpe", []
        if repo := text.get("hf_tokenizer_name"):
            if self.folder is not None and (self.folder / TOKENIZER[0]).is_file():
                repo, held = str(self.folder), [one for one in TOKENIZER if (self.folder / one).is_file()]
            else:
                held = self._listed(repo, TOKENIZER)
            tokenizer = f"hf:{repo}"
            companions += [HubFile(repo=repo, file=f) for f in held]
        if (repo := text.get("hf_model_name")) and not (architectures.FOLDER / repo).is_dir():
            companions.append(HubFile(repo=repo, file="config.json"))
            folder = weights_folder(self.name) / "companions" / repo.replace("/", "--")
            self._fetched(repo, "config.json", folder, f"configuration of the text tower of {self.name}")
            config = {**config, "text_cfg": {**text, "hf_model_name": str(folder)}}
        size = vision.get("image_size", 224)
        return ModelCard.model_validate(
            {
                "id": self.name,
                "family": "open_clip",
                "title": self.name.partition(":")[2],
                "adapter": "senbench.models.openclip:OpenClipAdapter",
                "architecture": architecture,
                **self._built(config),
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

    def _built(self, config: dict[str, Any]) -> dict[str, Any]:
        """Return activations and size of the model that open_clip builds from a configuration."""
        model = architectures.empty(config)
        image, text = contract.activations(model)
        if len(text) != 1 or len(image) > 1:
            raise ContractError(f"--model {self.name}: blocks of one tower differ in their activation: {image}, {text}")
        (of_text,) = text
        of_image = next(iter(image), of_text)  # a ResNet has no such block
        return {
            "activation": of_image,
            "text_activation": None if of_text == of_image else of_text,
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
        }

    def _fetched(self, repo: str, file: str, folder: Path, what: str) -> Path:
        return download.fetch(Fetch(hub.RepoFile(repo, file), folder / file, what=what), offline=self.offline)

    def _weights_file(self, repo: str) -> str:
        listed = self._listed(repo, WEIGHTS)
        if not listed:
            none = f"{repo} holds none of {', '.join(WEIGHTS)}: not an open_clip model"
            raise UsageError(f"--model {self.name}: {none}")
        return listed[0]

    def _listed(self, repo: str, names: tuple[str, ...]) -> list[str]:
        """Return which of the names a repository contains, by its first listing, which a partial download keeps."""
        path = weights_folder(self.name) / f"{repo.replace('/', '--')}.files.json"
        held = checked_json.read(path)
        if held is None:
            if self.offline or download.offline_by_environment():
                raise UnavailableError(
                    f"--model {self.name}: no file of {repo} is in {path.parent}, and nothing is fetched offline; run "
                    f"`senbench models fetch {self.name}` on a networked machine and copy that folder"
                )
            _, held = hub.list_repo(repo, repo_type="model")
            checked_json.write(path, held)  # a read-only home: the repository is listed again next time
        return [file for file in names if file in held]
