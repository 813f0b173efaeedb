"""What all pages share: data that cannot end a script, hashes of what stands in a page, values that are escaped."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.report.html import script_json


@given(st.text())
def test_any_text_survives_a_script_element(text):
    shown = script_json({text: text})
    assert not re.search("[<>&\u2028\u2029]", shown)
    assert json.loads(shown) == {text: text}


def test_a_number_that_json_has_not_is_refused():
    with pytest.raises(UsageError, match="JSON has not"):
        script_json([float("nan")])
