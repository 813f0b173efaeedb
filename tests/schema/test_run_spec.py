"""The settings of a run: what must be said, what is usual, what is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from records import accepted, refusals, required

from senbench.schema.run_spec import RunSpec

SPEC = RunSpec(models=("mini",), prompts=("clip",))


def test_only_models_and_prompts_must_be_said():
    assert required(SPEC) == {"models", "prompts"}
    assert (SPEC.datasets, SPEC.protocol, SPEC.dtype, SPEC.seed) == (("eurosat",), "standard", "float32", 0)
    assert (SPEC.on_error, SPEC.cache, SPEC.offline, SPEC.exact) == ("stop", True, False, False)


def test_what_a_protocol_decides_is_open():
    decided = ("split", "class_names", "ensemble", "postprocess", "radiometry")
    assert {getattr(SPEC, name) for name in decided} == {None}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"limt": 3}, "Extra inputs are not permitted"),
        ({"models": "mini"}, "Input should be a valid tuple"),
        ({"ensemble": "mean"}, "Input should be 'norm-mean-norm', 'mean-norm', 'logit-mean', 'prob-mean', 'max' or"),
        ({"postprocess": "softmax"}, "Input should be 'none', 'column-mean' or 'transclip'"),
        ({"dtype": "float16"}, "Input should be 'float32', 'tf32', 'bf16' or 'fp16'"),
        ({"dn_offset": "500"}, "Input should be 'auto', '0' or '1000'"),
        ({"labels": "v2"}, "Input should be 'own' or 'v1'"),
        ({"on_error": "ignore"}, "Input should be 'stop' or 'skip'"),
        ({"noise": 0}, "Input should be greater than or equal to 1"),
    ],
)
def test_values_that_do_not_fit_are_refused(change, says):
    ((field, message),) = refusals(SPEC, **change).items()
    assert field == next(iter(change))
    assert message.startswith(says)


def test_it_cannot_be_changed_but_copied():
    with pytest.raises(ValidationError, match="Instance is frozen"):
        SPEC.limit = 10
    assert accepted(SPEC, limit=10).limit == 10
    assert SPEC.limit is None


def test_read_again_it_is_the_same():
    spec = accepted(SPEC, datasets=("demo", "eurosat"), noise=1, results=None)
    assert RunSpec.model_validate_json(spec.model_dump_json()) == spec
