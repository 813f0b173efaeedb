"""Result folders: whole or not at all, read back strictly."""

from __future__ import annotations

import json
import shutil

import answers
import pytest
import runs
import stubs

import senbench
from senbench.errors import SenbenchError, UnavailableError, UsageError
from senbench.results import store
from senbench.schema.record import Record

PROMPTS = {key: [f"a {key.lower()}"] for key in stubs.CLASSES}


@pytest.fixture
def written(tmp_path):
    result = senbench.evaluate(stubs.StubEncoder(), stubs.tiles(), PROMPTS, results=str(tmp_path))
    return tmp_path / result.run_id


def test_only_whole_folders_are_left(written):
    assert [path.name for path in written.parent.iterdir()] == [written.name]
    assert sorted(p.name for p in written.iterdir()) == ["predictions.parquet", "result.json", "thumbnails.parquet"]


def test_same_run_replaces_its_folder(written):
    (written / "stale").touch()
    senbench.evaluate(stubs.StubEncoder(), stubs.tiles(), PROMPTS, results=str(written.parent))
    assert not (written / "stale").exists()
    assert len(list(written.parent.iterdir())) == 1


def test_failed_write_keeps_the_old_result(written, monkeypatch):
    from pyarrow import parquet

    before = (written / "result.json").read_bytes()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parquet, "write_table", full)
    with pytest.raises(UnavailableError, match="No space left"):
        senbench.evaluate(stubs.StubEncoder(), stubs.tiles(), PROMPTS, results=str(written.parent))
    assert (written / "result.json").read_bytes() == before
    assert len(list(written.parent.iterdir())) == 1


def test_unwritable_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match="give another with --results"):
        store.writable(str(tmp_path / "file" / "results"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "not JSON"),
        ("[]", "schema version None"),
        ('{"schema_version": 99}', "schema version 99"),
        ('{"schema_version": 1}', "field run_id"),
    ],
)
def test_malformed_results_are_refused(tmp_path, text, why):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(UsageError, match=why):
        store.load(tmp_path)


def test_misspelt_and_mistyped_fields_are_refused(written):
    data = json.loads((written / "result.json").read_text())
    for change in ({"acess_level": 0}, {"metrics": {"top1": 0.5}}, {"complete": "perhaps"}):
        (written / "result.json").write_text(json.dumps({**data, **change}))
        with pytest.raises(UsageError, match="field"):
            store.load(written)


def test_empty_folder(tmp_path):
    with pytest.raises(SenbenchError, match="senbench run"):
        store.load_all(tmp_path)


def test_damaged_thumbnails(written):
    (written / "thumbnails.parquet").write_bytes(b"PAR1 nonsense")
    with pytest.raises(UnavailableError, match="damaged"):
        store.read_thumbnails(written)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    return answers.pair(tmp_path_factory.mktemp("pair"))


def test_a_run_that_is_not_there_is_named_with_the_nearest(pair) -> None:
    a, b, *_ = pair
    with pytest.raises(UsageError, match=f"Did you mean '{b.name}'"):
        store.locate(b.name[:-1] + "?", a.parent)
    with pytest.raises(UsageError, match="has none"):
        store.locate("x", a / "nothing")


@pytest.mark.parametrize("given", ["whole", "beginning", "hash", "half of the hash"])
def test_a_run_is_found_by_what_names_it_alone(pair, given) -> None:
    a, b, *_ = pair
    digest = b.name.rpartition("_")[2]
    short = {"whole": b.name, "beginning": b.name[:-1], "hash": digest, "half of the hash": digest[:5]}[given]
    assert store.locate(short, a.parent) == b
    with pytest.raises(UsageError, match="unknown run"):
        store.locate(digest[:2], a.parent)


def test_short_ids_are_as_long_as_they_must_be() -> None:
    assert store.short_ids(["a_1234567890", "b_1234577890", "c_abcdef0123"]) == {
        "a_1234567890": "123456",
        "b_1234577890": "123457",
        "c_abcdef0123": "abcd",
    }
    assert store.short_ids(["a_12", "b_12"]) == {"a_12": "12", "b_12": "12"}


class Inner(Record):
    numbers: tuple[int, ...]


class Outer(Record):
    inner: Inner


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"inner": {"numbers": [1, "x"]}}, "this: field inner.numbers.1: Input should be a valid integer"),
        ({"inner": {}}, "this: field inner.numbers: Field required"),
        ({"inner": {"numbers": []}, "extra": 1}, "this: field extra: Extra inputs are not permitted"),
        ([], "this: field : Input should be a valid dictionary"),
    ],
)
def test_the_first_fault_of_a_record_is_named_in_one_line(data, said):
    with pytest.raises(UsageError, match=f"^{said}") as caught:
        store.validated(Outer, data, "this")
    assert "\n" not in str(caught.value)


def test_a_results_folder_that_was_removed_while_running_is_made_again(tmp_path, monkeypatch):
    from senbench.evaluation import grid

    folder, whole = tmp_path / "results", grid.score_cell

    def removed(cell, *given):
        shutil.rmtree(folder)
        return whole(cell, *given)

    monkeypatch.setattr(grid, "score_cell", removed)
    result = senbench.evaluate(stubs.StubEncoder(), stubs.tiles(), PROMPTS, results=str(folder))
    assert store.load(folder / result.run_id).run_id == result.run_id


def test_latest_is_the_result_that_was_written_last(tmp_path):
    import os

    runs.run(tmp_path, "first", 0.1, runs.located(60))
    second = runs.run(tmp_path, "second", 0.1, runs.located(60))
    for k, path in enumerate(sorted(tmp_path.glob("*/result.json"))):
        os.utime(path, ns=(k, k))
    assert store.locate("latest", tmp_path).name == second.run_id
    oldest = min(tmp_path.glob("*/result.json"))
    os.utime(oldest, ns=(9, 9))
    assert store.locate("latest", tmp_path) == oldest.parent
