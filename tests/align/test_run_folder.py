from __future__ import annotations

import errno
import json

import pytest
import torch
from safetensors import SafetensorError

from senbench.align import run_folder
from senbench.align.run_folder import RunFolder
from senbench.errors import UnavailableError, UsageError
from senbench.io.parquet import read_parquet

SETTINGS = {"recipe": {"batch": 8, "pool": "avg"}, "data": {"sha256": "a"}}
WITH = {"threads": 1, "device": "cpu"}


def state(done, value=0.0):
    return {"counts": torch.tensor([done, 0]), "parameter/x": torch.full((3,), value)}


def row(step, epoch=1):
    return (step, epoch, 1.0, 14.3, 0.5, 1e-4, 100.0)


@pytest.fixture
def folder(tmp_path):
    made = RunFolder(tmp_path / "run")
    made.begin(SETTINGS, WITH)
    return made


def test_what_is_kept_is_found_and_what_came_after_is_forgotten(folder):
    folder.steps = [row(1), row(2)]
    folder.epochs = [{"step": 2, "epoch": 1}]
    folder.save(state(2, 5.0))
    folder.steps.append(row(3, 2))
    folder.epochs.append({"step": 4, "epoch": 2})
    run_folder._whole(folder.path / run_folder.STEPS, folder._write_steps)
    (folder.path / run_folder.RETRIEVAL).write_text(json.dumps(folder.epochs))
    again = RunFolder(folder.path)
    assert again.begin(SETTINGS, WITH) is None
    assert torch.equal(again.state()["parameter/x"], torch.full((3,), 5.0))
    assert again.steps == [row(1), row(2)]
    assert again.epochs == [{"step": 2, "epoch": 1}]


def test_nothing_kept_is_no_state(folder):
    assert folder.state() is None


def test_other_settings_are_refused_by_name(folder):
    other = {**SETTINGS, "recipe": {"batch": 16, "pool": "avg"}}
    with pytest.raises(UsageError, match=r"another recipe.batch \(8, now 16\)"):
        RunFolder(folder.path).begin(other, WITH)


def test_other_threads_are_told_and_recorded(folder):
    again = RunFolder(folder.path)
    assert again.begin(SETTINGS, {**WITH, "threads": 2}) == "threads (1, now 2)"
    assert [block["threads"] for block in again.settings()["computed_with"]] == [1, 2]
    assert again.begin(SETTINGS, {**WITH, "threads": 2}) is None


def test_a_folder_with_other_files_or_a_file_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files"):
        RunFolder(tmp_path).begin(SETTINGS, WITH)
    with pytest.raises(UsageError, match="it is a file"):
        RunFolder(tmp_path / "notes.txt").begin(SETTINGS, WITH)


@pytest.mark.parametrize("name", [run_folder.STATE, run_folder.STEPS, run_folder.RETRIEVAL])
def test_a_damaged_file_is_told(folder, name):
    folder.steps = [row(1)]
    folder.save(state(1))
    (folder.path / name).write_bytes(b"nothing of the kind")
    with pytest.raises(UnavailableError, match="damaged"):
        RunFolder(folder.path).state()


def test_damaged_settings_are_told(folder):
    (folder.path / run_folder.SETTINGS).write_text("{")
    with pytest.raises(UsageError, match=r"align\.json cannot be read"):
        RunFolder(folder.path).begin(SETTINGS, WITH)


def test_a_full_disk_leaves_what_was_kept(folder, monkeypatch):
    folder.steps = [row(1)]
    folder.save(state(1, 1.0))

    def full(*args):
        args[1].write_bytes(b"half")
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    folder.steps.append(row(2))
    with pytest.raises(OSError, match="No space") as told:
        folder.save(state(2, 2.0))
    assert told.value.errno == errno.ENOSPC  # which the command tells in one line
    monkeypatch.undo()
    assert torch.equal(RunFolder(folder.path).state()["parameter/x"], torch.ones(3))
    assert sorted(p.name for p in folder.path.iterdir()) == [
        "align.json",
        "retrieval.json",
        "state.safetensors",
        "steps.parquet",
    ]


def test_steps_are_a_table(folder):
    folder.steps = [row(1), row(2)]
    folder.save(state(2))
    table = read_parquet(folder.path / run_folder.STEPS)
    assert tuple(table.column_names) == run_folder.COLUMNS
    assert table.column("step").to_pylist() == [1, 2]


def test_the_digest_knows_names_types_and_bytes():
    one = run_folder.digest({"a": torch.zeros(2), "b": torch.ones(1)})
    assert one == run_folder.digest({"b": torch.ones(1), "a": torch.zeros(2)})
    assert one != run_folder.digest({"a": torch.zeros(2), "c": torch.ones(1)})
    assert one != run_folder.digest({"a": torch.zeros(2, dtype=torch.float64), "b": torch.ones(1)})
    assert one != run_folder.digest({"a": torch.tensor([0.0, 1e-30]), "b": torch.ones(1)})
