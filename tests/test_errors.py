"""Texts of foreign exceptions as part of one line."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from senbench.errors import brief


def test_whole_sentences_then_whole_words() -> None:
    told = ValueError(
        "Weights only load failed. In PyTorch 2.6, we changed the default value\n of the argument " + "x" * 99
    )
    assert brief(told) == "Weights only load failed"
    assert brief(OSError("unexpected  end\nof data.")) == "unexpected end of data."
    assert brief(RuntimeError("one two three four"), 9) == "one two ..."
    assert brief(RuntimeError("x" * 99), 9) == "x" * 9 + " ..."
    assert brief(KeyError()) == "KeyError"
    assert brief(KeyError(101)) == "KeyError 101"
    assert brief(ValueError("\x1b[1mbold\x1b[0m words")) == "bold words"


@given(st.text(st.characters(exclude_characters="\x1b")), st.integers(12, 40))
def test_one_line_within_the_room_and_nothing_invented(text: str, most: int) -> None:
    got = brief(ValueError(text), most)
    assert len(got.splitlines()) == 1
    assert len(got) <= most + len(" ...")
    words = " ".join(text.split())
    told = words if any(map(str.isalpha, words)) else f"ValueError {words}".strip()
    assert told.startswith(got.removesuffix(" ..."))
