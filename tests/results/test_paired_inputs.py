"""What a paired test needs of a run: rows paired by id, and never those of another run."""

from __future__ import annotations

import pytest
import runs
from changed_results import changed
from runs import folders

from senbench.errors import UsageError
from senbench.results import paired_inputs, store
from senbench.results.standings import standings


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return runs.three(tmp_path_factory.mktemp("three"))


def test_rows_are_paired_by_id_not_by_position(three, tmp_path):
    import shutil

    from pyarrow import parquet

    shutil.copytree(three, tmp_path / "r")
    found, where = folders(tmp_path / "r")
    path = where[found[0].run_id] / "predictions.parquet"
    table = parquet.read_table(path)
    parquet.write_table(table.take(list(range(len(table)))[::-1]), path)
    (moved,), (as_they_were,) = standings(found, where), standings(*folders(three))
    assert (moved.best, moved.tied) == (as_they_were.best, as_they_were.tied)
    read = [[paired_inputs.read(r, places[r.run_id]) for r in found] for places in (where, folders(three)[1])]
    p = [paired_inputs.all_pairs(parts).p for parts in read]
    assert (p[0] == p[1]).all()


def test_predictions_of_another_run_are_refused(three, tmp_path):
    import shutil

    shutil.copytree(three, tmp_path / "r")
    found, where = folders(tmp_path / "r")
    first, second = (where[r.run_id] / "predictions.parquet" for r in found[:2])
    shutil.copy(first, second)
    with pytest.raises(UsageError, match="files of two runs"):
        standings(found, where)


def test_why_a_run_cannot_be_paired(three, tmp_path):
    r = store.load_all(three)[0]
    folder = three / r.run_id
    undefined = {"top1": r.metrics["top1"].model_copy(update={"value": None})}
    for result, place, why in (
        (r, None, "no per-image predictions"),
        (r, tmp_path, "no per-image predictions"),
        (changed(r, metrics=undefined), folder, "top1 is undefined"),
        (changed(r, access_level=2), folder, "would be too sure"),
        (changed(r, headline="nll"), folder, "no paired test of nll"),
        (changed(r, dataset={"task": "multi-label"}), folder, "no clusters"),
    ):
        assert why in paired_inputs.read(result, place).why
    assert paired_inputs.read(r, folder).why == ""


def test_answers_are_in_the_order_of_the_sorted_ids(three):
    from senbench.results import predictions

    r = store.load_all(three)[0]
    table = predictions.read(three / r.run_id, r)
    right = dict(zip(table.ids, table.predicted == table.labels, strict=True))
    found = paired_inputs.read(r, three / r.run_id)
    assert found.correct.tolist() == [right[name] for name in sorted(right)]
    assert found.value == pytest.approx(found.correct.mean())


def test_clustered_runs_are_paired_by_what_leaving_out_a_cluster_gives(tmp_path):
    r = runs.run(tmp_path, "a", 0.3, runs.located(60))
    found = paired_inputs.read(r, tmp_path / r.run_id)
    assert found.correct is None
    assert found.effective == {"": 15.0}
    wrong = 60 * (1 - found.value)
    assert sum(60 * found.value - 56 * found.replicates[""]) == pytest.approx(
        60 - wrong
    )  # each cluster's right answers


def test_one_run_has_no_pairs(three):
    r = store.load_all(three)[0]
    assert paired_inputs.all_pairs([paired_inputs.read(r, three / r.run_id)]) is None


def test_an_answer_that_is_not_there_is_not_right(three, tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    r = store.load_all(three)[0]
    table = parquet.read_table(three / r.run_id / "predictions.parquet")
    right = [a == b for a, b in zip(table["label"].to_pylist(), table["prediction"].to_pylist(), strict=True)]
    wrong = right.index(False)
    answers = [None if i == wrong else v for i, v in enumerate(table["prediction"].to_pylist())]
    at = table.column_names.index("prediction")
    parquet.write_table(table.set_column(at, "prediction", pa.array(answers)), tmp_path / "predictions.parquet")
    assert paired_inputs.read(r, tmp_path).correct.sum() == sum(right)
