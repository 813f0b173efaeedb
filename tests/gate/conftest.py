"""A blessed folder, and a copy of it that may be broken."""

from __future__ import annotations

import shutil

import pytest
from gates import result

from senbench.gate.bless import bless


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A blessed folder: baseline and results."""
    folder = tmp_path_factory.mktemp("good")
    result(folder / "results")
    bless(folder / "results", folder / "base.json", "the first")
    return folder


@pytest.fixture
def place(good, tmp_path):
    """A copy that may be broken."""
    shutil.copytree(good, tmp_path / "x")
    return tmp_path / "x"
