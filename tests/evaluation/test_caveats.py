"""Sentences that follow from the fields of a result stand among its warnings."""

from __future__ import annotations

import runs

from senbench.evaluation import caveats
from senbench.schema.blocks import DatasetBlock


def test_notes_and_what_was_heard_are_told_in_order(tmp_path):
    result = runs.run(tmp_path)
    how = result.resolved.model_copy(update={"note": "the protocol's note"})
    assert caveats.told(how, result.dataset, None, ["heard"]) == ("the protocol's note", "heard")


def test_class_folders_that_are_numbers_are_told(tmp_path):
    data = runs.run(tmp_path).dataset.model_dump()
    numbered = DatasetBlock.of({**data, "classes": ("0", "1", "10"), "class_names": "folder"})
    how = runs.run(tmp_path, "b").resolved
    (line,) = caveats.told(how, numbered, None)
    assert "class folders are numbers (0, 1, 10)" in line
    assert "--class-names FILE.yaml" in line


def test_files_that_were_not_read_are_told(tmp_path):
    result = runs.run(tmp_path)
    left = {"reason": "suffix .part", "n": 2, "names": ["a.part", "b.part"]}
    data = DatasetBlock.of({**result.dataset.model_dump(), "pixels": {"left_out": [left]}})
    assert caveats.told(result.resolved, data, None) == ("2 files not read, suffix .part: a.part, b.part",)


def test_weights_given_as_a_file(tmp_path):
    result = runs.run(tmp_path)
    assert not caveats.unpinned(result.model, None)
    assert caveats.unpinned(result.model, "w.pt")
