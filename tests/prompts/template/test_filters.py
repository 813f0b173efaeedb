"""Filters: grammar, and choices that are the same on every machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.prompts.template.filters import deranged, plural, sample
from senbench.prompts.template.render import ClassScope, Cues, DatasetScope, Template

texts = st.lists(st.text(max_size=8), max_size=12)
none = Cues.of("ground", ())
CLASS = ClassScope("a", "forest", {}, none, none, none, none)
DATASET = DatasetScope("x", "x", ("a", "b", "c"), ("forest", "river", "lake"))


def render(tmp_path, body: str) -> tuple[str, ...]:
    (tmp_path / "x.j2").write_text(body, encoding="utf-8")
    return Template(tmp_path / "x.j2").render(CLASS, DATASET)


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("forest", "forests"),
        ("dense hedge", "dense hedges"),
        ("cherry", "cherries"),
        ("bay", "bays"),
        ("marsh", "marshes"),
        ("box", "boxes"),
        ("Highway", "Highways"),
        ("arable land", "arable land"),
        ("young leaf", "young leaves"),
        ("sheep", "sheep"),
        ("", ""),
    ],
)
def test_plural(one, many):
    assert plural(one) == many


@given(texts, st.integers(0, 12), st.integers() | st.text(max_size=3))
def test_a_sample_is_part_of_a_larger_one(items, k, seed):
    if k > len(items):
        with pytest.raises(ValueError, match=f"sample\\({k}\\) of {len(items)} items"):
            sample(items, k, seed)
        return
    found = sample(items, k, seed)
    assert len(found) == k
    assert found == sample(items, len(items), seed)[:k]
    assert sorted(sample(items, len(items), seed)) == sorted(items)
    assert sorted(sample(reversed(items), k, seed)) == sorted(found)  # whatever order they come in


def test_samples_are_these_on_every_machine():
    letters = list("abcdefgh")
    assert sample(letters, 3, 0) == ["h", "f", "g"]
    assert sample(letters, 3, 1) == ["d", "g", "a"]
    assert deranged(letters, "senbench") == ["b", "e", "g", "h", "c", "d", "f", "a"]


@given(st.integers(2, 40), st.integers())
def test_a_derangement_leaves_nothing_in_its_place(n, seed):
    found = deranged(range(n), seed)
    assert sorted(found) == list(range(n))
    assert all(found[i] != i for i in range(n))
    assert deranged([f"name {i}" for i in range(n)], seed) == [f"name {i}" for i in found]  # whatever the names


def test_filters_in_a_template(tmp_path):
    body = "{{ cls.name | plural }}\n{{ 'oak' | an }}\n{{ dataset.names | sample(2, 1) | join(' and ') }}\n"
    body += "{{ (dataset.names | deranged(1))[dataset.classes.index(cls.key)] }}\n"
    lines = render(tmp_path, body)
    assert lines[:2] == ("forests", "an oak")
    assert lines[2] == " and ".join(sample(DATASET.names, 2, 1))
    assert lines[3] in {"river", "lake"}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("{{ dataset.names | sample(4) }}", r"line 1: sample\(4\) of 3 items; ask for at most 3"),
        ("a\n{{ ['x'] | deranged }}", r"line 2: deranged\(\) needs at least two items"),
        ("{{ dataset.names | random }}", "No filter named 'random'"),
        ("{{ lipsum() }}", "'lipsum' is undefined"),
    ],
)
def test_what_fails_is_one_line_with_its_place(tmp_path, body, says):
    with pytest.raises(UsageError, match=says) as error:
        render(tmp_path, body)
    assert "\n" not in str(error.value)
