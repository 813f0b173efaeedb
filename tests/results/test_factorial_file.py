"""`factorial-<hash>.json`: written whole, read back strictly."""

from __future__ import annotations

import json

import generated_results as made
import pytest

from senbench.errors import UsageError
from senbench.results import factorial_file


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    folder = tmp_path_factory.mktemp("factorial")
    results = [made.one("made-scenes", model, style, 60)[0] for model in (0, 1) for style in ("generic", "aerial")]
    return folder, made.compared(folder, results)


def test_it_is_read_back_as_it_was(kept):
    folder, found = kept
    assert factorial_file.load_all(folder) == [found]
    assert len(found.contrasts) == 2 + 2 + 1
    (path,) = folder.glob("factorial-*.json")
    factorial_file.save(folder, found)
    assert [*folder.glob("factorial-*.json")] == [path], "the same results give the same name"
    again = factorial_file.save(folder, found.model_copy(update={"run_ids": found.run_ids[::-1]}))
    assert again != path
    again.unlink()


def test_the_committed_one_keeps_its_bytes(tmp_path):
    from places import ROOT

    path = next((ROOT / "leaderboard" / "results").glob("factorial-*.json"))
    again = factorial_file.save(tmp_path, factorial_file.load(path))
    assert again.name == path.name
    assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "is not JSON"),
        ("[]", "has version None"),
        ('{"schema_version": 2}', "has version 2, this senbench reads 1"),
        ('{"schema_version": 1}', "field run_ids: Field required"),
        ("[" * 100_000, "is not JSON"),
    ],
)
def test_malformed_files_are_refused(tmp_path, text, why):
    path = tmp_path / "factorial-x.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=rf"factorial {path}.* ?{why}"):
        factorial_file.load_all(tmp_path)


def test_unknown_fields_and_missing_files_are_refused(kept, tmp_path):
    folder, _ = kept
    (path,) = folder.glob("factorial-*.json")
    (tmp_path / path.name).write_text(json.dumps({**json.loads(path.read_text()), "surprise": 1}))
    with pytest.raises(UsageError, match="field surprise"):
        factorial_file.load(tmp_path / path.name)
    with pytest.raises(UsageError, match="No such file"):
        factorial_file.load(tmp_path / "nothing.json")
