"""Text as people save it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.io.plain_text import decode, name_fault


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff")),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_utf_8_and_utf_16_with_or_without_a_mark(text, encoding):
    assert decode(text.encode(encoding), "x") == text


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"a\nb\xe9\n", r"list\.txt: not a text file in UTF-8 \(line 2\): save it as UTF-8"), (b"a\0b", "zero bytes")],
)
def test_what_is_no_text_is_named(data, says):
    with pytest.raises(UsageError, match=says):
        decode(data, "list.txt")


def test_names_that_no_result_can_hold():
    assert name_fault("Wälder") is None
    assert name_fault(b"W\xe4lder".decode(errors="surrogateescape")) == r"b'W\xe4lder' is not UTF-8: rename it"
