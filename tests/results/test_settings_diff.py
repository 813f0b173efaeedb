"""Settings of two results that differ: all of them, and no others."""

from __future__ import annotations

import answers
import pytest
from changed_results import changed

from senbench.results import store
from senbench.results.settings_diff import differences
from senbench.schema.blocks import Environment


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return answers.pair(tmp_path_factory.mktemp("pair"))


def test_long_values_that_differ_at_their_end_are_told_apart(pair) -> None:
    run = store.load(pair[0])
    other = changed(run, environment={"device_name": "x" * 80 + "a"})
    third = changed(run, environment={"device_name": "x" * 80 + "b"})
    (found,) = differences(other, third)
    assert found.path == "environment.device_name"
    assert found.before != found.after


def test_threads_are_no_difference_from_a_run_that_computed_nothing(pair) -> None:
    cached = store.load(pair[0])
    two, four = (changed(cached, environment={"threads": n, "tf32": False}) for n in (2, 4))
    names = cached.environment.model_fields_set - {"threads"}
    cached = changed(cached, environment=Environment.of(cached.environment.model_dump(include=names)))
    assert differences(two, cached) == differences(cached, two) == []
    assert [path for path, *_ in differences(two, four)] == ["environment.threads"]
    told = changed(two, dataset={"dn_offset": 1000})
    assert [path for path, *_ in differences(two, told)] == ["dataset.dn_offset"]
