"""What was found is kept by the bytes of the files, and forgotten when one of them changes."""

from __future__ import annotations

import pytest
import runs

from senbench.results import kept_checks, predictions


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / runs.run(tmp_path, "own", 0.2).run_id
    kept_checks.keep(path, ["one line"])
    return path


def test_it_is_kept(folder):
    assert kept_checks.read(folder) == ["one line"]


@pytest.mark.parametrize("name", ["result.json", predictions.FILE])
def test_another_byte_is_another_result(folder, name):
    with (folder / name).open("ab") as file:
        file.write(b"\n")
    assert kept_checks.read(folder) is None


def test_what_cannot_be_read_was_never_checked(folder):
    (folder / predictions.FILE).unlink()
    assert kept_checks.read(folder) is None
    kept_checks.keep(folder, ["lost"])
    assert kept_checks.read(folder) is None


def test_other_checks_look_anew(folder, monkeypatch):
    monkeypatch.setattr(kept_checks, "VERSION", kept_checks.VERSION + 1)
    assert kept_checks.read(folder) is None
