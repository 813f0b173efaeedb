"""Where the model's keys are in a file; a refusal's advice comes from the rule that refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.models import registry
from senbench.models.checkpoints import keys
from senbench.models.checkpoints.keys import Arrangement, Expected

CARD = registry.find("clip-vit-b-32").model_copy(update={"layout": None})
SHAPES = {"visual.proj": [2, 2], "ln.weight": [2], "logit_scale": []}
EXPECTED = Expected(SHAPES)


def refusal(loaded, **change):
    card = CARD.model_copy(update=change)
    state = keys.own(keys.unnested(loaded, card), EXPECTED, card, "w.pt")
    return keys.refusal(loaded, state, EXPECTED, card, Path("w.pt"))


def held(prefix="", **more):
    return {**{prefix + key: 0 for key in SHAPES}, **more}


@pytest.mark.parametrize("stray", ["n_averaged", "criterion.weight"])
def test_a_stray_key_is_to_be_dropped_not_prefixed(stray):
    said = refusal(held("module.", **{stray: 0}), prefixes=("module.",))
    assert f'a card with drop = ["{stray}"] reads them' in said
    assert "prefixes =" not in said


def test_several_strays_are_one_pattern():
    said = refusal(held("module.", n_averaged=0, **{"criterion.a": 0, "criterion.b": 0}))
    assert 'a card with prefixes = ["module."] and drop = ["criterion.*", "n_averaged"] reads them' in said


def test_nesting_prefix_and_drop_together():
    said = refusal({"epoch": 1, "model": held("module.", **{"module.head.w": 0, "module.head.b": 0})})
    assert 'nesting = "model" and prefixes = ["module."] and drop = ["module.head.*"]' in said


def test_a_drop_that_takes_too_much_is_named():
    assert "leaves out keys of the model: narrow it" in refusal(held(), drop=("ln.*",))


def test_a_missing_scale_is_to_be_stated():
    said = refusal({key: 0 for key in SHAPES if key != "logit_scale"})
    assert "a card that states the value which the authors use, such as logit_scale = 100.0, reads them" in said


def test_part_of_a_file():
    assert "it has 2 of 3, as one of several files has" in refusal({"ln.weight": 0, "logit_scale": 0})
    shard = Path("model-00001-of-00002.safetensors")
    assert "this is file 1 of 2" in keys.refusal({"ln.weight": 0}, {"ln.weight"}, EXPECTED, CARD, shard)


def test_dropped_keys_and_prefix():
    card = CARD.model_copy(update={"prefixes": ("module.",), "drop": ("n_averaged", "criterion.*")})
    state = held("module.", n_averaged=0, **{"criterion.w": 0, "module.criterion.b": 0})
    assert set(keys.own(state, EXPECTED, card, "w.pt")) == set(SHAPES)


@given(st.dictionaries(st.from_regex(r"[a-c](\.[a-c]){0,3}", fullmatch=True), st.just(0), max_size=8), st.booleans())
def test_what_is_found_reads_the_file(strays, nested):
    state = held("module.", **strays)
    found = keys.arrangement({"model": state} if nested else state, EXPECTED)
    assert isinstance(found, Arrangement)
    card = CARD.model_copy(update={"nesting": found.nesting, "prefixes": (found.prefix,), "drop": found.drop})
    own = keys.unnested({"model": state} if nested else state, card)
    assert set(keys.own(own, EXPECTED, card, "w.pt")) == set(SHAPES)
