"""A configuration: read from a result, one setting switched at a time, its prompts rendered under other names."""

from __future__ import annotations

from dataclasses import fields

import pytest
import runs
import stubs

from senbench.errors import UnavailableError
from senbench.studies.configuration import (
    IMAGES,
    SCORING,
    configuration_of,
    listed,
    prompts_of,
    renderable,
    switched,
)

NOT_SWITCHED = {"headline"}
"""What no switch changes: the metric that is explained."""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SENBENCH_HOME", str(tmp_path_factory.mktemp("home")))
        return runs.senbench.evaluate("mini", "demo", "ground", limit=30, offline=True, device="cpu")


def test_every_setting_belongs_to_one_switch():
    changed = [name for switch in (*IMAGES, *SCORING) for name in switch.fields]
    assert len(changed) == len(set(changed))
    from senbench.studies.configuration import Configuration

    assert set(changed) | NOT_SWITCHED == {field.name for field in fields(Configuration)}


def test_a_result_says_what_it_was_made_with(result):
    found = configuration_of(result)
    assert (found.card.id, found.dataset, found.split, found.limit) == ("mini", "demo", "test", 30)
    assert found.words.hash == result.prompts.hash
    assert (found.exact, found.draw, found.bands) == (True, "standard", None)
    assert found.digest == result.model.weights_sha256


def test_a_switch_changes_its_own_settings_alone(result):
    one = configuration_of(result)
    other = switched(one, one, SCORING[0])
    assert other == one
    from dataclasses import replace

    far = replace(one, ensemble="max", seed=5, split="train", names="clip")
    for switch in (*IMAGES, *SCORING):
        moved = switched(one, far, switch)
        differ = {f.name for f in fields(one) if getattr(moved, f.name) != getattr(one, f.name)}
        assert differ <= set(switch.fields)
    assert switched(one, far, SCORING[2]).ensemble == "max"


def test_shipped_prompts_are_rendered_under_other_names(result):
    from dataclasses import replace

    one = configuration_of(result)
    assert renderable(one)
    assert prompts_of(one) is one.words
    other = prompts_of(replace(one, names="clip"))
    assert other.class_names == "clip"
    assert other.hash != one.words.hash
    mine = one.words.model_copy(update={"source": "mine.json"})
    assert not renderable(replace(one, words=mine))


def test_what_was_passed_from_python_cannot_be_made_again():
    result = runs.senbench.evaluate(stubs.StubEncoder(), stubs.tiles(), runs.PROMPTS, results=None)
    with pytest.raises(UnavailableError, match="was an object passed from Python"):
        configuration_of(result)


@pytest.mark.parametrize(
    ("dataset", "split", "name"),
    [("eurosat", "test", "random-test"), ("eurosat-spatial", "val", "spatial-val"), ("eurosat-rgb", "all", "all")],
)
def test_a_list_of_tiles_has_one_name_whatever_the_file_format(dataset, split, name):
    assert listed(dataset, split) == name
