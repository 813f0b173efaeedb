"""Checkpoints as transformers writes them, small and random, with their tokenizer files: a tool of the tests."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from senbench.models.checkpoints import fetch
from senbench.models.checkpoints import state_dict as weights

if TYPE_CHECKING:
    from pathlib import Path

    from senbench.schema.model_card import ModelCard

TEXTS = [
    "a photo of a river",
    "A Centered satellite photo of: Annual Crop Land, long rows of (green) maize under a grey sky in July!",
    "x",
    "golden wheat " * 50,  # beyond any context
]
OPENAI = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
RELEASED = {
    "git-rsclip-base": {"model_type": "siglip", "text_config": {}, "vision_config": {}},
    "git-rsclip-large": {
        "model_type": "siglip",
        "text_config": {
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_attention_heads": 16,
            "num_hidden_layers": 24,
        },
        "vision_config": {
            "hidden_size": 1024,
            "image_size": 256,
            "intermediate_size": 4096,
            "num_attention_heads": 16,
            "num_hidden_layers": 24,
        },
    },
    "streetclip": {
        "model_type": "clip",
        "projection_dim": 768,
        "text_config": {
            "eos_token_id": 2,
            "hidden_size": 768,
            "intermediate_size": 3072,
            "num_attention_heads": 12,
        },
        "vision_config": {
            "hidden_size": 1024,
            "image_size": 336,
            "intermediate_size": 4096,
            "num_attention_heads": 16,
            "num_hidden_layers": 24,
            "patch_size": 14,
        },
    },
}
"""config.json of each release, or of the model whose structure it has: what is absent is transformers' default."""


@dataclass
class Release:
    """A small release on disk, its card, and transformers' own model of it."""

    card: ModelCard
    file: Path
    state: dict[str, torch.Tensor]
    configuration: dict[str, Any]
    tokenizer: Path

    def reference(self, **change: Any) -> torch.nn.Module:
        configuration = json.loads(json.dumps(self.configuration))
        for tower in ("text_config", "vision_config"):
            configuration[tower].update(change)
        return reference(configuration, self.state)

    def processor(self) -> Any:
        """The release's processor, from the fields of its preprocessor_config.json; PIL, as it was when released."""
        from transformers import (
            CLIPImageProcessorPil,
            CLIPProcessor,
            CLIPTokenizer,
            SiglipImageProcessorPil,
            SiglipProcessor,
            SiglipTokenizer,
        )

        side = self.configuration["vision_config"]["image_size"]
        if self.configuration["model_type"] == "siglip":
            images = SiglipImageProcessorPil(
                size={"height": side, "width": side},
                resample=3,
                rescale_factor=1 / 255,
                image_mean=[0.5] * 3,
                image_std=[0.5] * 3,
            )
            return SiglipProcessor(images, SiglipTokenizer.from_pretrained(self.tokenizer))
        images = CLIPImageProcessorPil(
            size={"shortest_edge": side},
            crop_size={"height": side, "width": side},
            resample=3,
            image_mean=OPENAI[0],
            image_std=OPENAI[1],
            do_convert_rgb=True,
        )
        return CLIPProcessor(images, CLIPTokenizer.from_pretrained(self.tokenizer))


def config(card: ModelCard, tokens: int) -> dict[str, Any]:
    """The card's shipped configuration with small widths and a vocabulary of `tokens`; everything else as released."""
    from senbench.models import architectures

    full = json.loads((architectures.FOLDER / f"{card.architecture}.json").read_text())
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    for tower in ("text_config", "vision_config"):
        full[tower].update(small)
    full["text_config"]["vocab_size"] = tokens
    full["vision_config"]["image_size"] = 4 * full["vision_config"]["patch_size"]
    if full["model_type"] == "clip":
        full["projection_dim"] = 24
    else:
        full["text_config"]["projection_size"] = 32
    return full


def shrunk(card: ModelCard, configuration: dict[str, Any], folder: Path, monkeypatch: Any) -> ModelCard:
    """The card for a small configuration: only widths and the names of JSON files differ from the shipped one."""
    name = f"small-{folder.name}-{card.id}"
    path = folder / f"{name}.json"
    path.write_text(json.dumps(configuration))
    shipped = weights.manifest(card.layout)
    keys = {key: list(tensor.shape) for key, tensor in model(configuration).state_dict().items()}
    manifests = folder / "manifests"
    manifests.mkdir(exist_ok=True)
    (manifests / f"{name}.json").write_text(json.dumps({**shipped, "keys": keys}))
    monkeypatch.setattr(weights, "MANIFESTS", manifests)
    configuration["vision_config"]["image_size"]
    return card.model_copy(
        update={
            "architecture": str(path),
            "layout": name,
            "embed_dim": configuration.get("projection_dim", 32),
            "preprocess": card.preprocess.model_copy(
                update={"resolution": configuration["vision_config"]["image_size"]}
            ),
            "weights": card.weights.model_copy(update={"sha256": None}),
        }
    )


def model(configuration: dict[str, Any]) -> torch.nn.Module:
    """transformers' own model of a configuration, random weights."""
    from transformers import CLIPConfig, CLIPModel, SiglipConfig, SiglipModel

    kind = configuration["model_type"]
    made, settings = {"clip": (CLIPModel, CLIPConfig), "siglip": (SiglipModel, SiglipConfig)}[kind]
    return made(settings.from_dict(configuration)).eval()


def state_dict(configuration: dict[str, Any], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights with fp16 values: large enough for every block to matter."""
    torch.manual_seed(seed)
    state = {}
    for key, tensor in model(configuration).state_dict().items():
        if key.startswith("logit_"):
            value = torch.full_like(tensor, 4.6052 if key == "logit_scale" else -12.9)
        elif "norm" in key or "layrnorm" in key:
            value = torch.rand_like(tensor) + 0.5 if key.endswith("weight") else 0.3 * torch.randn_like(tensor)
        else:
            value = torch.randn_like(tensor) * (0.3 if tensor.ndim > 1 else 0.2)
        state[key] = value.half().float()
    return state


def reference(configuration: dict[str, Any], state: dict[str, torch.Tensor]) -> torch.nn.Module:
    """transformers' own model over a state dict."""
    made = model(configuration)
    made.load_state_dict(state, strict=True)
    return made


def clip_tokenizer(folder: Path, merged: int = 48894) -> Path:
    """OpenAI's vocabulary, or the beginning of it, in the files of transformers' CLIPTokenizer.

    Args:
        folder: Where to write them.
        merged: Number of merges kept; all of them by default.
    """
    from open_clip.tokenizer import SimpleTokenizer
    from transformers import CLIPTokenizer

    known = SimpleTokenizer()
    tokens = [*list(known.encoder)[: 512 + merged], "<|startoftext|>", "<|endoftext|>"]
    vocab = {token: number for number, token in enumerate(tokens)}
    merges = sorted(known.bpe_ranks, key=known.bpe_ranks.get)[:merged]
    CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=77).save_pretrained(folder)
    return folder


def siglip_tokenizer(folder: Path, pad: str = "</s>") -> Path:
    """A small SentencePiece vocabulary in the files of transformers' SiglipTokenizer, special tokens as released."""
    import sentencepiece

    words = (
        "forest river annual crop land pasture highway industrial residential photo satellite wheat rows of maize sky"
    )
    lines = [f"a {a} {b} of the {c}" for a in words.split() for b in words.split() for c in words.split()[:4]]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([*lines, "the quick brown fox jumps over the lazy dog 0123456789"] * 2),
        model_prefix=str(folder / "spiece"),
        vocab_size=300,
        hard_vocab_limit=False,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        minloglevel=2,
    )
    settings = {
        "do_lower_case": True,
        "model_input_names": ["input_ids"],
        "model_max_length": 64,
        "eos_token": "</s>",
        "pad_token": pad,
        "unk_token": "<unk>",
        "sp_model_kwargs": {},
        "tokenizer_class": "SiglipTokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def folder(path: Path, kind: str) -> Path:
    """A small model with its tokenizer as transformers' `save_pretrained` leaves them.

    Args:
        path: Folder to make.
        kind: `clip` or `siglip`.
    """
    from transformers import CLIPTokenizer, SiglipTokenizer

    path.mkdir()
    made = clip_tokenizer(path, 700) if kind == "clip" else siglip_tokenizer(path)
    tokens = (CLIPTokenizer if kind == "clip" else SiglipTokenizer).from_pretrained(made)
    tower = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "num_attention_heads": 2}
    text: dict[str, Any] = {**tower, "vocab_size": len(tokens), "bos_token_id": 0, "eos_token_id": len(tokens) - 1}
    if kind == "siglip":
        text |= {"projection_size": 64, "pad_token_id": tokens.pad_token_id}
    vision = {**tower, "image_size": 32, "patch_size": 16}
    settings = {"model_type": kind, "text_config": text, "vision_config": vision}
    torch.manual_seed(0)
    made = model(settings | {"projection_dim": 32} if kind == "clip" else settings)
    made.save_pretrained(path)
    tokens.save_pretrained(path)
    return path


def filled(folder: Path, size: int) -> Path:
    """A SentencePiece vocabulary brought to `size` pieces by some that no text holds."""
    from sentencepiece import sentencepiece_model_pb2

    path = folder / "spiece.model"
    known = sentencepiece_model_pb2.ModelProto.FromString(path.read_bytes())
    for i in range(len(known.pieces), size):
        known.pieces.add(piece=f"\ue000{i}", score=-99.0)
    path.write_bytes(known.SerializeToString())
    return folder


def install(card: ModelCard, folder: Path) -> Path:
    """Put the card's companion files where a fetch would have put them."""
    for one in card.companions:
        target = fetch.companions(card, one.repo)
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / one.file, target / one.file)
    return target
