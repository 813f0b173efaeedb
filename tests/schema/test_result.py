"""Records of a result: what is left out of the JSON, the bounds of the noise floor, and results read again."""

from __future__ import annotations

import json

import pytest
import runs
from records import refusals

from senbench.schema.result import Metric, Noise, NoiseVariant, RunResult

METRIC = Metric(value=0.5, ci=(0.4, 0.6), n=10, interval="iid-bootstrap")
VARIANT = NoiseVariant(
    name="batch 7", same_dtype=True, score=1e-6, cosine=1e-7, flips=0.0, headline=0.0, figure=0.001
)  # fmt: skip


def test_fields_that_do_not_apply_are_left_out_and_read_again():
    assert METRIC.model_dump() == {"value": 0.5, "ci": (0.4, 0.6), "n": 10, "interval": "iid-bootstrap"}
    level = METRIC.model_copy(update={"access_level": 0, "average": "macro"})
    assert level.model_dump() == {**METRIC.model_dump(), "average": "macro", "access_level": 0}
    for metric in (METRIC, level, Metric(value=None, ci=None, n=0, interval="none: no image")):
        assert Metric.model_validate_json(metric.model_dump_json()) == metric


def test_a_value_that_is_undefined_is_written_as_such():
    assert json.loads(Metric(value=None, ci=None, n=0, interval="none: x").model_dump_json())["value"] is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"flips": 1.5}, "Input should be less than or equal to 1"),
        ({"flips": -0.1}, "Input should be greater than or equal to 0"),
        ({"score": -1}, "Input should be greater than or equal to 0"),
        ({"cosine": -1}, "Input should be greater than or equal to 0"),
        ({"figure": -1}, "Input should be greater than or equal to 0"),
    ],
)
def test_changes_are_not_negative(change, says):
    assert refusals(VARIANT, **change) == {next(iter(change)): says}


def test_the_floor_is_the_largest_change_in_the_runs_own_precision():
    def noise(*variants):
        return Noise(n=5, whole=False, reference="float32, batch 32", variants=variants)

    other = VARIANT.model_copy(update={"name": "bf16", "same_dtype": False, "figure": 0.3, "flips": 0.4})
    flipped = VARIANT.model_copy(update={"flips": 0.02})
    assert noise().floor == noise(other).floor == 0
    assert noise(VARIANT, other).floor == 0.001
    assert noise(VARIANT, flipped, other).floor == 0.02
    assert refusals(noise(VARIANT), n=0) == {"n": "Input should be greater than or equal to 1"}


@pytest.mark.parametrize("tiles", [None, runs.multi], ids=["single-label", "multi-label"])
def test_a_result_read_and_written_again_is_the_same_text(tmp_path, tiles):
    result = runs.run(tmp_path, tiles=tiles and tiles())
    text = result.model_dump_json()
    again = RunResult.model_validate_json(text)
    assert again == result
    assert again.model_dump_json() == text


def test_unknown_fields_and_missing_ones_are_refused(tmp_path):
    result = runs.run(tmp_path)
    assert refusals(result, metrics=..., top1=0.5, contamination="a bit", ties="many")["metrics"] == "Field required"
    said = refusals(result, top1=0.5, ties="many")
    assert said["top1"] == "Extra inputs are not permitted"
    assert said["ties"].startswith("Input should be a valid integer")


def test_the_package_shows_what_there_is():
    import senbench

    assert dir(senbench) == sorted(senbench.__all__) and all(hasattr(senbench, name) for name in dir(senbench))
