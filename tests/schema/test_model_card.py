"""The card: nothing that changes an embedding has a default, and bands, means and deviations fit each other."""

from __future__ import annotations

import pytest
from records import accepted, refusals, required

from senbench.models import registry
from senbench.schema.model_card import HubFile, ModelCard, Preprocess, WeightsSource

CONTRACT = {
    "activation",
    "adapter",
    "architecture",
    "bands",
    "context_length",
    "embed_dim",
    "logit_bias",
    "logit_scale",
    "preprocess",
    "tokenizer",
    "unit",
    "weights",
}
"""Fields that decide an embedding or a score."""


@pytest.fixture
def card():
    return registry.find("mini")


def test_what_changes_an_embedding_has_no_default(card):
    assert required(card) >= CONTRACT
    assert required(card.preprocess) == set(Preprocess.model_fields)
    for name in CONTRACT:
        assert refusals(card, **{name: ...}) == {name: "Field required"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"bands": ("B04", "B03", "red")}, "Value error, bands: 'red' is no Sentinel-2 band; known are B01, B02, "),
        ({"bands": ("B04", "B03")}, "Value error, preprocess.mean has 3 values for 2 bands"),
        ({"preprocess": {"std": (0.2, 0.2)}}, "Value error, preprocess.std has 2 values for 3 bands"),
        ({"preprocess": {"std": (0.2, 0.2, 0.0)}}, "Value error, preprocess.std holds 0; it is divided by"),
        ({"preprocess": {"std": (0.2, -0.2, 0.2)}}, "Value error, preprocess.std holds -0.2; it is divided by"),
        ({"fingerprint": (0.1,) * 4}, "Value error, fingerprint has 4 cosines, expected 5"),
    ],
)
def test_a_card_that_contradicts_itself_is_refused(card, change, says):
    if "preprocess" in change:
        change = {"preprocess": {**card.preprocess.model_dump(), **change["preprocess"]}}
    assert refusals(card, **change)[""].startswith(says)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"activation": "relu"}, "Input should be 'quickgelu', 'gelu', 'gelu-tanh' or 'silu'"),
        ({"unit": "reflectance"}, "Input should be 'uint8' or 'dn'"),
        ({"logit_scale": "file"}, "Input should be"),
        ({"commercial_use": "yes"}, "Input should be 'allowed', 'forbidden' or 'not stated'"),
        ({"contamination": {"eurosat": "a little"}}, "Input should be 'images', 'captions from labels', "),
        (
            {"contamination": {"imagenet": "images"}},
            "Input should be 'eurosat', 'bigearthnet', 'senbench-scenes' or 'whu-rs19'",
        ),
        ({"licence_of_weights": "MIT"}, "Extra inputs are not permitted"),
    ],
)
def test_values_that_do_not_fit_are_refused(card, change, says):
    messages = refusals(card, **change)
    assert all(field.partition(".")[0] == next(iter(change)) for field in messages)
    assert any(message.startswith(says) for message in messages.values())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"resize_mode": "crop"}, "Input should be 'squash' or 'shortest-crop'"),
        ({"interpolation": "nearest"}, "Input should be 'bicubic' or 'bilinear'"),
        ({"antialias": True}, "Extra inputs are not permitted"),
    ],
)
def test_preprocessing_is_one_that_exists(card, change, says):
    assert refusals(card.preprocess, **change) == {next(iter(change)): says}


def test_a_scale_is_a_number_the_checkpoints_or_none(card):
    for scale in (100.0, "checkpoint", None):
        assert accepted(card, logit_scale=scale, logit_bias=scale).logit_scale == scale


def test_a_card_read_again_is_the_same(card):
    for each in (card, registry.find("ms-clip"), registry.find("senclip")):
        assert ModelCard.model_validate_json(each.model_dump_json()) == each


def test_a_source_may_be_left_open_and_knows_no_other_place():
    assert set(WeightsSource().model_dump().values()) == {None, ()}
    assert refusals(WeightsSource(), mirror="https://x") == {"mirror": "Extra inputs are not permitted"}
    assert refusals(HubFile(repo="a/b", file="c"), file=...) == {"file": "Field required"}
