"""A result as the gate keeps it: one that cannot be read, or that contradicts itself, is a problem."""

from __future__ import annotations

import shutil

import answers
import numpy as np
import pytest
from gates import edit, fails, gate

from senbench.gate.bless import bless
from senbench.gate.comparison import check
from senbench.results import store


def test_unreadable_results(place) -> None:
    folder = next((place / "results").iterdir())
    (folder / "predictions.parquet").write_bytes(b"PAR1 not really")
    fails(place, "predictions.parquet is damaged")
    (folder / "predictions.parquet").unlink()
    fails(place, "predictions.parquet is missing")
    (folder / "result.json").write_text('{"schema_version": 1}')
    fails(place, "field run_id")
    (folder / "result.json").write_text("[" * 100_000)
    fails(place, "result")


def test_a_result_that_its_predictions_contradict(place) -> None:
    path = next((place / "results").iterdir()) / "result.json"
    edit(path, lambda data: data["metrics"]["top1"].update(value=0.99))
    fails(place, "its predictions give top1 0.900000, it says 0.99")


def test_a_result_with_nan_or_without_a_block(place) -> None:
    path = next((place / "results").iterdir()) / "result.json"
    whole = path.read_text()
    edit(path, lambda data: data["metrics"]["nll"].update(value=float("nan")))
    fails(place, "")
    path.write_text(whole)
    edit(path, lambda data: data["dataset"].pop("index_hash"))
    fails(place, "field dataset.index_hash: Field required")


def test_multi_label_is_guarded_by_macro_map(tmp_path) -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((300, 3)) < [0.5, 0.3, 0.2]
    scores = truth + rng.normal(4, 0.6, (300, 3))
    clusters = rng.integers(0, 15, 300)
    answers.save(tmp_path / "results", scores, truth, clusters)
    bless(tmp_path / "results", tmp_path / "base.json", "multi")
    assert gate(tmp_path).exit_code == 0, gate(tmp_path).output
    shutil.rmtree(tmp_path / "results")
    answers.save(tmp_path / "results", scores + rng.normal(0, 0.6, (300, 3)), truth, clusters)
    said = fails(tmp_path, "not shown to be as good as before")
    assert "map_macro" in said
    verdict = check(tmp_path / "base.json", tmp_path / "results")
    (row,) = verdict.rows
    now = store.load(next((tmp_path / "results").iterdir()))
    assert row.difference.difference == pytest.approx(row.after - row.before)
    assert row.after == now.metrics["map_macro"].value
    assert row.difference.ci[0] < row.difference.difference < row.difference.ci[1]
