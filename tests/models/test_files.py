"""Where a checkpoint is found, and which bytes a card accepts."""

from __future__ import annotations

from pathlib import Path

import pytest

from senbench.errors import ContractError, UnavailableError, UsageError
from senbench.models import files, zoo
from senbench.models.load import load

CARD = zoo.find("senclip")


def test_known_hash_is_refused_under_the_wrong_card():
    openai = zoo.find("clip-vit-b-32").weights.also_sha256[0]
    files.check_identity(zoo.find("clip-vit-b-32"), openai, Path("ViT-B-32.pt"))
    with pytest.raises(ContractError, match="are those of clip-vit-b-32"):
        files.check_identity(CARD, openai, Path("ViT-B-32.pt"))


def test_refused_end_to_end_under_the_wrong_card(vit_file, monkeypatch):
    digest = files.sha256(vit_file)
    clip_card = zoo.find("clip-vit-b-32")
    pinned = clip_card.model_copy(update={"weights": clip_card.weights.model_copy(update={"sha256": digest})})
    monkeypatch.setattr(zoo, "cards", lambda: {CARD.id: CARD, pinned.id: pinned})
    with pytest.raises(ContractError, match="run with --model clip-vit-b-32"):
        load("senclip", file=str(vit_file), device="cpu")


def test_missing_local_file():
    with pytest.raises(UsageError, match=r"--weights nowhere\.pt: no such file"):
        load("senclip", file="nowhere.pt")


def test_offline_without_weights_says_what_to_do():
    with pytest.raises(UnavailableError, match="--weights FILE"):
        load("senclip", offline=True)
