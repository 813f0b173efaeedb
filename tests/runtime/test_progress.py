"""What draws progress and what draws none can stand for each other."""

from __future__ import annotations

import inspect

import pytest

from senbench.cli.progress_bar import Bars
from senbench.runtime.progress import Progress, Silent

METHODS = [name for name in vars(Progress) if not name.startswith("_")]


def test_a_silent_stage_counts_and_prints_nothing(capsys):
    draw: Progress = Silent()
    with draw.stage("embedding", 3) as advance:
        for _ in range(5):
            advance(1)  # more than was announced is no error
    draw.say("one line")
    assert capsys.readouterr() == ("", "")


def test_an_error_inside_a_stage_comes_out():
    with pytest.raises(KeyboardInterrupt), Silent().stage("embedding", 3):
        raise KeyboardInterrupt


@pytest.mark.parametrize("drawing", [Silent, Bars])
@pytest.mark.parametrize("method", METHODS)
def test_every_drawing_takes_what_the_protocol_says(drawing, method):
    expected = list(inspect.signature(getattr(Progress, method)).parameters)
    assert list(inspect.signature(getattr(drawing, method)).parameters) == expected
