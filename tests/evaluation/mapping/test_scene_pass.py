"""Parts of a pass are kept whole or not at all, and used for the same settings only."""

from __future__ import annotations

import numpy as np
import pytest

from senbench.errors import UnavailableError
from senbench.evaluation.mapping.scene_pass import BlockScores, PartFiles
from senbench.evaluation.mapping.window_grid import WindowBlock

BLOCK = WindowBlock(0, 2, 0, 3)


def part(value=0.5):
    return BlockScores(np.zeros((2, 3), np.uint8), np.full((2, 3, 4), value, np.float32))


def test_a_part_reads_back_and_damage_or_another_shape_is_none(tmp_path):
    files = PartFiles(tmp_path, 4)
    assert files.read(0, BLOCK) is None
    files.write(0, part())
    found = files.read(0, BLOCK)
    np.testing.assert_array_equal(found.scores, part().scores)
    assert found.complete
    assert files.read(0, WindowBlock(0, 3, 0, 3)) is None
    assert PartFiles(tmp_path, 5).read(0, BLOCK) is None
    files.path(0).write_bytes(files.path(0).read_bytes()[:200])
    assert files.read(0, BLOCK) is None


def test_a_part_is_complete_when_every_window_to_be_classified_is():
    known = part()
    known.scores[1, 2] = np.nan
    assert not known.complete
    known.state[1, 2] = 1
    assert known.complete


def test_pickles_are_not_read(tmp_path):
    files = PartFiles(tmp_path, 4)
    with files.path(0).open("wb") as stream:
        np.savez(stream, state=np.array([{}], object), scores=part().scores)
    assert files.read(0, BLOCK) is None


def test_other_settings_remove_what_is_there(tmp_path):
    files, said = PartFiles(tmp_path / "parts", 4), []
    files.begin({"a": 1}, said.append)
    files.write(0, part())
    files.begin({"a": 1}, said.append)
    assert files.read(0, BLOCK) is not None
    assert said == []
    files.begin({"a": 2}, said.append)
    assert files.read(0, BLOCK) is None
    assert "begun anew" in said[0]


def test_a_folder_that_cannot_be_made_is_said(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="cannot be written"):
        PartFiles(tmp_path / "file" / "parts", 4).begin({}, print)
