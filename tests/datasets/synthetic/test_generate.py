"""Datasets that are made once."""

from __future__ import annotations

import os

import pytest

from senbench.datasets.synthetic.generate import once
from senbench.errors import UnavailableError


def test_it_is_made_once_whole_and_readable_as_the_umask_says(isolated_home):
    before = os.umask(0o022)
    try:
        folder = once("made", ["synthetic/scenes"], lambda root: (root / "a").touch())
    finally:
        os.umask(before)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert once("made", ["synthetic/scenes"], lambda root: pytest.fail("made again")) == folder
    assert once("made", ["synthetic/textures"], lambda root: None) != folder


def test_what_fails_half_way_leaves_nothing(isolated_home):
    def fail(root):
        (root / "a").touch()
        raise OSError(28, "No space left on device")

    with pytest.raises(UnavailableError, match="No space left on device"):
        once("made", ["synthetic/scenes"], fail)
    assert list((isolated_home / "data").iterdir()) == []
