"""Facts of datasets: what must be stated, and which values are closed."""

from __future__ import annotations

import pytest
import stubs
from records import accepted, refusals, required

from senbench.datasets.catalog import BUILTIN
from senbench.prompts import load_vocabulary
from senbench.schema.dataset import ClassEntry, Vocabulary
from senbench.schema.terms import BANDS


def test_what_changes_a_figure_must_be_stated():
    info = stubs.info()
    assert required(info) == set(type(info).model_fields) - {"level", "synthetic"}
    for name in required(info):
        assert refusals(info, **{name: ...}) == {name: "Field required"}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"task": "segmentation"}, "Input should be 'single-label' or 'multi-label'"),
        ({"unit": "float"}, "Input should be 'uint8' or 'dn'"),
        ({"level": "L1B"}, "Input should be 'L1C' or 'L2A'"),
        ({"tile_size": "wide"}, "Input should be a valid integer, unable to parse string as an integer"),
        ({"splits": {"all": None}}, "Input should be a valid integer"),
        ({"classes": "Forest"}, "Input should be a valid tuple"),
        ({"licences": "MIT"}, "Extra inputs are not permitted"),
    ],
)
def test_values_that_do_not_fit_are_refused(change, says):
    ((field, message),) = refusals(stubs.info(), **change).items()
    assert field.partition(".")[0] == next(iter(change))
    assert message == says


def test_tiles_of_several_sizes_have_none():
    assert accepted(stubs.info(), tile_size=None).tile_size is None


@pytest.mark.parametrize("name", BUILTIN)
def test_every_built_in_dataset_is_consistent(name):
    _, info = BUILTIN[name]
    assert info.id == name
    assert info.default_split in info.splits
    assert set(info.bands) <= set(BANDS)
    assert len(set(info.classes)) == len(info.classes)
    assert info.level is None or info.unit == "dn"
    assert accepted(info) == info


def test_cues_are_empty_until_stated():
    entry = ClassEntry(key="River", names={"senclip": "River"})
    assert (entry.ground, entry.aerial, entry.ground_short, entry.aerial_short) == ((), (), (), ())
    assert refusals(entry, key=..., cue=("a bend",)) == {
        "key": "Field required",
        "cue": "Extra inputs are not permitted",
    }


def test_a_vocabulary_read_again_is_the_same():
    vocabulary = load_vocabulary("eurosat")
    assert Vocabulary.model_validate_json(vocabulary.model_dump_json()) == vocabulary
    assert refusals(vocabulary, classes=[{"key": "River"}]) == {"classes.0.names": "Field required"}
