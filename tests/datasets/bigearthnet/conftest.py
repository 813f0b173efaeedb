"""Generated patches of both versions."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from bigearthnet_files import v1, v2


@pytest.fixture(scope="session")
def one(tmp_path_factory):
    root = tmp_path_factory.mktemp("v1")
    return root, v1(root, 14, split=(0.2, 0.2))


@pytest.fixture(scope="session")
def two(tmp_path_factory):
    root = tmp_path_factory.mktemp("v2")
    return root, v2(root, 14, split=(0.2, 0.2))


@pytest.fixture
def copy(two, tmp_path):
    """v2 patches that may be damaged."""
    return Path(shutil.copytree(two[0], tmp_path / "copy"))
