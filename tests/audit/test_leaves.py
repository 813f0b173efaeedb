"""Nested values compared leaf by leaf."""

from __future__ import annotations

from senbench.audit.leaves import UNKNOWN, Tolerance, differences, leaves, matches


def found(stated, expected, **tolerance):
    return [one.line for one in differences(stated, expected, Tolerance(**tolerance))]


def test_numbers_agree_within_rounding_and_ends_within_a_share_of_the_width():
    assert found({"a": 0.5 + 9e-7}, {"a": 0.5}) == []
    assert found({"a": 0.5 + 2e-6}, {"a": 0.5}) == ["a is 0.500002, expected 0.5"]
    assert found({"ci": [0.4, 0.6005]}, {"ci": [0.4, 0.6]}, ends=0.01) == []
    assert len(found({"ci": [0.4, 0.61]}, {"ci": [0.4, 0.6]}, ends=0.01)) == 1
    assert len(found({"ci": None}, {"ci": [0.4, 0.6]})) == 1
    assert len(found({"n": 1.0}, {"n": 2})) == len(found({"n": True}, {"n": 1})) == 1


def test_keys_lengths_and_what_is_unknown():
    assert found({"a": 1, "b": 2}, {"a": 1}) == ["b is 2, and nothing is expected there"]
    assert found({}, {"a": 1, "b": UNKNOWN}) == ["a is missing, expected 1"]
    assert found({"a": [1]}, {"a": [1, 2, 3]}) == ["a has 1 entries, expected 3: [1, 2, 3]"]
    assert found({"a": {"anything": 1}}, {"a": UNKNOWN}) == []


def test_descriptions_of_intervals():
    one, other = "jackknife (14 clusters, design effect 0.63)", "jackknife (14 clusters, design effect 0.70)"
    assert found({"interval": one}, {"interval": other}, ends=0.2) == []
    assert len(found({"interval": one}, {"interval": other}, ends=0.001)) == 1
    assert len(found({"interval": f"{one} x"}, {"interval": one}, ends=0.2)) == 1


def test_paths_and_patterns():
    assert dict(leaves({"a": [{"b": 1}, {}], "c": None})) == {("a", "0", "b"): 1, ("a", "1"): {}, ("c",): None}
    assert matches(("a", "0", "b"), "a.*.b")
    assert matches(("a", "0", "b"), "a.**")
    assert not matches(("a", "0", "b"), "a.*")
