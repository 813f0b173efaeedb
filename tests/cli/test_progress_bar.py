"""Progress: a line per stage without a terminal, a bar with rate on one."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from senbench.cli import progress_bar
from senbench.cli.progress_bar import PLAIN_SECONDS, Bars


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress_bar.time, "monotonic", lambda: now[0])
    return now


def bars(terminal: bool) -> tuple[Bars, io.StringIO]:
    made, written = Bars(), io.StringIO()
    made.console = Console(file=written, force_terminal=terminal, width=100, highlight=False, color_system=None)
    return made, written


def test_without_a_terminal_a_line_at_the_end_and_one_every_half_minute(clock):
    made, written = bars(terminal=False)
    with made.stage("tiles", 100) as advance:
        for _ in range(4):
            clock[0] += PLAIN_SECONDS / 2 + 1
            advance(20)
        advance(20)
    assert written.getvalue().splitlines() == [
        "tiles: 40 of 100, 1/s, 48 s left",
        "tiles: 80 of 100, 1/s, 16 s left",
        "tiles: 100 in 64.0 s",
    ]


@pytest.mark.parametrize("terminal", [False, True])
def test_an_empty_stage_says_nothing(terminal):
    made, written = bars(terminal)
    with made.stage("tiles", 0) as advance:
        advance(3)
    assert written.getvalue() == ""


def test_a_stage_that_did_nothing_has_no_last_line(clock):
    made, written = bars(terminal=False)
    with made.stage("tiles", 5):
        pass
    assert written.getvalue() == ""


def test_a_terminal_gets_a_bar_with_its_title_as_it_is():
    made, written = bars(terminal=True)
    with made.stage("[bold]tiles", 8) as advance:
        advance(3)
        advance(5)
    assert "[bold]tiles" in written.getvalue()
    assert "8/8" in written.getvalue()
    assert "/s" in written.getvalue()


def test_a_line_is_printed_as_it_is():
    made, written = bars(terminal=False)
    made.say("loading [red]mini")
    assert written.getvalue() == "loading [red]mini\n"
