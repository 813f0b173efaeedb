"""A result that contradicts itself is not exported, ranked, blessed or passed; what was found is kept by content."""

from __future__ import annotations

import json
from contextlib import contextmanager

import generated_results
import nudges
import pyarrow as pa
import pytest
import runs
from pyarrow import parquet
from typer.testing import CliRunner

from senbench.audit import admission, validate
from senbench.cli.main import application
from senbench.errors import UsageError
from senbench.results import predictions, store
from senbench.runtime.progress import Silent


@pytest.fixture
def two(tmp_path):
    """A folder with an honest result and a forged one."""
    good, bad = (runs.run(tmp_path, name, 0.2).run_id for name in ("good", "bad"))
    file = tmp_path / bad / "result.json"
    file.write_text(json.dumps(nudges.put(json.loads(file.read_text()), ("metrics", "top1", "value"), 0.999)))
    return tmp_path, good, bad


def call(*words: str):
    return CliRunner().invoke(application(), list(words))


def test_a_forged_result_is_left_out_with_a_line(two):
    folder, good, bad = two
    said: list[str] = []
    assert [path.name for _, path in admission.each(folder, said.append)] == [good]
    assert len(said) == 1
    assert said[0].startswith(f"left out: result {bad} contradicts itself: metrics.top1.value is 0.999, expected ")
    got = call("export", "--format", "csv", "--results", str(folder))
    assert good in got.stdout
    assert bad not in got.stdout
    page = folder / "page.html"
    assert call("report", "--results", str(folder), "--out", str(page)).exit_code == 0
    assert bad not in page.read_text()


def test_a_forged_result_is_neither_blessed_nor_passed(two):
    folder, _, bad = two
    base = str(folder / "base.json")
    got = call("baseline", "bless", "--why", "x", "--out", base, "--results", str(folder))
    assert got.exit_code
    (folder / bad / "result.json").unlink()
    assert call("baseline", "bless", "--why", "x", "--out", base, "--results", str(folder)).exit_code == 0
    assert call("check", "--baseline", base, "--results", str(folder)).exit_code == 0


def test_it_is_looked_at_once(two, monkeypatch):
    folder, good, bad = two
    before = {name: admission.contradictions(folder / name) for name in (good, bad)}
    monkeypatch.setattr(validate, "inconsistent", lambda *_: pytest.fail("looked at again"))
    assert {name: admission.contradictions(folder / name) for name in (good, bad)} == before
    with pytest.raises(UsageError, match="contradicts itself"):
        admission.refuse(folder / bad)


def test_what_a_run_has_just_computed_is_not_computed_again_until_it_is_changed(tmp_path, monkeypatch):
    folder = tmp_path / runs.run(tmp_path, "own", 0.2).run_id
    with monkeypatch.context() as patch:
        patch.setattr(validate, "inconsistent", lambda *_: pytest.fail("computed again"))
        assert admission.contradictions(folder) == []
    file = folder / "result.json"
    file.write_text(json.dumps(nudges.put(json.loads(file.read_text()), ("metrics", "top1", "value"), 0.999)))
    assert "metrics.top1.value is 0.999" in admission.contradictions(folder)[0]


class Counted(Silent):
    """Counts the steps of each stage."""

    def __init__(self) -> None:
        self.steps: dict[str, int] = {}

    @contextmanager
    def stage(self, title, total):
        def advance(done):
            self.steps[title] = self.steps.get(title, 0) + done

        yield advance


def test_many_results_are_checked_on_all_cores_with_progress(tmp_path, monkeypatch):
    generated_results.write(tmp_path, 2, generated_results.STYLES[:5], generated_results.DATASETS[:2], n=40)
    alone = {path.name: validate.inconsistent(path, store.load(path)) for path in store.folders(tmp_path)}
    monkeypatch.setattr(admission, "cores", lambda: 2)
    drawn = Counted()
    admission.check_all(store.folders(tmp_path), drawn)
    assert drawn.steps == {"checking results": 20}
    monkeypatch.setattr(validate, "inconsistent", lambda *_: pytest.fail("looked at again"))
    assert {path.name: admission.contradictions(path) for path in store.folders(tmp_path)} == alone


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_other_scores_of_several_labels_are_found(tmp_path, factor):
    folder = tmp_path / runs.run(tmp_path, share=0.3, tiles=runs.multi()).run_id
    table = parquet.read_table(folder / predictions.FILE)
    for name in [n for n in table.column_names if n.startswith("score_")]:
        values = pa.array([factor * v for v in table[name].to_pylist()], pa.float32())
        table = table.set_column(table.column_names.index(name), name, values)
    parquet.write_table(table, folder / predictions.FILE)
    assert any("scores.mean" in line for line in admission.contradictions(folder))
