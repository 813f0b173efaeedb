"""The shipped cards: complete, consistent with their manifests, found by every name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.errors import ContractError, SenbenchError, UsageError
from senbench.models import weights, zoo

CARDS = list(zoo.cards().values())


def test_the_cards_issue_a_asks_for():
    ids = set(zoo.cards())
    assert {"clip-rn50", "clip-vit-b-32", "clip-vit-l-14", "mini"} <= ids
    assert len([i for i in ids if i.startswith("senclip-")]) == 4
    assert zoo.find("senclip").id == "senclip-vit-b-32-avgpool"
    assert zoo.find("SenCLIP").architecture == "ViT-B-32-quickgelu"


@pytest.mark.parametrize("card", CARDS, ids=lambda c: c.id)
def test_card_agrees_with_its_manifest(card):
    layout = weights.manifest(card.layout)
    keys = layout["keys"]
    assert layout["source"]
    assert layout["activation"] == card.activation
    assert layout["parameters"] == card.parameters
    assert keys["text_projection"][1] == card.embed_dim
    assert keys["positional_embedding"][0] == card.context_length
    assert len(card.preprocess.mean) == len(card.preprocess.std) == len(card.bands)


@pytest.mark.parametrize("card", [c for c in CARDS if c.family in ("CLIP", "SenCLIP")], ids=lambda c: c.id)
def test_openai_lineage_is_quickgelu(card):
    assert card.activation == "quickgelu"
    assert card.architecture.endswith("-quickgelu")


def test_senclip_preprocessing_is_the_releases():
    how = zoo.find("senclip").preprocess
    assert (how.resolution, how.resize_mode, how.interpolation) == (224, "squash", "bicubic")
    assert how.mean == (0.347, 0.376, 0.296)
    assert how.std == (0.269, 0.261, 0.276)


def test_unknown_model_suggests():
    with pytest.raises(UsageError, match=r"unknown model 'clip-vit-b-31'. Did you mean 'clip-vit-b-32'\?"):
        zoo.find("clip-vit-b-31")


def test_missing_manifest():
    with pytest.raises(ContractError, match="no manifest"):
        weights.manifest("nothing")


def test_misspelt_field_is_an_error(tmp_path):
    text = (zoo.CARDS / "clip.toml").read_text().replace("activation =", "activatoin =", 1)
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ContractError, match=r"x\.toml, card 'clip-rn50', activat"):
        zoo.read_cards(tmp_path / "x.toml")


@given(st.text(max_size=200))
def test_any_card_file_reads_or_fails_in_one_line(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("card") / "x.toml"
    path.write_text(text, encoding="utf-8", errors="ignore")
    try:
        zoo.read_cards(path)
    except SenbenchError as error:
        assert "x.toml" in str(error)
