"""Parquet files are read without Arrow's dataset engine."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet

from senbench.io.parquet import read_parquet

TABLE = pa.table({"id": ["a", "b"], "label": [[1], [2, 3]]})


def test_a_file_and_a_buffer_come_back(tmp_path):
    parquet.write_table(TABLE, tmp_path / "t.parquet")
    assert read_parquet(tmp_path / "t.parquet").equals(TABLE)
    assert read_parquet(pa.BufferReader((tmp_path / "t.parquet").read_bytes()), ["label"]).equals(
        TABLE.select(["label"])
    )


def test_damage_and_a_missing_column_are_errors(tmp_path):
    path = tmp_path / "t.parquet"
    parquet.write_table(TABLE, path)
    with pytest.raises(KeyError, match="nosuch"):
        read_parquet(path, ["nosuch"])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(pa.ArrowException):
        read_parquet(path)


def test_no_threads_are_left_that_could_abort_the_process(tmp_path):
    parquet.write_table(TABLE, tmp_path / "t.parquet")
    code = (
        "import sys; from senbench.io.parquet import read_parquet; read_parquet(sys.argv[1]).to_pydict();"
        "print([m for m in ('pandas', 'pyarrow.dataset') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "t.parquet")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_more_rows_than_a_file_can_hold_are_not_read(tmp_path):
    path = tmp_path / "constant.parquet"
    parquet.write_table(
        pa.table({"x": pa.nulls(20_000_000, pa.int8())}), path, row_group_size=20_000_000, data_page_size=1 << 30
    )
    assert path.stat().st_size < 100_000
    with pytest.raises(OSError, match=r"it announces 20,000,000 rows in [\d,]+ bytes"):
        read_parquet(path)
