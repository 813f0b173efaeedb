"""The shipped cards: complete, consistent with their manifests, found by every name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.errors import ContractError, SenbenchError, UsageError
from senbench.models import card_files, registry
from senbench.models.checkpoints import state_dict

CARDS = list(registry.cards().values())


def test_the_cards_issue_a_asks_for():
    ids = set(registry.cards())
    assert {"clip-rn50", "clip-vit-b-32", "clip-vit-l-14", "mini"} <= ids
    assert len([i for i in ids if i.startswith("senclip-")]) == 4
    assert registry.find("senclip").id == "senclip-vit-b-32-avgpool"
    assert registry.find("SenCLIP").architecture == "ViT-B-32-quickgelu"


@pytest.mark.parametrize("card", [card for card in CARDS if card.layout], ids=lambda c: c.id)
def test_card_agrees_with_its_manifest(card):
    layout = state_dict.manifest(card.layout)
    assert layout["source"]
    assert layout["activation_source"]
    if card.adapter.endswith(":OpenClipAdapter"):
        assert layout["parameters"] == card.parameters
    if layout["activation"] is None:  # the release leaves it open: the card must say so
        assert "activation" in card.note or "README" in card.note
    else:
        assert layout["activation"] == card.activation
        assert layout.get("text_activation") == card.text_activation


@pytest.mark.parametrize("card", CARDS, ids=lambda c: c.id)
def test_a_shipped_card_is_found_without_the_others(card):
    assert all(registry.card_files.shipped_as(name.upper()) == card for name in (card.id, *card.aliases))


@pytest.mark.parametrize("card", CARDS, ids=lambda c: c.id)
def test_card_is_complete(card):
    assert len(card.preprocess.mean) == len(card.preprocess.std) == len(card.bands)
    assert card.licence
    assert card.citation
    assert card.trained_on
    # nobody here has read a released file
    assert not card.verified or card.synthetic
    if card.weights.sha256 is None:
        assert card.note or card.weights.also_sha256, "say why no hash is pinned"


def test_both_readings_of_remoteclip_are_cards_of_one_file():
    for name in ("remoteclip-rn50", "remoteclip-vit-b-32", "remoteclip-vit-l-14"):
        quick, gelu = registry.find(name), registry.find(name + "-gelu")
        assert (quick.activation, gelu.activation) == ("quickgelu", "gelu")
        assert quick.weights == gelu.weights
        assert quick.layout == gelu.layout


def test_only_one_of_openclips_models_is_normalised_with_a_half():
    halves = {card.id for card in CARDS if card.family == "OpenCLIP" and card.preprocess.mean == (0.5, 0.5, 0.5)}
    assert halves == {"openclip-laion2b-vit-l-14"}


def test_senclip_preprocessing_is_the_releases():
    how = registry.find("senclip").preprocess
    assert (how.resolution, how.resize_mode, how.interpolation) == (224, "squash", "bicubic")
    assert how.mean == (0.347, 0.376, 0.296)
    assert how.std == (0.269, 0.261, 0.276)


def test_unknown_model_suggests():
    with pytest.raises(UsageError, match=r"unknown model 'clip-vit-b-31'. Did you mean 'clip-vit-b-32'\?"):
        registry.find("clip-vit-b-31")


def test_missing_manifest():
    with pytest.raises(ContractError, match="no manifest"):
        state_dict.manifest("nothing")


def test_misspelt_field_is_an_error(tmp_path):
    text = (card_files.CARDS / "clip.toml").read_text().replace("activation =", "activatoin =", 1)
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ContractError, match=r"x\.toml, card 'clip-rn50': missing activation; activatoin"):
        card_files.read_cards(tmp_path / "x.toml")


@given(st.text(max_size=200))
def test_any_card_file_reads_or_fails_in_one_line(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("card") / "x.toml"
    path.write_text(text, encoding="utf-8", errors="ignore")
    try:
        card_files.read_cards(path)
    except SenbenchError as error:
        assert "x.toml" in str(error)
