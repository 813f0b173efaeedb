"""`senbench predict`: one line per error, files and what qualifies them."""

from __future__ import annotations

import pytest
from pyarrow import parquet


def predicted(senbench, mini_run, source, out, *more):
    words = ("--like", "generic", "--results", mini_run.results, "--out", out, "--device", "cpu", "--offline")
    return senbench("predict", source, *words, *more)


def test_classes_are_the_runs_and_its_qualifications_are_printed(senbench, mini_run, tmp_path):
    found = predicted(senbench, mini_run, "demo", tmp_path / "a.parquet")
    assert found.code == 0, found.err
    assert found.out.strip() == str(tmp_path / "a.parquet")
    assert "synthetic" in found.err
    run = next(mini_run.results.glob("*generic*"))
    recorded = parquet.read_table(run / "predictions.parquet")
    made = parquet.read_table(tmp_path / "a.parquet")
    assert made["class"].to_pylist() == recorded["prediction"].to_pylist()
    assert made["id"].to_pylist() == recorded["id"].to_pylist()


@pytest.mark.parametrize(
    ("source", "out", "more", "code", "message"),
    [
        ("demo", "a.xlsx", (), 2, "--out"),
        ("demo", "a.csv", ("--on-error", "go"), 2, "--on-error 'go': give stop or skip"),
        ("demo", "a.csv", ("--dn-offset", "7"), 2, "--dn-offset '7': give auto, 0 or 1000"),
        ("demo", "a.csv", ("--weights", "none.pt"), 2, "--weights none.pt: no such file"),
        ("./none", "a.csv", (), 2, "no such folder or file"),
        ("nonsense", "a.csv", (), 2, "nonsense"),
        ("demo", "none/a.csv", (), 3, "there is no folder"),
    ],
)
def test_errors_are_one_line(senbench, mini_run, tmp_path, monkeypatch, source, out, more, code, message):
    monkeypatch.chdir(tmp_path)
    found = predicted(senbench, mini_run, source, out, *more)
    assert found.code == code
    line = found.err.strip().splitlines()[-1]
    assert line.startswith("senbench: ")
    assert message in line
    assert "Traceback" not in found.err
    assert list(tmp_path.iterdir()) == []
