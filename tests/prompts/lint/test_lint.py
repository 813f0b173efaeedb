"""The linter: every finding, where it stands, what is an error; and what must not be found."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lint_files import GOOD, changed

from senbench.datasets.open import dataset_info
from senbench.errors import UsageError
from senbench.prompts import load_prompts, prompts_from_dict, vocabulary_for
from senbench.prompts.lint.findings import CODES, LintFinding
from senbench.prompts.lint.lint import checked, lint, summary
from senbench.prompts.lint.rules import apply
from senbench.prompts.load import list_styles


def test_a_good_file_has_no_findings(found):
    assert found(GOOD)[0] == []


@pytest.mark.parametrize("dataset", ["eurosat", "bigearthnet-v2", "bigearthnet-v1-43"])
def test_shipped_styles_are_clean(dataset):
    info = dataset_info(dataset)
    vocabulary, names = vocabulary_for(info, None)
    for style in list_styles():
        try:
            prompts = load_prompts(style.style, info, vocabulary, names)
        except UsageError as error:
            assert "needs translations into" in str(error) and dataset == "bigearthnet-v1-43"
            continue
        assert checked(prompts, vocabulary).warnings == (), style.style


def test_before_an_evaluation_errors_stop_and_warnings_are_kept(info, vocabulary):
    ragged = prompts_from_dict(changed(River=["an old bend", "a mill, a mill", "a lake", "a forest"]), info, vocabulary)
    assert checked(ragged, vocabulary).warnings == (
        "prompts custom: P204 unequal counts: 1",
        "prompts custom: P205 name of another class: 2 of 22 prompts",
    )
    wrong = prompts_from_dict(changed(River=["a {name}"], Forest=["a {x}"]), info, vocabulary)
    with pytest.raises(UsageError) as caught:
        checked(wrong, vocabulary)
    assert re.match(
        r"prompts custom: P102 Forest, prompt 1: '\{x\}' .*\(errors: 2; `senbench prompts lint` shows all\)",
        str(caught.value),
    )


TEXT = st.text(max_size=30)
NAMES = st.sampled_from([*GOOD, "Sea or Lake", "forest", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
FILES = st.one_of(
    TEXT,
    VALUES.map(json.dumps),
    st.dictionaries(NAMES, st.lists(TEXT | st.sampled_from(["a {}", "aerial", "a river"]), max_size=3)).map(json.dumps),
    st.fixed_dictionaries({key: st.lists(TEXT, min_size=1, max_size=2) for key in GOOD}).map(json.dumps),
    st.lists(TEXT | st.sampled_from(["a {}", "{x}"]), max_size=3).map(json.dumps),
)


@settings(max_examples=120, deadline=None)
@given(content=FILES, style=st.sampled_from([None, "ground", "aerial"]))
def test_any_file_is_linted_as_the_strict_reader_judges_it(content, style, tmp_path_factory, info, vocabulary):
    path = tmp_path_factory.mktemp("l") / "mine.json"
    path.write_text(content, encoding="utf-8", errors="surrogatepass")
    report = lint(str(path), info, vocabulary, style=style)
    assert report == lint(str(path), info, vocabulary, style=style)
    assert all(str(f).isprintable() and f.code in CODES for f in report.findings)
    lines = len(content.splitlines()) + content.count("\n") + 1
    assert all(f.line is None or 1 <= f.line <= lines for f in report.findings)
    try:
        prompts = load_prompts(str(path), info, vocabulary)
    except UsageError:
        assert report.count("error") > 0
    else:
        assert {f.code for f in report.findings if f.severity == "error"} <= {"P102", "P103"}
        assert report.n == prompts.n
        # what a run says is what the linter says, but for the order of the file and the places in it
        rules = apply(prompts.texts, vocabulary, prompts.class_names, style or "custom", "sentences")
        assert sorted(f.code for f in report.findings if f.code != "P210") == sorted(f.code for f in rules)


def test_summary_counts():
    findings = [LintFinding("P206", "x", "River", 1), LintFinding("P206", "y", "River", 2), LintFinding("P204", "z")]
    assert summary(findings, 510) == ["P204 unequal counts: 1", "P206 word of the other style: 2 of 510 prompts"]
