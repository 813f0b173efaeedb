"""Calls the command line in this process and returns what a shell would see."""

from __future__ import annotations

import sys
from typing import NamedTuple

import pytest

from senbench.cli.main import main


class Outcome(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def senbench(monkeypatch, capsys):
    def call(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["senbench", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return call
