"""What all pages share: data that cannot end a script, hashes of what stands in a page, values that are escaped."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from senbench.errors import UsageError
from senbench.report import html
from senbench.report.html import script_json


@given(st.text())
def test_any_text_survives_a_script_element(text):
    shown = script_json({text: text})
    assert not re.search("[<>&\u2028\u2029]", shown)
    assert json.loads(shown) == {text: text}


def test_a_number_that_json_has_not_is_refused():
    with pytest.raises(UsageError, match="JSON cannot express"):
        script_json([float("nan")])


def test_values_are_escaped_and_style_and_script_are_hashed(tmp_path, monkeypatch):
    (tmp_path / "x.css").write_text("a > b {}")
    (tmp_path / "x.j2").write_text(
        "{{ style_hash }} {{ script_hash }} <style>{{ style | safe }}</style>{{ script | safe }} {{ name }} "
        "{{ 0.5 | percent }} {{ none | percent }} {{ 0.5 | points }}"
    )
    monkeypatch.setattr(html, "TEMPLATES", tmp_path)
    html._environment.cache_clear()
    try:
        made = html.render("x.j2", style="x.css", script="1 < 2", name="<b>")
    finally:
        html._environment.cache_clear()
    hashes = [base64.b64encode(hashlib.sha256(text).digest()).decode() for text in (b"a > b {}", b"1 < 2")]
    assert made == " ".join([*hashes, "<style>a > b {}</style>1 < 2 &lt;b&gt; 50.0 \N{EN DASH} +50.00"])


def test_a_template_that_names_what_is_not_there_is_an_error():
    from jinja2 import UndefinedError

    with pytest.raises(UndefinedError, match="'nothing' is undefined"):
        html._environment().from_string("{{ nothing }}").render()


def test_a_picture_is_its_own_address():
    assert base64.b64decode(html.picture(b"webp").removeprefix("data:image/webp;base64,")) == b"webp"
