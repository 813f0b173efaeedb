"""What a paired test needs of a run: rows paired by id, and never those of another run."""

from __future__ import annotations

import pytest
import runs
from runs import folders

from senbench.errors import UsageError
from senbench.results import paired_inputs
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
