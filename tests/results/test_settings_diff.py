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


def test_what_was_run_beside_it_and_where_it_was_written_is_no_setting(pair):
    run = store.load(pair[0])
    assert differences(run, changed(run, spec={"models": ("x", "y"), "results": "elsewhere"})) == []


def test_a_setting_told_twice_is_listed_once_and_long_lists_are_counted(pair):
    run = store.load(pair[0])
    other = changed(run, ensemble="max", resolved={"ensemble": "max"}, spec={"ensemble": None})
    assert [tuple(d) for d in differences(run, other)] == [("ensemble", "norm-mean-norm", "max")]
    long = changed(run, dataset={"classes": ("a", "b", "c", "d")})
    (found,) = differences(run, long)
    assert found.before == '["Field", "Lake", "Town"]'
    assert found.after.startswith("4 values #")


def test_a_field_that_one_of_them_lacks_is_absent(pair):
    run = store.load(pair[0])
    (found,) = differences(run, changed(run, dataset={"dn_offset": 0}))
    assert tuple(found) == ("dataset.dn_offset", "(absent)", "0")
