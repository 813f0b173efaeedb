"""A result that contradicts itself is not exported, ranked, blessed or passed; what was found is kept by content."""

from __future__ import annotations

import json

import nudges
import pyarrow as pa
import pytest
import runs
from pyarrow import parquet
from typer.testing import CliRunner

from senbench.audit import admission, validate
from senbench.cli.main import application
from senbench.errors import UsageError
from senbench.results import predictions


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


@pytest.mark.parametrize("factor", [2.0, 0.5])
def test_other_scores_of_several_labels_are_found(tmp_path, factor):
    folder = tmp_path / runs.run(tmp_path, share=0.3, tiles=runs.multi()).run_id
    table = parquet.read_table(folder / predictions.FILE)
    for name in [n for n in table.column_names if n.startswith("score_")]:
        values = pa.array([factor * v for v in table[name].to_pylist()], pa.float32())
        table = table.set_column(table.column_names.index(name), name, values)
    parquet.write_table(table, folder / predictions.FILE)
    assert any("scores.mean" in line for line in admission.contradictions(folder))
