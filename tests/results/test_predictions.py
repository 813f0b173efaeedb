"""`predictions.parquet`: written small, read back as it was, refused where it is of other classes."""

from __future__ import annotations

import pytest
import runs

from senbench.results import store


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    return runs.three(tmp_path_factory.mktemp("three"))


def test_predictions_are_written_small_and_whole(three):
    from pyarrow import parquet

    r = store.load_all(three)[0]
    file = parquet.ParquetFile(three / r.run_id / "predictions.parquet")
    encodings = {c.path_in_schema: c.encodings for c in (file.metadata.row_group(0).column(i) for i in range(7))}
    assert "BYTE_STREAM_SPLIT" in encodings["score_Lake"]
    assert "DELTA_BYTE_ARRAY" in encodings["id"]


@pytest.mark.slow
def test_predictions_open_with_datasets(three, tmp_path):
    from datasets import load_dataset

    r = store.load_all(three)[0]
    path = str(three / r.run_id / "predictions.parquet")
    data = load_dataset("parquet", data_files=path, split="train", cache_dir=str(tmp_path))
    assert len(data) == 200
    assert data.features["score_Lake"].dtype == "float32"
    assert sum(row["label"] == row["prediction"] for row in data) / 200 == r.metrics["top1"].value
