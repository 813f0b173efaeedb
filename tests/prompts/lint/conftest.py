"""Lints what a test writes."""

from __future__ import annotations

import json

import pytest

from senbench.prompts.lint.findings import CODES
from senbench.prompts.lint.lint import lint


@pytest.fixture
def found(tmp_path, info, vocabulary):
    """Findings of a file: (code, class, prompt, line), and their messages."""

    def of(content, suffix="json", **options) -> tuple[list[tuple], str]:
        path = tmp_path / f"mine.{suffix}"
        text = content if isinstance(content, str) else json.dumps(content, indent=1)
        path.write_text(text, encoding="utf-8")
        report = lint(str(path), info, vocabulary, **options)
        assert all(len(str(f).splitlines()) == 1 and str(f).isprintable() for f in report.findings)
        assert all(f.code in CODES for f in report.findings)
        places = [(f.code, f.cls, f.prompt, f.line) for f in report.findings]
        return places, " | ".join(map(str, report.findings))

    return of
