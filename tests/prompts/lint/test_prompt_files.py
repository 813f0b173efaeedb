"""A file is read as far as it goes: each thing that a run would refuse is a finding with its line."""

from __future__ import annotations

import pytest
from lint_files import GOOD, changed

from senbench.errors import UsageError
from senbench.prompts import vocabulary_for_keys
from senbench.prompts.lint.lint import lint


def test_every_undefined_name_is_found_with_its_line(found):
    places, said = found("{{ cls.nam }} a\n{{ klass }} b\n{{ cls.name }} {{ seson }}", "j2")
    assert places == [("P101", None, None, line) for line in (1, 2, 3)]
    assert "no attribute 'nam'" in said and "'klass' is undefined" in said and "'seson' is undefined" in said


def test_missing_and_unknown_classes_and_classes_given_twice(found):
    classes = {k: v for k, v in GOOD.items() if k != "River"} | {"Rivers": ["x"], "Sea or Lake": ["y"]}
    places, said = found(classes)
    assert [p[:2] for p in places] == [("P104", "River"), ("P105", None), ("P106", "SeaLake")]
    assert "did you mean 'River'?" in said
    places, said = found('{"River": ["a"], "River": ["b"]}')
    assert ("P106", "River", None, 1) in places


def test_another_datasets_file_is_one_finding(found):
    places, said = found({"Arable land": ["x"], "Pastures": ["y"]})
    assert [p[0] for p in places] == ["P100"] and "--dataset" in said


def test_what_is_no_prompt(found):
    places, said = found(changed(River=["  ", 3, None, {"a": ["b"]}, "\ud800", "x" * 1001, "a bend"], Forest=[]))
    assert [p[:3] for p in places] == [
        ("P107", "Forest", None),
        *[("P109", "River", 1), ("P108", "River", 2), ("P108", "River", 3), ("P108", "River", 4)],
        *[("P108", "River", 5), ("P110", "River", 6)],
    ]
    assert [p[3] for p in places if p[0] == "P109"] == [32]
    assert "empty" in said and "1,001 characters" in said
    assert ("P108", "River", None, 1) in found('{"River": "a bend"}')[0]


def test_lines_are_right_after_what_is_skipped(found):
    places, _ = found(
        '{"x": {"y": ["z", "w"]}, "River": [\n"a bend",\n"a {",\n"\\"q\\"", 3, ["s"],\n""],\n"Forest": ["tall {}"]}'
    )
    assert [(p[0], p[3]) for p in places if p[1] in ("River", "Forest") and p[3]] == [
        *[("P102", 3), ("P108", 4), ("P108", 4), ("P109", 5), ("P102", 6)]
    ]


@pytest.mark.parametrize("content", ["{", "[1", "nul", '{"a": }', "", "[" * 9999, "3", '"text"', "1" * 5000])
def test_unreadable_json_is_one_finding(content, found):
    assert [p[0] for p in found(content)[0]] == ["P100"]


@pytest.mark.parametrize(
    "content",
    ["{% if %}", "{{ 1 / 0 }}", "{% include '../x.j2' %}", "{{ 'a' * 3000000000 }}", "", "{{ x | nofilter }}"],
)
def test_a_template_that_cannot_be_rendered(content, found):
    places, _ = found(content, "j2")
    assert [p[0] for p in places] == ["P100"]


def test_missing_cues_are_told_once(describe):
    info = describe(("wheat", "wood"), "folder:land", "")
    report = lint("ground", info, vocabulary_for_keys(info.classes))
    assert [f.code for f in report.findings] == ["P100"] and "and so for 1 more" in str(report.findings[0])


def test_an_absent_file_or_style_is_a_usage_error(tmp_path, info, vocabulary):
    for source in (str(tmp_path / "absent.json"), str(tmp_path), "nostyle"):
        with pytest.raises(UsageError):
            lint(source, info, vocabulary)


def test_key_order_is_a_warning_that_says_who_is_safe(found):
    places, said = found(dict(reversed(GOOD.items())))
    assert places == [("P210", None, None, None)]
    assert "class 1 of the file is SeaLake, class 1 of the labels AnnualCrop: senbench aligns by name" in said
