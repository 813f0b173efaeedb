"""Records: a misspelt field is an error, and what is wrong is said in one line."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from senbench.schema.record import Record, first_error


class Inner(Record):
    numbers: tuple[int, ...]


class Outer(Record):
    inner: Inner


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"inner": {"numbers": [1, "x"]}}, "field spec.inner.numbers.1: Input should be a valid integer"),
        ({"inner": {}}, "field spec.inner.numbers: Field required"),
        ({"inner": {"numbers": []}, "extra": 1}, "field spec.extra: Extra inputs are not permitted"),
    ],
)
def test_the_first_fault_is_named(data, said):
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate(data)
    line = first_error(caught.value, "spec.")
    assert line.startswith(said)
    assert "\n" not in line


def test_records_do_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Inner(numbers=(1,)).numbers = ()
