"""The contract of a model as a reader sees it."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner

from senbench.cli.main import application


@pytest.mark.parametrize("name", ["mini", "clip-rn50", "georsclip-vit-h-14"])
def test_values_stand_in_one_column_apart_from_the_names(name):
    lines = CliRunner().invoke(application(), ["models", "show", name]).stdout.splitlines()
    starts = {re.match(r"\S+ {2,}", line).end() for line in lines}
    assert len(lines) > 30
    assert len(starts) == 1
