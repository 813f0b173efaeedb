"""What is printed never acts on a terminal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.runtime.printing import printable, printable_json, say


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("wälder", "wälder"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("over\rwritten", "over\\rwritten"),
        ("\x9b31mred", "\\x9b31mred"),
        ("abc\u202ecba", "abc\\u202ecba"),
        ("name\udcff", "name\\udcff"),
    ],
)
def test_what_acts_is_written_out(text, shown, capsys):
    assert printable(text) == shown
    say(text, nl=False)
    say(text, err=True)
    assert capsys.readouterr() == (shown, shown + "\n")


@given(st.text())
def test_nothing_acting_is_left_and_json_means_what_it_meant(text):
    assert not set(printable(text)) & set("\x1b\r\x07\x9b\u202e")
    printable(text).encode()
    assert json.loads(printable_json(json.dumps(text, ensure_ascii=False))) == text
