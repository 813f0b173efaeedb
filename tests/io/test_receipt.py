"""The revision of a fetched file is bound to its bytes."""

from __future__ import annotations

from senbench.io import receipt


def test_only_of_the_same_bytes(tmp_path):
    path = tmp_path / "w.pt"
    assert receipt.revision(path, "a" * 64) is None
    receipt.write(path, "f" * 40, "a" * 64)
    assert receipt.revision(path, "a" * 64) == "f" * 40
    assert receipt.revision(path, "b" * 64) is None


def test_a_changed_note_counts_as_none(tmp_path):
    path = tmp_path / "w.pt"
    receipt.write(path, "f" * 40, "a" * 64)
    (note,) = tmp_path.iterdir()
    note.write_text(note.read_text().replace("ffff", "eeee", 1))
    assert receipt.revision(path, "a" * 64) is None
