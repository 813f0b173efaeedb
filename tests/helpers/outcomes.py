"""What a shell must see of a mistake."""

from __future__ import annotations

from typing import Protocol


class Outcome(Protocol):
    code: int
    out: str
    err: str


def refused(outcome: Outcome, code: int, *parts: str) -> None:
    """The exit code, and one line on stderr that holds the parts; no traceback, nothing on stdout."""
    assert outcome.code == code, outcome
    line = [entry for entry in outcome.err.splitlines() if entry.startswith("senbench: ")]
    assert len(line) == 1, outcome.err
    for part in parts:
        assert part in line[0]
    assert "Traceback" not in outcome.err
    assert outcome.out == ""
