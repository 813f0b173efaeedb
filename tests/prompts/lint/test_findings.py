"""One finding: its severity, and what it says of its place."""

from __future__ import annotations

import pytest

from senbench.prompts.lint.findings import CODES, LintFinding


def test_codes_of_the_first_hundred_are_errors():
    found = {code: LintFinding(code, "x").severity for code in CODES}
    assert {code[:2] for code, severity in found.items() if severity == "error"} == {"P1"}
    assert {code[:2] for code, severity in found.items() if severity == "warning"} == {"P2"}


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ({}, "is odd"),
        ({"cls": "River"}, "River: is odd"),
        ({"cls": "River", "prompt": 2}, "River, prompt 2: is odd"),
        ({"prompt": 2, "line": 7}, "prompt 2: is odd"),
    ],
)
def test_the_place_comes_first(place, said):
    assert str(LintFinding("P204", "is odd", **place)) == said
